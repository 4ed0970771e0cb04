//! Reading partitions, by librdkafka, in no group.
#![forbid(unsafe_code)]

mod batch;
mod held;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, Consumer, RecordBatch, StartAt, Watermarks};
use headwater_record::{Deadline, Offset, TopicPartition};
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};

use self::batch::KafkaBatch;
use self::held::Held;
use crate::clock::remaining;
use crate::config::{create, for_librdkafka, log, servers};
use crate::error::{About, of_kafka_error, of_rdkafka};
use crate::native::{Event, Events, Message, Queue};

const DEFAULTS: [(&str, &str); 7] = [
    // Never asked for membership, and the only group that the application is sure to be allowed.
    ("group.id", "headwater"),
    ("isolation.level", "read_uncommitted"),
    ("queued.min.messages", "100000"),
    ("queued.max.messages.kbytes", "65536"),
    ("fetch.queue.backoff.ms", "5"),
    ("allow.auto.create.topics", "false"),
    ("check.crcs", "true"),
];
const FIXED: [(&str, &str); 4] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    // The end of a partition is told, so that positions pass control and aborted records.
    // Batch consumption counts the end of a partition as a record: after a pause it would go on one offset too far.
    ("enable.partition.eof", "false"),
];

/// Nothing calls it back: what librdkafka says is asked for, see [`Events`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context;

impl ClientContext for Context {}

impl ConsumerContext for Context {}

/// [`Consumer`] of a real cluster.
pub(crate) struct KafkaConsumer {
    // Declared before the consumer: they belong to it.
    queue: Queue,
    events: Events,
    consumer: Arc<BaseConsumer<Context>>,
    /// What a broker's connection met last.
    trouble: Option<String>,
    /// All brokers were unreachable at last hearing.
    down: Option<String>,
    servers: String,
    /// Where the next batch of each assigned partition begins.
    positions: HashMap<TopicPartition, Option<Offset>>,
    /// Those of them whose beginning is not known yet.
    starting: Vec<(TopicPartition, StartAt)>,
    taken: Vec<Message>,
    held: Held,
    /// What went wrong and was not told yet: librdkafka says it once.
    failures: VecDeque<ClientError>,
}

