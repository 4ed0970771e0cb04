//! `map_values`: another value for the same key.

use headwater_topology::node::Effect;
use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Makes another value of each record; the key, and with it the partition, stays (`KStream#mapValues`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("names").map_values(|_, name| name.len() as i64).to("lengths");
    /// assert!(builder.build()?.describe().contains("KSTREAM-MAPVALUES-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn map_values<W: 'static>(&self, map: impl Fn(&K, &V) -> W + Send + Sync + 'static) -> KStream<K, W> {
        self.try_map_values(move |key, value| Ok::<_, BoxError>(map(key, value)))
    }

    /// As [`KStream::map_values`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_map_values<W: 'static, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let port = step(self, "KSTREAM-MAPVALUES-", move |cx, record, out| {
            let value = map(record.key, record.value).map_err(ProcessError::user)?;
            out.push(cx, record.with_value(&value))
        });
        self.draft().set_effect(port.node(), Effect::ChangesValue);
        KStream::at(port, self.serdes.key_only(), self.repartition)
    }
}
