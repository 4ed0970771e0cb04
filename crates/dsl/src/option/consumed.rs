//! How a topic is read.

use std::sync::Arc;

use headwater_record::Timestamp;
use headwater_topology::node::OffsetReset;
use headwater_topology::node::source::{ConsumedRecord, TimestampExtractor};

use super::serde_options;
use crate::serdes::Serdes;

/// How a topic is read (Java's `Consumed`): serdes, where to begin, whence a record has its time, the source's name.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use headwater::dsl::{Consumed, StreamsBuilder};
/// use headwater::processor::node::OffsetReset;
/// use headwater::processor::node::source::TimestampExtractor;
/// let consumed = Consumed::<String, i64>::named("sales-source")
///     .with_offset_reset(OffsetReset::Earliest)
///     .with_timestamp_extractor(TimestampExtractor::UsePartitionTime);
/// let builder = StreamsBuilder::new();
/// builder.stream_with("sales", consumed).to("copies");
/// assert!(builder.build()?.describe().contains("Source: sales-source (topics: [sales])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Consumed<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) name: Option<String>,
    pub(crate) reset: Option<OffsetReset>,
    pub(crate) extractor: TimestampExtractor<K, V>,
}

serde_options!(Consumed);

impl<K, V> Consumed<K, V> {
    /// As configured (Java's overload without `Consumed`).
    pub fn inherited() -> Self {
        Consumed { serdes: Serdes::none(), name: None, reset: None, extractor: TimestampExtractor::FailOnInvalid }
    }

    /// Where to begin when nothing was committed yet, instead of what `auto.offset.reset` says
    /// (`Consumed#withOffsetResetPolicy`).
    #[must_use]
    pub fn with_offset_reset(mut self, reset: OffsetReset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Whence a record has its time, which is milliseconds since 1970 (`Consumed#withTimestampExtractor`). A closure is handed to
    /// [`with_timestamp_from`](Consumed::with_timestamp_from).
    #[must_use]
    pub fn with_timestamp_extractor(mut self, extractor: TimestampExtractor<K, V>) -> Self {
        self.extractor = extractor;
        self
    }
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// Takes the time of a record from what it says: milliseconds since 1970. A negative one drops the record and counts it. A table
    /// asks for the rows that there are; a deletion has the time of its record.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let builder = StreamsBuilder::new();
    /// // Readings say when they were taken: "21.5@1700000000000".
    /// let taken = Consumed::<String, String>::by_type().with_timestamp_from(|record| {
    ///     let time = record.value.split_once('@').and_then(|(_, time)| time.parse().ok());
    ///     time.map_or(record.timestamp, Timestamp::from_millis)
    /// });
    /// builder.stream_with("readings", taken).to("copied");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn with_timestamp_from(
        self,
        extract: impl Fn(&ConsumedRecord<'_, K, V>) -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        self.with_timestamp_extractor(TimestampExtractor::Custom(Arc::new(move |record, _| Ok(extract(record)))))
    }

    /// With all serdes that can be known: a source inherits none.
    pub(crate) fn resolved(mut self) -> Self {
        self.serdes = self.serdes.or(&Serdes::none());
        self
    }

    /// For the rows of a table: a null deletes one, whatever the type of its values.
    pub(crate) fn of_rows(self) -> Consumed<K, Option<V>> {
        let Consumed { serdes, name, reset, extractor } = self;
        Consumed { serdes: serdes.optional(), name, reset, extractor: extractor.of_rows() }
    }
}
