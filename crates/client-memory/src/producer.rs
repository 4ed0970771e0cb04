//! The producer: open batches per partition, sent when it is polled.
//!
//! A request to a cluster in this process costs nothing, so `linger.ms` is not waited for: a poll sends everything.
#![forbid(unsafe_code)]

mod patience;
mod send;
mod target;
mod transactional;
mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{Appended, BatchAck, ClientConfig, ClientError, Lease, PartitionRef, Producer, Transactional};
use headwater_record::{Deadline, Partition, RawRecord, Timestamp, Topic, TopicPartition};

use crate::batch::LogBatch;
use crate::client::{Client, number};
use crate::cluster::Shared;
use crate::fault::Api;
use crate::partition_log::ProducerId;
use crate::payload::PayloadBuilder;
use patience::Patience;
use target::Target;
use transactions::Transactions;

/// How full a batch gets unless `batch.size` says so, in bytes. It is above Kafka's 16 KiB, since no network waits for it.
const BATCH_SIZE: usize = 64 * 1024;
/// Kafka's default of `retry.backoff.ms`.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// Settings of a producer.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// `batch.size`, bytes.
    batch_size: usize,
    /// `buffer.memory`, bytes.
    buffer_memory: usize,
    /// `max.request.size`, bytes.
    max_request_size: usize,
    /// `delivery.timeout.ms`.
    delivery_timeout: Duration,
    /// `enable.idempotence`.
    idempotent: bool,
}

/// [`Producer`] of the in-process cluster.
#[derive(Debug)]
pub(crate) struct MemoryProducer {
    client: Client,
    settings: Settings,
    id: ProducerId,
    epoch: i16,
    targets: Vec<Target>,
    numbers: BTreeMap<TopicPartition, PartitionRef>,
    /// Numbers of the targets that have something to send.
    dirty: Vec<u32>,
    buffered: usize,
    /// Answers that are under way, and when they come.
    late: VecDeque<(Timestamp, BatchAck)>,
    lease: Option<Lease>,
    /// Why this producer is of no more use.
    fatal: Option<ClientError>,
    transactions: Option<Transactions>,
}

impl MemoryProducer {
    pub(crate) fn new(shared: Arc<Shared>, config: &ClientConfig) -> Result<Self, ClientError> {
        let settings = Settings {
            batch_size: number(config, "batch.size", BATCH_SIZE, 0)?,
            buffer_memory: number(config, "buffer.memory", 32 << 20, 0)?,
            max_request_size: number(config, "max.request.size", 1 << 20, 0)?,
            delivery_timeout: Duration::from_millis(number(config, "delivery.timeout.ms", 120_000, 0)? as u64),
            idempotent: config.value("enable.idempotence") != Some("false"),
        };
        let (id, protocol) = {
            let coordinator = &mut shared.lock().coordinator;
            (coordinator.ids.next(), coordinator.protocol)
        };
        let transactions = Transactions::of(config, protocol)?;
        Ok(MemoryProducer {
            client: Client::new(shared, config, "producer"),
            settings,
            id,
            epoch: 0,
            targets: Vec::new(),
            numbers: BTreeMap::new(),
            dirty: Vec::new(),
            buffered: 0,
            late: VecDeque::new(),
            lease: None,
            fatal: None,
            transactions,
        })
    }

    /// Sends every batch once and takes the answers that have come. What is to be sent again leaves its target dirty.
    fn exchange(&mut self, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let delay = self.client.shared.lock().faults.delay(&self.client.id);
        if delay.is_none() && self.late.is_empty() {
            return self.send(acks);
        }
        let mut sent = Vec::new();
        let usable = self.send(&mut sent);
        let now = self.client.shared.clock.now();
        let due = delay.map_or(now, |delay| delay.due());
        self.late.extend(sent.into_iter().map(|ack| (due, ack)));
        while self.late.front().is_some_and(|(due, _)| *due <= now) {
            acks.extend(self.late.pop_front().map(|(_, ack)| ack));
        }
        usable
    }

