//! How records leave a thread: one producer that all its tasks share, and what became of each record (Java's `RecordCollector`).
//!
//! A task writes through [`TaskEmit`]. Records of a batch that could not be written go to the production exception handler;
//! what it does not let pass is the failure of the task that wrote the record, and is reported before that task may commit.

mod acks;
mod emit;
mod lane;
mod send;
mod topics;
mod transaction;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{BatchAck, ClientError, ErrorClass, Lease, Producer};
use headwater_record::{Clock, Deadline, Offset, Partition, Timestamp, Topic};
use headwater_topology::{StoreId, TaskId};

pub use emit::TaskEmit;

use self::lane::Lane;
use self::topics::{PartitionState, Topics};
use self::transaction::Transaction;
use crate::StreamsConfig;
use crate::config::Role;
use crate::handler::ExceptionHandlers;
use crate::task::{TaskError, TaskSpec};

/// Settings of an output.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// How long a full producer may take to make room: `delivery.timeout.ms`, and what an attempt may take that began before.
    pub delivery_timeout: Duration,
    /// `max.block.ms`: how long the number of partitions of a topic may stay unknown.
    pub max_block: Duration,
    /// `metadata.max.age.ms`: how long it is believed.
    pub metadata_max_age: Duration,
    /// `batch.size`, or what Java's is unless it is set: so many bytes without a key go to one partition before the next one has its
    /// turn. The batches of a producer may be larger.
    pub sticky_bytes: usize,
}

impl Default for OutputSettings {
    /// Kafka's.
    fn default() -> Self {
        OutputSettings {
            delivery_timeout: Duration::from_mins(2),
            max_block: Duration::from_mins(1),
            metadata_max_age: Duration::from_mins(5),
            sticky_bytes: 16 * 1024,
        }
    }
}

impl OutputSettings {
    /// As `config` has the producer.
    pub(crate) fn of(config: &StreamsConfig) -> Self {
        let producer = config.client(Role::Producer, "");
        let millis = |key: &str, default: Duration| {
            producer.value(key).and_then(|value| value.trim().parse().ok()).map_or(default, Duration::from_millis)
        };
        let defaults = OutputSettings::default();
        let attempt = millis("request.timeout.ms", Duration::from_secs(30));
        let connecting = millis("socket.connection.setup.timeout.ms", Duration::from_secs(10));
        let delivery = defaults.delivery_timeout.max(millis("linger.ms", Duration::ZERO) + attempt);
        let sticky_bytes = producer.value("batch.size").and_then(|size| size.trim().parse().ok());
        OutputSettings {
            delivery_timeout: millis("delivery.timeout.ms", delivery) + attempt + 2 * connecting,
            max_block: millis("max.block.ms", defaults.max_block),
            metadata_max_age: millis("metadata.max.age.ms", defaults.metadata_max_age),
            sticky_bytes: sticky_bytes.unwrap_or(defaults.sticky_bytes),
        }
    }
}

/// The way out of a thread: its producer, the topics its tasks write to, and what is still under way.
pub struct RecordCollector {
    producer: Box<dyn Producer>,
    clock: Arc<dyn Clock>,
    settings: OutputSettings,
    handlers: ExceptionHandlers,
    topics: Topics,
    // By the number that the producer gave the partition.
    partitions: Vec<PartitionState>,
    lanes: Vec<Lane>,
    by_task: HashMap<TaskId, usize>,
    acks: Vec<BatchAck>,
    taking_acks: bool,
    // Why the producer is of no more use.
    fatal: Option<ClientError>,
    transaction: Transaction,
    lease: Option<Lease>,
    // Records that were given up since it was last told.
    abandoned: u64,
    // Records that have arrived.
    sent: u64,
}

impl RecordCollector {
    /// The way out through `producer`. `clock` is that of its deadlines.
    pub fn new(
        mut producer: Box<dyn Producer>,
        clock: Arc<dyn Clock>,
        settings: OutputSettings,
        handlers: ExceptionHandlers,
    ) -> Self {
        let topics = Topics::new(clock.now());
        let transaction = Transaction::of(producer.as_mut());
        RecordCollector {
            producer,
            clock,
            settings,
            handlers,
            topics,
            partitions: Vec::new(),
            lanes: Vec::new(),
            by_task: HashMap::new(),
            acks: Vec::new(),
            taking_acks: false,
            fatal: None,
            transaction,
            lease: None,
            abandoned: 0,
            sent: 0,
        }
    }

