//! Where bytes become types.

use std::fmt;
use std::sync::Arc;

use headwater_record::{Offset, Partition, RawRecord, Record, SerdeError, SharedSerde, Timestamp, Topic};

use crate::caught::caught;
use crate::{
    DropReason, FailureKind, Half, NodeId, NullError, Outlet, ProcessError, RawInlet, Stream, TaskContext, Wiring,
    WiringError,
};

/// A record as a [`TimestampExtractor`] sees it (Java's `ConsumerRecord`).
#[derive(Debug)]
pub struct ConsumedRecord<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// The value.
    pub value: &'a V,
    /// The timestamp that the record has in Kafka.
    pub timestamp: Timestamp,
    /// Its topic.
    pub topic: &'a Topic,
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
}

/// The user's own extractor: the record, and the greatest timestamp taken from its partition so far (-1 at first).
pub type ExtractTimestamp<K, V> =
    Arc<dyn Fn(&ConsumedRecord<'_, K, V>, Timestamp) -> Result<Timestamp, ProcessError> + Send + Sync>;

/// From where a record has its event time.
pub enum TimestampExtractor<K, V> {
    /// The record's own timestamp; a negative one fails the task (`FailOnInvalidTimestamp`, the default).
    FailOnInvalid,
    /// The record's own timestamp; with a negative one it is dropped and counted (`LogAndSkipOnInvalidTimestamp`).
    LogAndSkip,
    /// The record's own timestamp, or when that is negative the partition's time (`UsePartitionTimeOnInvalidTimestamp`).
    UsePartitionTime,
    /// The wall clock (`WallclockTimestampExtractor`).
    WallClock,
    /// The user's own: `Custom(Arc::new(|record, partition_time| Ok(..)))`. A negative answer drops the record and counts it.
    Custom(ExtractTimestamp<K, V>),
}

impl<K: 'static, V: 'static> TimestampExtractor<K, V> {
    /// The same for the rows of a table, of which some are deleted. A deletion has no value that a function could look at: its
    /// time is that of the record.
    #[must_use]
    pub fn of_rows(self) -> TimestampExtractor<K, Option<V>> {
        match self {
            TimestampExtractor::FailOnInvalid => TimestampExtractor::FailOnInvalid,
            TimestampExtractor::LogAndSkip => TimestampExtractor::LogAndSkip,
            TimestampExtractor::UsePartitionTime => TimestampExtractor::UsePartitionTime,
            TimestampExtractor::WallClock => TimestampExtractor::WallClock,
            TimestampExtractor::Custom(extract) => {
                TimestampExtractor::Custom(Arc::new(move |record, partition_time| {
                    let ConsumedRecord { key, value, timestamp, topic, partition, offset } = *record;
                    let Some(value) = value else { return Ok(timestamp) };
                    extract(&ConsumedRecord { key, value, timestamp, topic, partition, offset }, partition_time)
                }))
            }
        }
    }
}

impl<K, V> Clone for TimestampExtractor<K, V> {
    fn clone(&self) -> Self {
        match self {
            TimestampExtractor::FailOnInvalid => TimestampExtractor::FailOnInvalid,
            TimestampExtractor::LogAndSkip => TimestampExtractor::LogAndSkip,
            TimestampExtractor::UsePartitionTime => TimestampExtractor::UsePartitionTime,
            TimestampExtractor::WallClock => TimestampExtractor::WallClock,
            TimestampExtractor::Custom(extract) => TimestampExtractor::Custom(Arc::clone(extract)),
        }
    }
}

impl<K, V> fmt::Debug for TimestampExtractor<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimestampExtractor::FailOnInvalid => "FailOnInvalidTimestamp",
            TimestampExtractor::LogAndSkip => "LogAndSkipOnInvalidTimestamp",
            TimestampExtractor::UsePartitionTime => "UsePartitionTimeOnInvalidTimestamp",
            TimestampExtractor::WallClock => "WallclockTimestampExtractor",
            TimestampExtractor::Custom(_) => "Custom",
        })
    }
}

/// What was decoded of the record that lies there.
struct Head<K, V> {
    topic: Option<Topic>,
    partition: Partition,
    offset: Offset,
    decoded: (K, V),
}

/// Decodes records and hands them to the source's children.
pub struct SourceNode<K: 'static, V: 'static> {
    name: Arc<str>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    extractor: TimestampExtractor<K, V>,
    // Decoded when its time was asked for, until it is pushed: one for each partition that has a record at the head of its queue.
    heads: Vec<Head<K, V>>,
    out: Outlet<Stream<K, V>>,
}

impl<K: 'static, V: 'static> SourceNode<K, V> {
    /// The source `node`.
    ///
    /// # Errors
    /// Those of the children.
    pub fn wire(
        wiring: &mut Wiring<'_>,
        node: NodeId,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
        extractor: TimestampExtractor<K, V>,
    ) -> Result<Box<dyn RawInlet>, WiringError> {
        let name = wiring.name(node);
        let out = wiring.outlet(node)?;
        Ok(Box::new(SourceNode { name, key, value, extractor, heads: Vec::new(), out }))
    }

