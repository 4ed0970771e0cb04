//! `map`: another key and another value.

use headwater_topology::node::Effect;
use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Makes another key and value of each record (`KStream#map`). What groups or joins by the key afterwards repartitions first.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("sales").map(|shop, amount| (*amount, shop.clone())).to("shops");
    /// assert!(builder.build()?.describe().contains("KSTREAM-MAP-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn map<K2: 'static, V2: 'static>(
        &self,
        map: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        self.try_map(move |key, value| Ok::<_, BoxError>(map(key, value)))
    }

    /// As [`KStream::map`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_map<K2: 'static, V2: 'static, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<(K2, V2), E> + Send + Sync + 'static,
    ) -> KStream<K2, V2> {
        let port = step(self, "KSTREAM-MAP-", move |cx, record, out| {
            let (key, value) = map(record.key, record.value).map_err(ProcessError::user)?;
            out.push(cx, record.with_key(&key).with_value(&value))
        });
        self.draft().set_effect(port.node(), Effect::ChangesKey);
        KStream::at(port, crate::serdes::Serdes::none(), true)
    }
}