impl KafkaConsumer {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let servers = servers(config)?.to_owned();
        let consumer: BaseConsumer<Context> = create(for_librdkafka(config, &DEFAULTS, &FIXED), &Context)?;
        let consumer = Arc::new(consumer);
        let queue = Queue::of(Arc::clone(&consumer)).ok_or(ClientError::Closed)?;
        let events = Events::of(Arc::clone(&consumer)).ok_or(ClientError::Closed)?;
        Ok(KafkaConsumer {
            queue,
            events,
            consumer,
            trouble: None,
            down: None,
            servers,
            positions: HashMap::new(),
            starting: Vec::new(),
            taken: Vec::new(),
            held: Held::default(),
            failures: VecDeque::new(),
        })
    }

    fn failed(&self, what: &str) -> impl Fn(KafkaError) -> ClientError {
        let (servers, what) = (self.servers.clone(), what.to_owned());
        move |error| of_kafka_error(&error, &servers, About::Request(&what))
    }

    fn start(&mut self, partition: &TopicPartition, at: StartAt) -> Result<(), ClientError> {
        let list = at_offsets(&[(partition.clone(), at)]).map_err(self.failed("assign"))?;
        self.consumer.incremental_assign(&list).map_err(self.failed("assign"))?;
        self.note_start(partition, at);
        Ok(())
    }

    fn note_start(&mut self, partition: &TopicPartition, at: StartAt) {
        let position = position_of(at);
        if position.is_none() {
            self.starting.push((partition.clone(), at));
        }
        self.positions.insert(partition.clone(), position);
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let mut ours = Vec::new();
        self.starting.retain(|(partition, _)| !partitions.contains(partition));
        // What went wrong before is nothing to whoever takes a partition again.
        self.failures.retain(|failure| {
            !matches!(failure, ClientError::OffsetOutOfRange { partition, .. } if partitions.contains(partition))
        });
        for partition in partitions {
            self.held.clear(partition);
            if self.positions.remove(partition).is_some() {
                ours.push(partition.clone());
            }
        }
        if ours.is_empty() {
            return Ok(());
        }
        self.consumer.incremental_unassign(&list_of(&ours)).map_err(self.failed("unassign"))
    }

    /// Sorts what was taken into batches by partition; errors that concern one partition or all end the poll.
    fn sort(&mut self, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        let mut groups: Vec<((usize, i32), Vec<Message>)> = Vec::new();
        for message in std::mem::take(&mut self.taken) {
            if message.error().is_some() {
                self.failures.extend(self.failure(&message));
                continue;
            }
            let place = message.place();
            match groups.iter_mut().rev().find(|(other, _)| *other == place) {
                Some((_, messages)) => messages.push(message),
                None => groups.push((place, vec![message])),
            }
        }
        for (_, messages) in groups {
            let (Some(first), Some(last)) = (messages.first(), messages.last()) else { continue };
            let partition = TopicPartition::new(first.topic().unwrap_or_default(), first.partition());
            let next = last.offset().next();
            // Messages of a partition that was given up meanwhile.
            if !self.positions.contains_key(&partition) {
                continue;
            }
            let batch = KafkaBatch { partition, messages: self.queue.batch(messages), next };
            if let Some(batch) = self.held.keep(batch) {
                self.hand_out(batch, into);
            }
        }
        let stop = self.held.overfull();
        if !stop.is_empty() {
            self.consumer.pause(&list_of(&stop)).map_err(self.failed("pause"))?;
        }
        self.failures.pop_front().map_or(Ok(()), Err)
    }

    fn hand_out(&mut self, batch: KafkaBatch, into: &mut Vec<Box<dyn RecordBatch>>) {
        self.positions.insert(batch.partition.clone(), Some(batch.next));
        into.push(Box::new(batch));
    }

    /// Hears what librdkafka has to say about the cluster as a whole.
    fn hear(&mut self) {
        while let Some(event) = self.events.next() {
            match event {
                // It says this once, and again only when a broker was reached meanwhile.
                Event::Error(RDKafkaErrorCode::AllBrokersDown, reason) => {
                    self.down = Some(self.trouble.clone().unwrap_or(reason));
                }
                Event::Error(error, reason) => {
                    tracing::debug!(%error, reason, "librdkafka");
                    self.trouble = Some(reason);
                }
                Event::Log(level, part, text) => log(level, &part, &text),
                Event::Other => {}
            }
        }
    }

    /// Where partitions begin that were asked for from their beginning or end, once the cluster has told.
    fn learn_starts(&mut self) {
        let (queue, positions) = (&self.queue, &mut self.positions);
        self.starting.retain(|(partition, at)| {
            let Some(position @ None) = positions.get_mut(partition) else { return false };
            let Some((low, high)) = queue.watermarks(partition) else { return true };
            *position = Some(if *at == StartAt::End { high } else { low });
            false
        });
    }

    fn failure(&self, message: &Message) -> Option<ClientError> {
        let code = message.error()?;
        let Some(topic) = message.topic() else {
            return Some(of_rdkafka(code, &self.servers, About::Request("Fetch")));
        };
        let partition = TopicPartition::new(topic, message.partition());
        let position = self.positions.get(&partition)?;
        let error = of_rdkafka(code, &self.servers, About::Partition(&partition, position.unwrap_or(Offset::UNKNOWN)));
        let offset_is_gone = matches!(error, ClientError::OffsetOutOfRange { .. } | ClientError::UnknownTopic { .. });
        if offset_is_gone {
            // Nothing more comes until a seek.
            tracing::warn!(%partition, %error, reason = message.reason(), "a partition cannot be read on");
        }
        Some(error)
    }
}

fn position_of(at: StartAt) -> Option<Offset> {
    match at {
        StartAt::Offset(offset) => Some(offset),
        StartAt::Beginning | StartAt::End => None,
    }
}

