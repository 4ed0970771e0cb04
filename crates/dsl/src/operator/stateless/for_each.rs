//! `for_each`: the end of a stream.

use headwater_topology::{BoxError, Outlet, ProcessError, Stream};

use crate::KStream;
use crate::operator::step::step;

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Does something with each record; nothing follows (`KStream#foreach`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("lines").for_each(|_, line| drop(line.len()));
    /// assert!(builder.build()?.describe().contains("KSTREAM-FOREACH-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn for_each(&self, act: impl Fn(&K, &V) + Send + Sync + 'static) {
        self.try_for_each(move |key, value| {
            act(key, value);
            Ok::<_, BoxError>(())
        });
    }

    /// As [`KStream::for_each`], with a function that may fail: the processing exception handler then decides.
    pub fn try_for_each<E: Into<BoxError>>(&self, act: impl Fn(&K, &V) -> Result<(), E> + Send + Sync + 'static) {
        step(self, "KSTREAM-FOREACH-", move |_, record, _: &mut Outlet<Stream<K, V>>| {
            act(record.key, record.value).map_err(ProcessError::user)
        });
    }

    /// As [`KStream::for_each`], at a node of this name (Java's overload with `Named`).
    pub fn for_each_named(&self, act: impl Fn(&K, &V) + Send + Sync + 'static, name: &str) {
        let end = step(self, "KSTREAM-FOREACH-", move |_, record, _: &mut Outlet<Stream<K, V>>| {
            act(record.key, record.value);
            Ok(())
        });
        self.draft().rename(end.node(), name);
    }
}
