//! `flat_map`: any number of records for each.

use headwater_topology::node::Effect;
use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Makes any number of records of each (`KStream#flatMap`). What groups or joins by the key afterwards repartitions first.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("orders").flat_map(|id, n| (0..*n).map(|i| (i, id.clone())).collect::<Vec<_>>()).to("items");
    /// assert!(builder.build()?.describe().contains("KSTREAM-FLATMAP-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn flat_map<K2: 'static, V2: 'static, I: IntoIterator<Item = (K2, V2)>>(
        &self,
        map: impl Fn(&K, &V) -> I + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.try_flat_map(move |key, value| Ok::<_, BoxError>(map(key, value)))
    }

    /// As [`KStream::flat_map`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_flat_map<K2: 'static, V2: 'static, I: IntoIterator<Item = (K2, V2)>, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<I, E> + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        let port = step(self, "KSTREAM-FLATMAP-", move |cx, record, out| {
            for (key, value) in map(record.key, record.value).map_err(ProcessError::user)? {
                out.push(cx, record.with_key(&key).with_value(&value))?;
            }
            Ok(())
        });
        self.draft().set_effect(port.node(), Effect::ChangesKey);
        KStream::at(port, crate::serdes::Serdes::none(), true)
    }
}
