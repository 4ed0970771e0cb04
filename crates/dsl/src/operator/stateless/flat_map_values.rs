//! `flat_map_values`: any number of values for the same key.

use headwater_topology::node::Effect;
use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Makes any number of values of each record; the key stays (`KStream#flatMapValues`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .values::<String>("lines")
    ///     .flat_map_values(|_, line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    ///     .to("words");
    /// assert!(builder.build()?.describe().contains("KSTREAM-FLATMAPVALUES-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn flat_map_values<W: 'static, I: IntoIterator<Item = W>>(
        &self,
        map: impl Fn(&K, &V) -> I + Send + Sync + 'static,
    ) -> KStream<K, W> {
        self.try_flat_map_values(move |key, value| Ok::<_, BoxError>(map(key, value)))
    }

    /// As [`KStream::flat_map_values`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_flat_map_values<W: 'static, I: IntoIterator<Item = W>, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<I, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let port = step(self, "KSTREAM-FLATMAPVALUES-", move |cx, record, out| {
            for value in map(record.key, record.value).map_err(ProcessError::user)? {
                out.push(cx, record.with_value(&value))?;
            }
            Ok(())
        });
        self.draft().set_effect(port.node(), Effect::ChangesValue);
        KStream::at(port, self.serdes.key_only(), self.repartition)
    }
}