    /// Waits for the last answer that is under way, and takes them all.
    fn await_answers(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let delay = self.client.shared.lock().faults.delay(&self.client.id);
        if let (Some(delay), Some((due, _))) = (delay, self.late.back())
            && !delay.wait(*due, until)
        {
            return Err(ClientError::TimedOut { request: "flush".into() });
        }
        acks.extend(self.late.drain(..).map(|(_, ack)| ack));
        Ok(())
    }

    fn check_usable(&self) -> Result<(), ClientError> {
        self.fatal.clone().map_or(Ok(()), Err)
    }
}

impl Producer for MemoryProducer {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        let wanted = TopicPartition { topic: topic.clone(), partition };
        if let Some(number) = self.numbers.get(&wanted) {
            return Ok(*number);
        }
        let count = self.client.shared.lock().topic_for_client(topic)?.partition_count();
        if !(0..count).contains(&partition) {
            return Err(ClientError::UnknownTopic { topic: topic.clone() });
        }
        let number = PartitionRef::new(self.targets.len() as u32);
        self.targets.push(Target::new(wanted.clone(), self.epoch));
        self.numbers.insert(wanted, number);
        Ok(number)
    }

    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError> {
        self.client.request(Api::Metadata, until, |state, _| Ok(state.topic_for_client(topic)?.partition_count()))
    }

    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        if self.fatal.is_some() {
            self.check_usable()?;
        }
        if let Some(transactions) = self.transactions.as_ref().filter(|transactions| !transactions.is_open()) {
            transactions.check_open()?;
        }
        let Some(target) = self.targets.get_mut(to.index()) else {
            return Err(ClientError::Config(format!("partition number {} is not this producer's", to.index())));
        };
        let size = PayloadBuilder::size_of(&record);
        if size > self.settings.max_request_size.min(self.settings.buffer_memory) {
            return Err(ClientError::RecordTooLarge { topic: target.partition.topic.clone(), bytes: size });
        }
        if self.buffered + size > self.settings.buffer_memory {
            return Ok(Appended::Full);
        }
        let timestamp = if record.timestamp.is_known() { record.timestamp } else { self.client.shared.clock.now() };
        self.buffered += size;
        if target.push(&record, timestamp, size, self.settings.batch_size) {
            self.dirty.push(to.index() as u32);
        }
        Ok(Appended::Stored)
    }

    fn is_full(&self) -> bool {
        self.buffered > 0 && self.buffered >= self.settings.buffer_memory - self.settings.buffer_memory / 8
    }

    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.check_usable()?;
        let before = acks.len();
        let exchanged = self.exchange(acks);
        if acks.len() == before && !self.dirty.is_empty() && self.client.shared.blocks() {
            self.client.shared.pause(until, RETRY_BACKOFF);
            return self.exchange(acks);
        }
        exchanged
    }

    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.check_usable()?;
        let mut patience = Patience::default();
        loop {
            self.exchange(acks)?;
            if self.dirty.is_empty() {
                return self.await_answers(until, acks);
            }
            if !patience.again(&self.client, until) {
                return Err(ClientError::TimedOut { request: "flush".into() });
            }
        }
    }

    fn obey(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    fn abandon(&mut self) {
        let now = self.client.shared.clock.now();
        for number in std::mem::take(&mut self.dirty) {
            let to = PartitionRef::new(number);
            let Some(target) = self.targets.get_mut(to.index()) else { continue };
            target.seal();
            target.is_dirty = false;
            let was_sent = target.pending.iter().any(|batch| batch.sent.is_some());
            for batch in target.pending.drain(..) {
                self.buffered -= batch.size.min(self.buffered);
                let records = Box::new(LogBatch::unsent(target.partition.clone(), batch.payload));
                self.late.push_back((now, BatchAck::Failed { to, error: ClientError::Abandoned, records }));
            }
            if was_sent {
                // Whether it lies in the log is not known.
                self.epoch = self.epoch.wrapping_add(1).max(0);
                target.begin_anew(self.epoch);
            }
        }
    }

    fn transactional(&mut self) -> Option<&mut dyn Transactional> {
        self.transactions.is_some().then_some(self as &mut dyn Transactional)
    }
}