    /// Nothing is sent while `lease` does not hold, by this producer and those that take its place.
    pub fn obey(&mut self, lease: Lease) {
        self.producer.obey(lease.clone());
        self.lease = Some(lease);
    }

    /// Whether what is written is sent, and does not wait until the member is confirmed.
    ///
    /// # Errors
    /// What the lease says.
    pub fn check_confirmed(&self) -> Result<(), ClientError> {
        Ok(self.lease.as_ref().map_or(Ok(()), Lease::check)?)
    }

    /// Whether so much waits to be sent that no other record should be begun: there may be no room for what comes of it.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.producer.is_full()
    }

    /// The topics whose partitions are to be counted once more, since that was `metadata.max.age.ms` ago.
    pub(crate) fn stale_topics(&mut self, now: Timestamp) -> Vec<Topic> {
        self.topics.stale(now, self.settings.metadata_max_age)
    }

    /// Those of `topics` whose partitions were not counted yet.
    pub(crate) fn uncounted(&mut self, topics: impl IntoIterator<Item = String>) -> Vec<Topic> {
        topics.into_iter().map(Topic::from).filter(|topic| !self.topics.is_counted(topic)).collect()
    }

    /// The topic has so many partitions.
    pub(crate) fn counted(&mut self, topic: &Topic, partitions: Partition) {
        let number = self.topics.number(topic.as_str());
        if let Some(state) = self.topics.get_mut(number) {
            state.count = Some(partitions);
        }
    }

    /// Gives up what was not sent: its tasks are another's by now. What is in a transaction goes with that.
    pub fn abandon(&mut self) {
        if self.transaction == Transaction::Without {
            self.producer.abandon();
        }
    }

    /// The task may write from now on. Registering it again forgets what was known of it: answers to what it wrote before are no
    /// longer its own.
    pub fn register(&mut self, spec: &TaskSpec) {
        self.release(spec.id);
        let index = (0..self.lanes.len()).find(|lane| self.is_free(*lane)).unwrap_or(self.lanes.len());
        match self.lanes.get_mut(index) {
            Some(lane) => *lane = Lane::new(spec),
            None => self.lanes.push(Lane::new(spec)),
        }
        self.by_task.insert(spec.id, index);
    }

    /// The task is gone. What it wrote is still sent.
    pub fn release(&mut self, task: TaskId) {
        if let Some(lane) = self.by_task.remove(&task).and_then(|index| self.lanes.get_mut(index)) {
            lane.close();
        }
        while self.lanes.len().checked_sub(1).is_some_and(|last| self.is_free(last)) {
            self.lanes.pop();
        }
    }

    /// Whether another task may have the lane. Answers still under way must not be taken for those of another task.
    fn is_free(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(Lane::is_closed)
            && self.partitions.iter().all(|partition| partition.under_way_of(lane) == 0)
    }

    /// What `task` writes through. It must be registered.
    pub fn of_task(&mut self, task: TaskId) -> TaskEmit<'_> {
        let lane = self.by_task.get(&task).copied().unwrap_or(usize::MAX);
        TaskEmit::new(self, lane)
    }

    /// The number of `task` here, for [`RecordCollector::lane`].
    pub(crate) fn lane_of(&self, task: TaskId) -> usize {
        self.by_task.get(&task).copied().unwrap_or(usize::MAX)
    }

    /// As [`RecordCollector::of_task`], without looking the task up.
    #[inline]
    pub(crate) fn lane(&mut self, lane: usize) -> TaskEmit<'_> {
        TaskEmit::new(self, lane)
    }

    /// Sends what is full or due and takes the answers that have come, waiting until `until` when none has and some are due.
    ///
    /// # Errors
    /// What concerns the producer as a whole. Failures of single tasks wait for [`RecordCollector::failure`].
    pub fn poll(&mut self, until: Deadline) -> Result<(), ClientError> {
        self.check()?;
        let polled = self.producer.poll(until, &mut self.acks);
        self.after(polled)
    }

    /// Sends everything and waits until all answers have come.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] when not all had come at `until`, and as [`RecordCollector::poll`].
    pub fn flush(&mut self, until: Deadline) -> Result<(), ClientError> {
        self.check()?;
        let flushed = self.producer.flush(until, &mut self.acks);
        self.after(flushed)?;
        // Handlers may have written dead letters.
        if self.under_way() > 0 {
            let flushed = self.producer.flush(until, &mut self.acks);
            self.after(flushed)?;
        }
        Ok(())
    }

    fn after(&mut self, result: Result<(), ClientError>) -> Result<(), ClientError> {
        self.take_acks();
        if let Err(error) = result {
            if matches!(error.class(), ErrorClass::Fenced | ErrorClass::Aborted) {
                self.fatal = Some(error.clone());
            }
            return Err(error);
        }
        self.check()
    }

    fn check(&self) -> Result<(), ClientError> {
        self.fatal.clone().map_or(Ok(()), Err)
    }

    /// How many records were handed to the producer and have no answer yet.
    pub fn under_way(&self) -> u64 {
        self.partitions.iter().map(PartitionState::under_way).sum()
    }

    /// How many records have arrived.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// What failed of the records of `task` that no handler let pass. It stays until the task is registered again.
    pub fn failure(&self, task: TaskId) -> Option<&TaskError> {
        self.lanes.get(self.lane_of(task))?.failure.as_ref()
    }

    /// Takes what [`RecordCollector::failure`] shows.
    pub fn take_failure(&mut self, task: TaskId) -> Option<TaskError> {
        let lane = self.lane_of(task);
        self.lanes.get_mut(lane)?.failure.take()
    }

    /// Takes a failure of any task that would come again if the task began anew.
    pub(crate) fn take_lasting_failure(&mut self) -> Option<TaskError> {
        let lasts = |failure: &mut TaskError| matches!(failure, TaskError::Production { error, .. } if error.class() == ErrorClass::Fatal);
        self.lanes.iter_mut().find_map(|lane| lane.failure.take_if(lasts))
    }

    /// How many records of `task` have no answer yet, those of its former lives included.
    pub fn task_under_way(&self, task: TaskId) -> u64 {
        let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| lane.task == task);
        let of_lane = |lane| self.partitions.iter().map(move |partition| partition.under_way_of(lane));
        lanes.flat_map(|(lane, _)| of_lane(lane)).sum()
    }

    /// The offset of the last change of `store` that lies in its changelog, as written by `task` since it was registered.
    pub fn changelog_offset(&self, task: TaskId, store: StoreId) -> Option<Offset> {
        self.lanes.get(self.lane_of(task))?.changelog(store)?.acked
    }

    /// Records of `task` that the production exception handler let go.
    pub fn dropped(&self, task: TaskId) -> u64 {
        self.lanes.get(self.lane_of(task)).map_or(0, |lane| lane.dropped)
    }

    /// Dead letters of records of `task` that could not be written.
    pub fn dead_letters(&self, task: TaskId) -> u64 {
        self.lanes.get(self.lane_of(task)).map_or(0, |lane| lane.dead_letters)
    }

    /// Goes on with another producer; what the one before had not answered is forgotten, so that the tasks must start anew from
    /// what is committed. Topic handles stay valid.
    pub fn replace_producer(&mut self, mut producer: Box<dyn Producer>) {
        self.transaction = Transaction::of(producer.as_mut());
        if let Some(lease) = &self.lease {
            producer.obey(lease.clone());
        }
        self.producer = producer;
        self.partitions.clear();
        self.acks.clear();
        self.topics.forget_partitions();
        self.lanes.iter_mut().for_each(Lane::forget_partitions);
        self.fatal = None;
    }

    /// The time by the producer's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for RecordCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordCollector")
            .field("tasks", &self.by_task.keys())
            .field("lanes", &self.lanes.len())
            .field("under_way", &self.under_way())
            .field("fatal", &self.fatal)
            .finish_non_exhaustive()
    }
}
