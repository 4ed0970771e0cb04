//! Writing records, by librdkafka.
#![forbid(unsafe_code)]

mod answers;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use headwater_client::{Appended, BatchAck, ClientConfig, ClientError, ErrorClass, PartitionRef, Producer};
use headwater_record::{Clock, Deadline, Offset, Partition, RawRecord, Timestamp, Topic, TopicPartition};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer as _, ProducerContext};

use crate::clock::{SystemClock, remaining};
use crate::config::{create, for_librdkafka, log, millis, servers};
use crate::error::{About, of_code, of_kafka_error, unavailable};
use crate::native::{Event, Heard, Sender, TopicRef};
use answers::Answers;

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

/// What librdkafka is told for the beginning of time: to it, a timestamp of zero says that there is none.
const BEGINNING_OF_TIME: Timestamp = Timestamp::from_millis(1);

/// Nothing calls it back but the log: what became of records is asked for, see [`Sender::hear`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, part: &str, text: &str) {
        log(level, part, text);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// A partition that records go to.
#[derive(Debug)]
struct Place {
    partition: TopicPartition,
    topic: TopicRef,
}

/// [`Producer`] of a real cluster.
pub(crate) struct KafkaProducer {
    sender: Sender,
    servers: String,
    places: Vec<Place>,
    known: HashMap<TopicPartition, PartitionRef>,
    answers: Answers,
    retry_backoff: Duration,
    /// Whether it was said that a timestamp cannot be kept.
    told_of_zero: bool,
}

impl KafkaProducer {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let servers = servers(config)?.to_owned();
        let producer = create(for_librdkafka(config, &DEFAULTS, &FIXED), &Context)?;
        let sender = Sender::new(producer).ok_or(ClientError::Closed)?;
        let retry_backoff = millis(config, "retry.backoff.ms", 100)?;
        let (places, known, answers) = Default::default();
        Ok(KafkaProducer { sender, servers, places, known, answers, retry_backoff, told_of_zero: false })
    }

    /// Hears what has become of records; waits up to `wait` when nothing has been heard yet.
    fn hear(&mut self, wait: Duration) {
        let KafkaProducer { sender, servers, places, answers, .. } = self;
        sender.hear(wait, |heard| match heard {
            Heard::Stored { tag, offset } => answers.stored(PartitionRef::new(tag), offset),
            Heard::Refused { tag, code, record } => {
                // Records are sent to known partitions alone.
                let Some(Place { partition, .. }) = places.get(tag as usize) else { return };
                let error = KafkaError::MessageProduction(code);
                let error = of_kafka_error(&error, servers, About::Partition(partition, Offset::UNKNOWN));
                let record = RawRecord { offset: Offset::UNKNOWN, ..record };
                answers.refused(PartitionRef::new(tag), partition, error, record.to_owned());
            }
            Heard::Event(Event::Error(error, reason)) => tracing::debug!(%error, reason, "librdkafka"),
            Heard::Event(Event::Log(level, part, text)) => log(level, &part, &text),
            Heard::Event(Event::Other) => {}
        });
    }

    fn in_flight(&self) -> i32 {
        self.sender.producer().in_flight_count()
    }

    /// Tells what was heard.
    fn tell(&mut self, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.answers.tell(acks);
        match self.sender.producer().client().fatal_error() {
            Some((RDKafkaErrorCode::Fenced, reason)) => Err(ClientError::Fenced(reason)),
            Some((code, reason)) => {
                Err(ClientError::Broker { code: -1, message: format!("{code}: {reason}"), retriable: false })
            }
            None => Ok(()),
        }
    }

    /// Asks once how many partitions `topic` has.
    fn count_partitions(&self, topic: &Topic, limit: Duration) -> Result<Partition, ClientError> {
        let about = About::Topic(topic.as_str());
        let unknown = || ClientError::UnknownTopic { topic: topic.clone() };
        let metadata = self.sender.producer().client().fetch_metadata(Some(topic.as_str()), limit);
        let metadata = metadata.map_err(|error| match of_kafka_error(&error, &self.servers, about) {
            ClientError::TimedOut { .. } => unavailable(&self.servers, format!("no metadata of topic {topic} in time")),
            other => other,
        })?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str()).ok_or_else(unknown)?;
        match found.error() {
            None if !found.partitions().is_empty() => Ok(found.partitions().len() as Partition),
            Some(code) => Err(of_code(code as i16, about).unwrap_or_else(unknown)),
            None => Err(unknown()),
        }
    }

    fn time_of(&mut self, record: &RawRecord<'_>) -> i64 {
        if record.timestamp == Timestamp::ZERO {
            if !self.told_of_zero {
                self.told_of_zero = true;
                tracing::warn!(
                    "a record with timestamp 0 is written with timestamp 1: librdkafka takes 0 for none, and would write the \
                     time of writing; said once for each producer"
                );
            }
            return BEGINNING_OF_TIME.millis();
        }
        record.timestamp.millis()
    }
}

impl Producer for KafkaProducer {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        let place = TopicPartition::new(topic.clone(), partition);
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        let unknown = || ClientError::UnknownTopic { topic: topic.clone() };
        let handle = self.sender.topic(topic.as_str()).ok_or_else(unknown)?;
        let number = PartitionRef::new(self.places.len() as u32);
        self.places.push(Place { partition: place.clone(), topic: handle });
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
            let end = Deadline::after(SystemClock.now(), left.min(self.retry_backoff));
            while !remaining(end).is_zero() {
                self.hear(remaining(end));
            }
        }
    }

    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        let timestamp = self.time_of(&record);
        let Some(Place { partition, topic }) = self.places.get(to.index()) else {
            return Err(ClientError::Config(format!("{to:?} is no partition of this producer")));
        };
        match self.sender.send((*topic, partition.partition), &record, timestamp, to.index() as u32) {
            Ok(()) => Ok(Appended::Stored),
            Err(RDKafkaErrorCode::QueueFull) => Ok(Appended::Full),
            Err(code) => {
                let error = KafkaError::MessageProduction(code);
                Err(match of_kafka_error(&error, &self.servers, About::Topic(partition.topic.as_str())) {
                    ClientError::RecordTooLarge { topic, .. } => {
                        ClientError::RecordTooLarge { topic, bytes: record.payload_len() }
                    }
                    other => other,
                })
            }
        }
    }

    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.hear(Duration::ZERO);
        // What is not about records does not end the wait.
        while self.answers.is_empty() && self.in_flight() > 0 && !remaining(until).is_zero() {
            self.hear(remaining(until));
        }
        self.tell(acks)
    }

    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        loop {
            let left = remaining(until);
            crate::native::flush(self.sender.producer(), left.min(FLUSH_SLICE));
            self.hear(Duration::ZERO);
            if self.in_flight() == 0 {
                return self.tell(acks);
            }
            if left.is_zero() {
                self.tell(acks)?;
                return Err(ClientError::TimedOut { request: "flush of the producer".to_owned() });
            }
        }
    }
}

impl fmt::Debug for KafkaProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducer").field("servers", &self.servers).finish_non_exhaustive()
    }
}
