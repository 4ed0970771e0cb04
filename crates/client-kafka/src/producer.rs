//! Writing records, in Kafka's own protocol.
//!
//! It has two sides. The caller's thread encodes each record into the open batch of its partition, closes batches that are full, have
//! waited for `linger.ms` or, where that is not set, find their broker free ([`gathering`]), and hands them over, one message for each
//! batch. A task on the thread of the connections ([`sender`]) sends them to the leaders of their partitions and says what became of
//! them.
//!
//! **Order, and each record once.** Batches of a partition are closed, sent and told of in the order of their records. Each is numbered:
//! by the producer's id, an epoch, and the sequence of its first record. A leader stores a batch only when its sequence follows what it
//! has of this producer, and answers one that it has already (of the last five) with where it lies; hence at most five are under way for
//! each partition. So whatever happens to an answer, the batch is sent again as it was, until it is known to be stored or
//! `delivery.timeout.ms` has passed since its first record (a request that is under way then is awaited). What that means in each
//! case is decided in [`sequences`], and only there; it keeps this for the producer's life, since a producer that comes after it has
//! another id. Without `enable.idempotence` there are no numbers, and a batch that is sent again may be there twice.
//!
//! **Transactions.** With a `transactional.id` the producer's id and epoch come from a coordinator, and batches are written between
//! [`Transactional::begin`] and its end alone. Where a transaction stands is decided in [`transaction`], which knows neither sockets
//! nor clocks; [`transactional`] asks the coordinators on the caller's thread, and what the sender has to do with them is in
//! `sender/participants`. A batch that is given up ends its transaction: within one no epoch is begun for a single partition.
#![forbid(unsafe_code)]

mod answers;
mod closing;
mod gathering;
mod identity;
mod inquiry;
mod memory;
mod request;
mod sealed;
mod sender;
mod sequences;
mod settings;
mod transaction;
mod transactional;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use headwater_client::{
    Appended, BatchAck, ClientConfig, ClientError, ErrorClass, GroupError, Lease, PartitionRef, Producer,
    RecordBatch as _, Transactional,
};
use headwater_record::{Clock, Deadline, Partition, RawRecord, Timestamp, Topic, TopicPartition};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

use self::closing::is_open;
use self::gathering::Gathering;
use self::memory::Memory;
use self::sender::{Event, Heard, Sender};
use self::sequences::Batch as _;
use self::settings::{FOLLOWED, Settings};
use self::transactional::Transactions;
use crate::batch::Builder;
use crate::clock::{SystemClock, remaining};
use crate::config::{Servers, others};
use crate::error::{About, of_code};
use crate::io::Io;
use crate::metadata::Brokers;

/// The most that a batch adds to the keys, values and headers of one record, and to each header.
const AROUND_A_RECORD: usize = 61 + 36;
const AROUND_A_HEADER: usize = 10;
/// What a question for partitions may take beyond its deadline: it ends by itself.
const GRACE: Duration = Duration::from_secs(1);

/// A partition that records go to.
#[derive(Debug)]
struct Place {
    partition: TopicPartition,
    /// Never empty.
    open: Option<Builder>,
    /// When its first record came.
    began: Timestamp,
    /// How many bytes the last one had.
    last: usize,
    /// Why nobody leads it, where the cluster says that.
    leaderless: Option<ClientError>,
}

/// [`Producer`] of a real cluster.
pub(crate) struct KafkaProducer {
    io: Io,
    cluster: Arc<Brokers>,
    settings: Settings,
    places: Vec<Place>,
    known: HashMap<TopicPartition, PartitionRef>,
    /// Batches in the order in which they were opened; some are closed already.
    opened: VecDeque<(Timestamp, usize)>,
    /// What is under way, and to whom.
    gathering: Gathering,
    memory: Memory,
    /// There was no room.
    pressed: bool,
    sender: UnboundedSender<Event>,
    hears: Receiver<Heard>,
    trouble: Option<ClientError>,
    lease: Option<Lease>,
    /// Whether batches wait for the lease.
    held_back: bool,
    /// Where records are written in transactions.
    transactions: Option<Transactions>,
    /// Nothing is left of the transaction that is being aborted.
    quiet: bool,
    counts: HashMap<Topic, (Partition, Timestamp)>,
}

