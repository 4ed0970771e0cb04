//! `filter` and `filter_not`: some records only.

use headwater_topology::{BoxError, ProcessError};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Keeps the records for which `keep` says so (`KStream#filter`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("readings").filter(|_, reading| *reading > 100).to("alarms");
    /// assert!(builder.build()?.describe().contains("KSTREAM-FILTER-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.try_filter(move |key, value| Ok::<_, BoxError>(keep(key, value)))
    }

    /// Leaves out the records for which `leave_out` says so (`KStream#filterNot`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("lines").filter_not(|_, line| line.is_empty()).to("texts");
    /// assert!(builder.build()?.describe().contains("KSTREAM-FILTER-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn filter_not(&self, leave_out: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !leave_out(key, value))
    }

    /// As [`KStream::filter`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_filter<E: Into<BoxError>>(
        &self,
        keep: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        let port = step(self, "KSTREAM-FILTER-", move |cx, record, out| {
            if keep(record.key, record.value).map_err(ProcessError::user)? {
                out.push(cx, record.with_value(record.value))
            } else {
                Ok(())
            }
        });
        KStream::at(port, self.serdes.clone(), self.repartition)
    }

    /// As [`KStream::filter_not`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_filter_not<E: Into<BoxError>>(
        &self,
        leave_out: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        self.try_filter(move |key, value| leave_out(key, value).map(|leave_out| !leave_out))
    }
}
