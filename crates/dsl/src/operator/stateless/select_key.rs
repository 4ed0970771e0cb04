//! `select_key`: another key for the same value.

use headwater_topology::node::Effect;
use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Makes another key for each record (`KStream#selectKey`). What groups or joins by the key afterwards repartitions first.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("lines").select_key(|_, line| line.len() as i64).to("by-length");
    /// assert!(builder.build()?.describe().contains("KSTREAM-KEY-SELECT-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn select_key<K2: 'static>(&self, select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KStream<K2, V> {
        self.try_select_key(move |key, value| Ok::<_, BoxError>(select(key, value)))
    }

    /// As [`KStream::select_key`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_select_key<K2: 'static, E: Into<BoxError>>(
        &self,
        select: impl Fn(&K, &V) -> Result<K2, E> + Send + Sync + 'static,
    ) -> KStream<K2, V> {
        let port = step(self, "KSTREAM-KEY-SELECT-", move |cx, record, out| {
            let key = select(record.key, record.value).map_err(ProcessError::user)?;
            out.push(cx, record.with_key(&key))
        });
        self.draft().set_effect(port.node(), Effect::ChangesKey);
        KStream::at(port, self.serdes.value_only(), true)
    }
}