impl KafkaProducer {
    /// Whether one can be made with these settings.
    pub(crate) fn check_settings(config: &ClientConfig) -> Result<(), ClientError> {
        Settings::of(config).map(drop)
    }

    /// Those on which it does not act.
    pub(crate) fn unused_settings(config: &ClientConfig) -> Vec<(String, Option<&'static str>)> {
        others(config, &FOLLOWED)
    }

    pub(crate) fn new(io: Io, config: &ClientConfig) -> Result<Self, ClientError> {
        let settings = Settings::of(config)?;
        let cluster = Arc::new(Brokers::new(Servers::of(config, "headwater-producer")?));
        let transactions = Transactions::of(&settings, &io, &cluster);
        let coordinators = transactions.as_ref().map(|transactions| Arc::clone(&transactions.coordinators));
        let (task, sender, hears) = Sender::new(settings.clone(), Arc::clone(&cluster), coordinators);
        io.handle()?.spawn(task.run());
        Ok(KafkaProducer {
            io,
            cluster,
            memory: Memory::new(settings.buffer_memory, settings.batch_size),
            settings,
            places: Vec::new(),
            known: HashMap::new(),
            opened: VecDeque::new(),
            gathering: Gathering::default(),
            pressed: false,
            sender,
            hears,
            trouble: None,
            lease: None,
            held_back: false,
            transactions,
            quiet: true,
            counts: HashMap::new(),
        })
    }

    /// Begins a batch with `record`, and closes the one that has no room for it.
    #[cold]
    fn append_to_new(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        let Some(place) = self.places.get(to.index()) else {
            return Err(ClientError::Config(format!("{to:?} is no partition of this producer")));
        };
        if let Some(fenced @ ClientError::Fenced(_)) = &self.trouble {
            return Err(fenced.clone());
        }
        if let Some(transactions) = &self.transactions {
            transactions.stands.writable()?;
        }
        let size = AROUND_A_RECORD + record.payload_len() + AROUND_A_HEADER * record.headers.len();
        if size > self.settings.max_request_size.min(self.settings.buffer_memory) {
            let topic = place.partition.topic.clone();
            return Err(ClientError::RecordTooLarge { topic, bytes: record.payload_len() });
        }
        if self.memory.is_full() {
            self.pressed = true;
            return Ok(Appended::Full);
        }
        self.close(to.index())?;
        let now = SystemClock.now();
        let Some(place) = self.places.get_mut(to.index()) else { return Err(ClientError::Closed) };
        let mut open = Builder::new(self.memory.take(place.last), self.settings.batch_size);
        open.append(&record, if record.timestamp.is_known() { record.timestamp.millis() } else { now.millis() });
        self.memory.used += open.len();
        (place.open, place.began) = (Some(open), now);
        if self.opened.len() > 64 + 4 * self.places.len() {
            let places = &self.places;
            self.opened.retain(|(began, index)| is_open(places, *index, *began));
        }
        self.opened.push_back((now, to.index()));
        Ok(Appended::Stored)
    }

    /// Takes what was heard without waiting.
    fn hear(&mut self, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        loop {
            match self.hears.try_recv() {
                Ok(heard) => self.take(heard, acks),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(ClientError::Closed),
            }
        }
    }

