//! Sources.

use std::fmt;
use std::sync::Arc;

use headwater_record::{SharedSerde, Timestamp};

use super::{NodeRef, TopologyBuilder};
use crate::Port;
use crate::naming;
use crate::node::source::{ConsumedRecord, SourceNode, TimestampExtractor};
use crate::node::{NodeSpec, OffsetReset, SourceTopics};

/// A source that is wanted (the arguments of Java's `Topology#addSource`).
///
/// ```
/// use std::time::Duration;
///
/// use headwater::prelude::*;
/// use headwater::processor::prelude::*;
/// use headwater::processor::node::OffsetReset;
/// use headwater::processor::node::source::TimestampExtractor;
/// let builder = TopologyBuilder::new();
/// let last_day = SourceSpec::pattern("logs-.*", String::default_serde(), String::default_serde())
///     .with_offset_reset(OffsetReset::ByDuration(Duration::from_secs(24 * 60 * 60)))
///     .with_timestamp_extractor(TimestampExtractor::LogAndSkip);
/// builder.add_source("logs", last_day);
/// assert!(builder.build()?.describe().contains("Source: logs (topics: logs-.*)"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct SourceSpec<K, V> {
    pub(super) topics: SourceTopics,
    pub(super) key: SharedSerde<K>,
    pub(super) value: SharedSerde<V>,
    pub(super) reset: Option<OffsetReset>,
    pub(super) extractor: TimestampExtractor<K, V>,
}

impl<K, V> SourceSpec<K, V> {
    /// Reads these topics, with these serdes.
    pub fn topics<T: Into<String>>(
        topics: impl IntoIterator<Item = T>,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> Self {
        Self::of(SourceTopics::Named(topics.into_iter().map(Into::into).collect()), key, value)
    }

    /// Reads all topics whose whole name matches this regular expression, with these serdes.
    pub fn pattern(pattern: impl Into<String>, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self::of(SourceTopics::Pattern(pattern.into()), key, value)
    }

    fn of(topics: SourceTopics, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        SourceSpec { topics, key, value, reset: None, extractor: TimestampExtractor::FailOnInvalid }
    }

    /// Where to begin when nothing was committed yet, instead of what `auto.offset.reset` says.
    #[must_use]
    pub fn with_offset_reset(mut self, reset: OffsetReset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Whence a record has its time, which is milliseconds since 1970 (Java's `TimestampExtractor`). A closure is handed to
    /// [`with_timestamp_from`](SourceSpec::with_timestamp_from).
    #[must_use]
    pub fn with_timestamp_extractor(mut self, extractor: TimestampExtractor<K, V>) -> Self {
        self.extractor = extractor;
        self
    }

    /// Takes the time of a record from what it says: milliseconds since 1970. A negative one drops the record and counts it.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// let builder = TopologyBuilder::new();
    /// // Readings say when they were taken.
    /// let taken = SourceSpec::topics(["readings"], String::default_serde(), i64::default_serde())
    ///     .with_timestamp_from(|reading| Timestamp::from_millis(*reading.value));
    /// let readings = builder.add_source("readings", taken);
    /// builder.add_sink("copies", SinkSpec::topic("copied", String::default_serde(), i64::default_serde()), &[&readings]);
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// driver.input_topic::<String, i64>("readings").pipe_at("roof", 1_700_000_000_000, 0)?;
    /// let copied = driver.output_topic::<String, i64>("copied").read_record()?;
    /// assert_eq!(copied.timestamp.millis(), 1_700_000_000_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_timestamp_from(
        self,
        extract: impl Fn(&ConsumedRecord<'_, K, V>) -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        self.with_timestamp_extractor(TimestampExtractor::Custom(Arc::new(move |record, _| Ok(extract(record)))))
    }
}

impl<K, V> fmt::Debug for SourceSpec<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSpec").field("topics", &self.topics).field("reset", &self.reset).finish_non_exhaustive()
    }
}

impl TopologyBuilder {
    /// Adds a source (`Topology#addSource`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// let builder = TopologyBuilder::new();
    /// builder.add_source("source", SourceSpec::topics(["lines"], <()>::default_serde(), String::default_serde()));
    /// assert!(builder.build()?.describe().contains("Source: source (topics: [lines])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_source<K: 'static, V: 'static>(&self, name: &str, source: SourceSpec<K, V>) -> NodeRef<K, V> {
        let SourceSpec { topics, key, value, reset, extractor } = source;
        self.need(topics == SourceTopics::Named(Vec::new()), "topics cannot be empty");
        if let SourceTopics::Pattern(pattern) = &topics
            && let Err(mistake) = naming::pattern(pattern)
        {
            self.draft.mistake(mistake);
        }
        let node = self.draft.add_node(NodeSpec::source(name, topics, reset));
        self.draft.add_source(
            node,
            Arc::new(move |wiring| {
                SourceNode::wire(wiring, node, Arc::clone(&key), Arc::clone(&value), extractor.clone())
            }),
        );
        NodeRef(Port::new(&self.draft, node))
    }
}
