//! Writing records, by librdkafka.
#![forbid(unsafe_code)]

mod answers;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_client::{Appended, BatchAck, ClientConfig, ClientError, ErrorClass, PartitionRef, Producer};
use headwater_record::{Clock, Deadline, Offset, OwnedRecord, Partition, RawRecord, Timestamp, Topic, TopicPartition};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use crate::clock::{SystemClock, remaining};
use crate::config::{create, for_librdkafka, log, millis, servers};
use crate::error::{About, of_code, of_kafka_error, unavailable};
use answers::{Delivered, fold};

const DEFAULTS: [(&str, &str); 7] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("linger.ms", "100"),
    ("delivery.timeout.ms", "120000"),
    ("message.max.bytes", "1048576"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "65536"),
];
const FIXED: [(&str, &str); 1] = [("delivery.report.only.error", "false")];
/// A flush looks for answers this often.
const FLUSH_SLICE: Duration = Duration::from_millis(5);
/// How long the question for a topic's partitions may take each time it is asked.
const METADATA_SLICE: Duration = Duration::from_secs(5);
/// The longest that an answer which has come waits to be seen.
const POLL_SLICE: Duration = Duration::from_millis(2);

/// What librdkafka is told for the beginning of time: to it, a timestamp of zero says that there is none.
const BEGINNING_OF_TIME: Timestamp = Timestamp::from_millis(1);

/// Collects delivery reports; they are called in the thread that polls.
#[derive(Clone, Default)]
pub(crate) struct Context {
    delivered: Arc<Mutex<Vec<Delivered>>>,
    servers: Arc<str>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, part: &str, text: &str) {
        log(level, part, text);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let to = PartitionRef::new(opaque as u32);
        let outcome = match result {
            Ok(message) => Ok(Offset::new(message.offset())),
            Err((error, message)) => {
                let partition = TopicPartition::new(message.topic(), message.partition());
                let error = of_kafka_error(error, &self.servers, About::Partition(&partition, Offset::UNKNOWN));
                let headers = message.headers().map(|headers| {
                    let header = |header: Header<'_, &[u8]>| headwater_record::Header {
                        name: header.key.into(),
                        value: header.value.map(bytes::Bytes::copy_from_slice),
                    };
                    headers.iter().map(header).collect()
                });
                let record = OwnedRecord {
                    offset: Offset::UNKNOWN,
                    timestamp: message.timestamp().to_millis().unwrap_or(-1).into(),
                    key: message.key().map(bytes::Bytes::copy_from_slice),
                    value: message.payload().map(bytes::Bytes::copy_from_slice),
                    headers: headers.unwrap_or_default(),
                };
                Err((error, record))
            }
        };
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(Delivered { to, outcome });
    }
}

/// [`Producer`] of a real cluster.
pub(crate) struct KafkaProducer {
    producer: BaseProducer<Context>,
    context: Context,
    partitions: Vec<TopicPartition>,
    known: HashMap<TopicPartition, PartitionRef>,
    retry_backoff: Duration,
    /// Whether it was said that a timestamp cannot be kept.
    told_of_zero: bool,
}

impl KafkaProducer {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let context = Context { delivered: Arc::default(), servers: servers(config)?.into() };
        let producer = create(for_librdkafka(config, &DEFAULTS, &FIXED), &context)?;
        let retry_backoff = millis(config, "retry.backoff.ms", 100)?;
        let (partitions, known) = Default::default();
        Ok(KafkaProducer { producer, context, partitions, known, retry_backoff, told_of_zero: false })
    }

    /// Folds what was delivered into runs.
    fn collect(&self, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let delivered = std::mem::take(&mut *self.context.delivered.lock().unwrap_or_else(PoisonError::into_inner));
        fold(delivered, &self.partitions, acks);
        match self.producer.client().fatal_error() {
            Some((RDKafkaErrorCode::Fenced, reason)) => Err(ClientError::Fenced(reason)),
            Some((code, reason)) => {
                Err(ClientError::Broker { code: -1, message: format!("{code}: {reason}"), retriable: false })
            }
            None => Ok(()),
        }
    }

    /// Hears all delivery reports that have come.
    fn take_reports(&self) {
        let heard = || self.context.delivered.lock().unwrap_or_else(PoisonError::into_inner).len();
        loop {
            let before = heard();
            self.producer.poll(Duration::ZERO);
            if heard() == before {
                return;
            }
        }
    }

    /// Asks once how many partitions `topic` has.
    fn count_partitions(&self, topic: &Topic, limit: Duration) -> Result<Partition, ClientError> {
        let about = About::Topic(topic.as_str());
        let unknown = || ClientError::UnknownTopic { topic: topic.clone() };
        let metadata = self.producer.client().fetch_metadata(Some(topic.as_str()), limit);
        let metadata = metadata.map_err(|error| match of_kafka_error(&error, &self.context.servers, about) {
            ClientError::TimedOut { .. } => {
                unavailable(&self.context.servers, format!("no metadata of topic {topic} in time"))
            }
            other => other,
        })?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str()).ok_or_else(unknown)?;
        match found.error() {
            None if !found.partitions().is_empty() => Ok(found.partitions().len() as Partition),
            Some(code) => Err(of_code(code as i16, about).unwrap_or_else(unknown)),
            None => Err(unknown()),
        }
    }

    fn time_of(&mut self, record: &RawRecord<'_>) -> Option<i64> {
        if record.timestamp == Timestamp::ZERO {
            if !self.told_of_zero {
                self.told_of_zero = true;
                tracing::warn!(
                    "a record with timestamp 0 is written with timestamp 1: librdkafka takes 0 for none, and would write the \
                     time of writing; said once for each producer"
                );
            }
            return Some(BEGINNING_OF_TIME.millis());
        }
        record.timestamp.is_known().then(|| record.timestamp.millis())
    }
}