fn at_offsets(partitions: &[(TopicPartition, StartAt)]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (partition, at) in partitions {
        let at = match at {
            StartAt::Offset(offset) => At::Offset(offset.value()),
            StartAt::Beginning => At::Beginning,
            StartAt::End => At::End,
        };
        list.add_partition_offset(partition.topic.as_str(), partition.partition, at)?;
    }
    Ok(list)
}

fn list_of(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(partition.topic.as_str(), partition.partition);
    }
    list
}

impl Consumer for KafkaConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        if let Some((partition, _)) = partitions.iter().find(|(partition, _)| self.positions.contains_key(partition)) {
            return Err(ClientError::Config(format!("partition {partition} is assigned already")));
        }
        if partitions.is_empty() {
            return Ok(());
        }
        let list = at_offsets(partitions).map_err(self.failed("assign"))?;
        self.consumer.incremental_assign(&list).map_err(self.failed("assign"))?;
        for (partition, at) in partitions {
            self.note_start(partition, *at);
        }
        Ok(())
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let ours: Vec<TopicPartition> =
            partitions.iter().filter(|partition| self.positions.contains_key(partition)).cloned().collect();
        if !ours.is_empty() {
            // librdkafka remembers a pause beyond the assignment; the next one begins unpaused.
            self.resume(&ours)?;
        }
        self.give_up(&ours)
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        if !self.positions.contains_key(partition) {
            return Err(ClientError::Config(format!("partition {partition} is not assigned")));
        }
        // librdkafka refuses to seek where nothing was fetched yet; giving a partition up and taking it again always works. A
        // pause stays.
        self.give_up(std::slice::from_ref(partition))?;
        self.start(partition, to)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions.iter().filter(|partition| self.positions.contains_key(partition)) {
            self.held.pause(partition);
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let stopped: Vec<TopicPartition> =
            partitions.iter().filter(|partition| self.held.resume(partition)).cloned().collect();
        if stopped.is_empty() {
            return Ok(());
        }
        self.consumer.resume(&list_of(&stopped)).map_err(self.failed("resume"))
    }

    fn poll(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        let wait = if until == Deadline::NOW { Duration::ZERO } else { remaining(until) };
        if let Some(failure) = self.failures.pop_front() {
            return Err(failure);
        }
        for batch in self.held.take() {
            self.hand_out(batch, into);
        }
        // Where records have come already, and where all partitions are paused: what is not wanted now stays with librdkafka.
        let wait = if into.is_empty() { wait } else { Duration::ZERO };
        let paused = self.held.paused();
        if wait.is_zero() && paused > 0 && paused == self.positions.len() {
            return Ok(());
        }
        let mut taken = std::mem::take(&mut self.taken);
        self.queue.take(wait, &mut taken);
        self.taken = taken;
        self.hear();
        if !self.taken.is_empty() {
            self.down = None;
            return self.sort(into);
        }
        self.learn_starts();
        match self.down.take() {
            Some(reason) => Err(crate::error::unavailable(&self.servers, reason)),
            None => Ok(()),
        }
    }

    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        let known = (*self.positions.get(partition)?)?;
        // Of what is held back librdkafka thinks that it was read.
        if self.held.has(partition) || self.queue.watermarks(partition).is_none_or(|(_, high)| known >= high) {
            return Some(known);
        }
        // Control and aborted records are passed without being shown: librdkafka knows that it is past them.
        let passed = self.consumer.position().ok().and_then(|positions| {
            let found = positions.find_partition(partition.topic.as_str(), partition.partition)?;
            found.offset().to_raw().filter(|offset| *offset >= 0).map(Offset::new)
        });
        Some(passed.map_or(known, |passed| passed.max(known)))
    }

    fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        let (low, high) = self.queue.watermarks(partition)?;
        Some(Watermarks { low, high })
    }
}

impl fmt::Debug for KafkaConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConsumer")
            .field("servers", &self.servers)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}