    fn take(&mut self, heard: Heard, acks: &mut Vec<BatchAck>) {
        match heard {
            Heard::Stored { place, base_offset, count, held, memory } => {
                self.memory.give_back(held, memory);
                self.gathering.answered(place, count.into());
                acks.push(BatchAck::Stored { to: PartitionRef::new(place as u32), base_offset, count });
            }
            Heard::Failed { place: index, error, batch, in_doubt } => {
                let Some(place) = self.places.get(index) else { return };
                if let Some(transactions) = &mut self.transactions {
                    transactions.stands.batch_failed(&error, in_doubt);
                    if let ClientError::Fenced(_) = error {
                        self.trouble = Some(error.clone());
                    }
                }
                self.memory.give_back(batch.held, Vec::new());
                self.gathering.answered(index, batch.count() as u64);
                let records = batch.into_records(&place.partition);
                let error = match error {
                    ClientError::RecordTooLarge { topic, .. } => {
                        let bytes = records.head().map_or(0, |record| record.payload_len());
                        ClientError::RecordTooLarge { topic, bytes }
                    }
                    other => other,
                };
                if let ClientError::UnknownTopic { topic } = &error {
                    self.counts.remove(topic);
                }
                acks.push(BatchAck::Failed { to: PartitionRef::new(index as u32), error, records: Box::new(records) });
            }
            Heard::Led { place, leader } => {
                self.gathering.led(place, leader);
                self.is_leaderless(place, None);
            }
            Heard::Leaderless { place, why } => self.is_leaderless(place, Some(why)),
            Heard::Joined | Heard::Silence(_) | Heard::Quiet => self.take_of_transaction(heard),
            // Whoever was fenced stays so.
            Heard::Trouble(_) if matches!(self.trouble, Some(ClientError::Fenced(_))) => {}
            Heard::Trouble(trouble) => self.trouble = trouble,
            Heard::HeldBack(held_back) => self.held_back = held_back,
        }
    }

    fn take_of_transaction(&mut self, heard: Heard) {
        let Some(transactions) = &mut self.transactions else { return };
        match heard {
            Heard::Joined => transactions.stands.joined(),
            Heard::Silence(error) => drop(transactions.stands.silence(&error)),
            Heard::Quiet => self.quiet = true,
            Heard::Stored { .. }
            | Heard::Failed { .. }
            | Heard::Led { .. }
            | Heard::Leaderless { .. }
            | Heard::Trouble(_)
            | Heard::HeldBack(_) => {}
        }
    }

    /// Waits until something is heard, a batch has lingered long enough, or `until`.
    fn wait(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let lingers = self.opened.front().map(|(began, _)| began.plus(self.settings.linger));
        let end = lingers.map_or(until, |lingers| until.min(Deadline::at(lingers)));
        match self.hears.recv_timeout(remaining(end)) {
            Ok(heard) => self.take(heard, acks),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(ClientError::Closed),
        }
        self.hear(acks)
    }

    fn is_leaderless(&mut self, place: usize, why: Option<ClientError>) {
        if let Some(place) = self.places.get_mut(place) {
            place.leaderless = why;
        }
    }

    /// A flush that is not through, and why, where that is known.
    fn flush_in_words(&self) -> String {
        let mut under_way = self.places.iter().enumerate().filter(|(place, _)| self.gathering.is_under_way(*place));
        let why = under_way.find_map(|(_, place)| place.leaderless.as_ref());
        why.map_or_else(|| "flush of the producer".to_owned(), |why| format!("flush of the producer: {why}"))
    }

    fn check(&self) -> Result<(), ClientError> {
        let held_back = self.held_back_by().map(ClientError::Group);
        self.trouble.clone().or(held_back).map_or(Ok(()), Err)
    }

    /// Why batches wait for the lease, if they do and that does not hold yet.
    fn held_back_by(&self) -> Option<GroupError> {
        self.lease.as_ref().filter(|_| self.held_back)?.check().err()
    }

    /// Whether there is no answer to wait for: what waits for the lease may be sent any time, unless that is lost.
    fn is_hopeless(&self) -> bool {
        self.trouble.is_some() || self.held_back_by().is_some_and(|why| why != GroupError::Unconfirmed)
    }
}

