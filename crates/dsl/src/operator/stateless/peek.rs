//! `peek`: a look at each record as it passes.

use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Shows each record to `look` and hands it on as it is (`KStream#peek`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("lines").peek(|_, line| assert!(!line.is_empty())).to("seen");
    /// assert!(builder.build()?.describe().contains("KSTREAM-PEEK-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        self.try_peek(move |key, value| {
            look(key, value);
            Ok::<_, BoxError>(())
        })
    }

    /// As [`KStream::peek`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_peek<E: Into<BoxError>>(&self, look: impl Fn(&K, &V) -> Result<(), E> + Send + Sync + 'static) -> Self {
        let port = step(self, "KSTREAM-PEEK-", move |cx, record, out| {
            look(record.key, record.value).map_err(ProcessError::user)?;
            out.push(cx, record.with_value(record.value))
        });
        KStream::at(port, self.serdes.clone(), self.repartition)
    }
}
