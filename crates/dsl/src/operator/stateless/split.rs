//! `split`: several streams of one.

use crate::{BranchedKStream, KStream};

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Splits the stream: each record goes to the first branch that takes it (`KStream#split`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let sizes = builder.stream::<String, i64>("sizes").split();
    /// sizes.branch(|_, size| *size > 100).to("large");
    /// sizes.default_branch().to("small");
    /// assert!(builder.build()?.describe().contains("KSTREAM-BRANCH-00000000010"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn split(&self) -> BranchedKStream<K, V> {
        BranchedKStream::new(self)
    }
}