impl Producer for KafkaProducer {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        let place = TopicPartition::new(topic.clone(), partition);
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let number = PartitionRef::new(self.partitions.len() as u32);
        self.partitions.push(place.clone());
        self.known.insert(place, number);
        Ok(number)
    }

    /// A topic that is not there may just have been made: it is asked for until `until`, as Java's producer does.
    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError> {
        let mut answer = None;
        loop {
            let error = match self.count_partitions(topic, remaining(until).min(METADATA_SLICE)) {
                Ok(count) => return Ok(count),
                Err(error) => error,
            };
            let may_come = matches!(error, ClientError::UnknownTopic { .. }) || error.class() == ErrorClass::Retriable;
            let left = remaining(until);
            if !may_come || left.is_zero() {
                // What the cluster said says more than that the time was too short to ask once more.
                return Err(answer.filter(|_| matches!(error, ClientError::Unavailable { .. })).unwrap_or(error));
            }
            tracing::debug!(%error, %topic, "the number of partitions is asked for again");
            if !matches!(error, ClientError::Unavailable { .. }) {
                answer = Some(error);
            }
            // It stays until the pause is over, and hears delivery reports meanwhile.
            self.producer.poll(left.min(self.retry_backoff));
        }
    }

    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        let timestamp = self.time_of(&record);
        let Some(place) = self.partitions.get(to.index()) else {
            return Err(ClientError::Config(format!("{to:?} is no partition of this producer")));
        };
        let mut message: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(place.topic.as_str(), to.index()).partition(place.partition);
        message.key = record.key;
        message.payload = record.value;
        message.timestamp = timestamp;
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            let insert = |headers: OwnedHeaders, header: headwater_record::HeaderView<'_>| {
                headers.insert(Header { key: header.name, value: header.value })
            };
            message.headers = Some(record.headers.iter().fold(headers, insert));
        }
        match self.producer.send(message) {
            Ok(()) => Ok(Appended::Stored),
            Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => Ok(Appended::Full),
            Err((error, _)) => {
                Err(match of_kafka_error(&error, &self.context.servers, About::Topic(place.topic.as_str())) {
                    ClientError::RecordTooLarge { topic, .. } => {
                        ClientError::RecordTooLarge { topic, bytes: record.payload_len() }
                    }
                    other => other,
                })
            }
        }
    }

    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let idle = self.context.delivered.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let wait = if until == Deadline::NOW || !idle || self.producer.in_flight_count() == 0 {
            Duration::ZERO
        } else {
            remaining(until)
        };
        // `BaseProducer::poll` stays until its time is over, whatever comes: so it is given little at a time.
        let end = Deadline::after(SystemClock.now(), wait);
        loop {
            let left = remaining(end);
            self.producer.poll(left.min(POLL_SLICE));
            let idle = self.context.delivered.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            if !idle || left.is_zero() {
                return self.collect(acks);
            }
        }
    }

    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        loop {
            let left = remaining(until);
            crate::native::flush(&self.producer, left.min(FLUSH_SLICE));
            self.take_reports();
            if self.producer.in_flight_count() == 0 {
                return self.collect(acks);
            }
            if left.is_zero() {
                self.collect(acks)?;
                return Err(ClientError::TimedOut { request: "flush of the producer".to_owned() });
            }
        }
    }
}

impl fmt::Debug for KafkaProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducer").field("servers", &self.context.servers).finish_non_exhaustive()
    }
}