impl Producer for KafkaProducer {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        let place = TopicPartition::new(topic.clone(), partition);
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        if partition < 0 {
            return Err(ClientError::UnknownTopic { topic: topic.clone() });
        }
        self.sender.send(Event::Place(place.clone())).map_err(|_| ClientError::Closed)?;
        let number = PartitionRef::new(self.places.len() as u32);
        let partition = place.clone();
        self.places.push(Place { partition, open: None, began: Timestamp::ZERO, last: 0, leaderless: None });
        self.gathering.add();
        self.known.insert(place, number);
        Ok(number)
    }

    /// A topic that is not there may just have been made: it is asked for until `until`, as Java's producer does.
    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError> {
        let now = SystemClock.now();
        if let Some((count, asked)) = self.counts.get(topic)
            && now.since(*asked) < self.settings.metadata_max_age
        {
            return Ok(*count);
        }
        let (cluster, pause, asked) = (Arc::clone(&self.cluster), self.settings.retry_backoff, topic.clone());
        let end = Deadline::at(until.time().plus(GRACE));
        let count = self.io.wait("the question for partitions", end, async move {
            count_partitions(&cluster, &asked, pause, until).await
        })?;
        self.counts.insert(topic.clone(), (count, now));
        Ok(count)
    }

    #[inline]
    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        if !self.memory.is_full()
            && let Some(Place { open: Some(open), .. }) = self.places.get_mut(to.index())
        {
            let timestamp = if record.timestamp.is_known() { record.timestamp } else { SystemClock.now() };
            let before = open.len();
            if open.append(&record, timestamp.millis()) {
                self.memory.used += open.len() - before;
                return Ok(Appended::Stored);
            }
        }
        self.append_to_new(to, record)
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.memory.is_nearly_full()
    }

    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let (before, now) = (acks.len(), SystemClock.now());
        // Whoever waits is not busy.
        let is_busy = self.has_brought_much() && until.passed(now);
        self.close_due(now, false)?;
        self.hear(acks)?;
        self.close_free(now, is_busy)?;
        while acks.len() == before
            && !self.is_hopeless()
            && (self.gathering.unanswered() > 0 || !self.opened.is_empty())
        {
            if remaining(until).is_zero() {
                break;
            }
            self.wait(until, acks)?;
            let now = SystemClock.now();
            self.close_due(now, false)?;
            self.close_free(now, false)?;
        }
        self.check()
    }

    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.close_due(SystemClock.now(), true)?;
        self.hear(acks)?;
        while self.gathering.unanswered() > 0 {
            self.check()?;
            if remaining(until).is_zero() {
                return Err(ClientError::TimedOut { request: self.flush_in_words() });
            }
            self.wait(until, acks)?;
        }
        self.check()
    }

    fn obey(&mut self, lease: Lease) {
        // Whoever is gone sends nothing.
        let _ = self.sender.send(Event::Obey(lease.clone()));
        self.lease = Some(lease);
    }

    fn abandon(&mut self) {
        // As above: the next poll finds out.
        let _ = self.close_due(SystemClock.now(), true);
        let _ = self.sender.send(Event::GiveUp);
    }

    fn transactional(&mut self) -> Option<&mut dyn Transactional> {
        if self.transactions.is_some() { Some(self) } else { None }
    }
}

/// Asks until there is an answer, or until `until`.
async fn count_partitions(
    cluster: &Brokers,
    topic: &Topic,
    pause: Duration,
    until: Deadline,
) -> Result<Partition, ClientError> {
    let unknown = || ClientError::UnknownTopic { topic: topic.clone() };
    let mut met = None;
    loop {
        let error = match timeout(remaining(until), cluster.look(Some(std::slice::from_ref(topic)))).await {
            Ok(Ok(metadata)) => match (metadata.partitions(topic), metadata.errors.get(topic)) {
                (Some(0), _) => of_code(5, About::Topic(topic.as_str())).unwrap_or_else(unknown),
                (Some(count), _) => return Ok(count),
                (None, Some(error)) => error.clone(),
                (None, None) => unknown(),
            },
            Ok(Err(error)) => error,
            // What the cluster said says more than that the time was too short to ask once more.
            Err(_) => {
                return Err(met
                    .unwrap_or_else(|| ClientError::TimedOut { request: format!("the partitions of topic {topic}") }));
            }
        };
        let may_come = matches!(error, ClientError::UnknownTopic { .. }) || error.class() == ErrorClass::Retriable;
        if !may_come || remaining(until) <= pause {
            return Err(error);
        }
        if met.is_none() {
            tracing::warn!(%topic, %error, "records wait, for max.block.ms at most");
        }
        met = Some(error);
        sleep(pause).await;
    }
}

impl Drop for KafkaProducer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.sender.send(Event::Dropped);
    }
}

impl fmt::Debug for KafkaProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducer").field("servers", &self.cluster.servers().text()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