    /// `None` when a handler let the record go.
    fn decode(&self, cx: &mut TaskContext<'_>, raw: RawRecord<'_>) -> Result<Option<(K, V)>, ProcessError> {
        let topic = cx.input().0.map_or("", Topic::as_str);
        let undecoded = |half| {
            move |error| match error {
                SerdeError::Null { type_name } => ProcessError::user(NullError { half, type_name }),
                error => ProcessError::Serde(error),
            }
        };
        let decoded = caught(|| {
            let key = self.key.deserialize(topic, raw.key).map_err(undecoded(Half::Key))?;
            Ok((key, self.value.deserialize(topic, raw.value).map_err(undecoded(Half::Value))?))
        });
        match decoded {
            Ok(decoded) => Ok(Some(decoded)),
            Err(ProcessError::Serde(error)) => {
                cx.deserialization_failed(&self.name, raw, Box::new(error)).map(|()| None)
            }
            Err(error) => cx.deserialization_failed(&self.name, raw, error.into_source()).map(|()| None),
        }
    }

    /// The record's time. A negative one is none.
    fn extract(
        &self,
        cx: &TaskContext<'_>,
        raw: RawRecord<'_>,
        (key, value): &(K, V),
        partition_time: Timestamp,
    ) -> Result<Timestamp, ProcessError> {
        match &self.extractor {
            TimestampExtractor::FailOnInvalid if !raw.timestamp.is_known() => {
                Err(self.invalid(cx, raw.timestamp, "Possibly because a pre-0.10 producer client was used to write this record to Kafka without embedding a timestamp, or because the input topic was created before upgrading the Kafka cluster to 0.10+."))
            }
            TimestampExtractor::UsePartitionTime if !raw.timestamp.is_known() => {
                if !partition_time.is_known() {
                    let what = "The partition's time is not known either, so no timestamp can be inferred.";
                    return Err(self.invalid(cx, raw.timestamp, what));
                }
                Ok(partition_time)
            }
            TimestampExtractor::WallClock => Ok(cx.now()),
            TimestampExtractor::Custom(extract) => {
                let (topic, partition, offset) = cx.input();
                let unknown = Topic::from("");
                let topic = topic.unwrap_or(&unknown);
                let record = ConsumedRecord { key, value, timestamp: raw.timestamp, topic, partition, offset };
                caught(|| extract(&record, partition_time)).map_err(|error| {
                    let message = "Fatal user code error in TimestampExtractor callback for record";
                    ProcessError::failed(FailureKind::Deserialization, message, Some(error.into_source()))
                })
            }
            _ => Ok(raw.timestamp),
        }
    }

    /// What was decoded of the record at this place when its time was asked for.
    #[inline]
    fn take_head(&mut self, (topic, partition, offset): (Option<&Topic>, Partition, Offset)) -> Option<(K, V)> {
        let at = self
            .heads
            .iter()
            .position(|head| head.offset == offset && head.partition == partition && head.topic.as_ref() == topic)?;
        Some(self.heads.swap_remove(at).decoded)
    }

    fn invalid(&self, cx: &TaskContext<'_>, timestamp: Timestamp, what: &str) -> ProcessError {
        let (topic, partition, offset) = cx.input();
        let topic = topic.map_or("null", Topic::as_str);
        ProcessError::failed(
            FailureKind::Deserialization,
            format!(
                "Input record at {topic}-{partition} offset {offset} has invalid (negative) timestamp {timestamp} at source {}. {what} Use a different timestamp extractor to process this data.",
                self.name
            ),
            None,
        )
    }
}

impl<K: 'static, V: 'static> RawInlet for SourceNode<K, V> {
    fn timestamp(
        &mut self,
        cx: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        partition_time: Timestamp,
    ) -> Result<Option<Timestamp>, ProcessError> {
        let Some(decoded) = self.decode(cx, raw)? else { return Ok(None) };
        let timestamp = self.extract(cx, raw, &decoded, partition_time)?;
        if !timestamp.is_known() {
            cx.drop_record(DropReason::NoTimestamp);
            return Ok(None);
        }
        let (topic, partition, offset) = cx.input();
        self.heads.push(Head { topic: topic.cloned(), partition, offset, decoded });
        Ok(Some(timestamp))
    }

    fn push_raw(
        &mut self,
        cx: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        timestamp: Timestamp,
    ) -> Result<(), ProcessError> {
        let decoded = match self.take_head(cx.input()) {
            Some(decoded) => Some(decoded),
            None => self.decode(cx, raw)?,
        };
        let Some((key, value)) = decoded else { return Ok(()) };
        cx.advance_stream_time(timestamp);
        let headers = cx.input_headers().clone();
        self.out.push(cx, Record::new(&key, &value, timestamp, &headers))
    }
}

impl<K: 'static, V: 'static> fmt::Debug for SourceNode<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceNode").field("name", &self.name).finish_non_exhaustive()
    }
}
