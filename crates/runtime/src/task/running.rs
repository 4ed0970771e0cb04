//! A task that processes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use headwater_client::{CommittedOffset, RecordBatch, Watermarks};
use headwater_record::{Offset, RawRecord, Timestamp, TopicPartition};
use headwater_store::Store;
use headwater_store::cache::Budget;
use headwater_topology::state::SeenEntry;
use headwater_topology::{
    FailureKind, ProcessError, PunctuationType, RecordContext, SharedStore, StoreId, TaskClock, TaskContext, TaskGraph,
    TaskId, Topology,
};

use super::closed::ClosedStores;
use crate::handler::ExceptionHandlers;
use crate::intake::{PartitionGroup, PartitionQueue, Readiness};
use crate::offset_metadata::OffsetMetadata;
use crate::output::Output;
use crate::task::last_input::LastInput;
use crate::task::{TaskError, TaskInput, TaskSpec};

/// How a task behaves.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// `max.task.idle.ms`; `None` for -1, never to wait for an empty partition.
    pub max_task_idle: Option<Duration>,
    /// How long to wait between two emissions of closed windows.
    pub emit_interval: Duration,
    /// Who decides about failed records.
    pub handlers: ExceptionHandlers,
    /// What the record caches of the thread may use together.
    pub cache: Rc<Budget>,
}

/// Where an input partition was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: Offset,
    /// The partition's time then.
    pub partition_time: Timestamp,
    /// What nodes kept with it, by their own keys.
    pub remembered: BTreeMap<String, i64>,
}

impl Committed {
    /// What a committed offset says. Metadata that nobody of Kafka Streams wrote counts as none.
    pub fn of(committed: &CommittedOffset) -> Self {
        let metadata = OffsetMetadata::decode(&committed.metadata).unwrap_or_else(|error| {
            tracing::warn!(%error, "the partition's time is taken as unknown");
            OffsetMetadata::default()
        });
        Committed { offset: committed.offset, partition_time: metadata.partition_time, remembered: metadata.processor }
    }
}

/// What nodes kept, over all partitions: of two numbers under one key the greater (Java's `ProcessorMetadata#update`).
fn remembered(committed: &HashMap<TopicPartition, Committed>) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for (key, value) in committed.values().flat_map(|committed| &committed.remembered) {
        let kept = all.entry(key.clone()).or_insert(*value);
        *kept = (*kept).max(*value);
    }
    all
}

/// What a task is started with.
pub struct Parts<'a> {
    /// The topology.
    pub topology: &'a Topology,
    /// What the task is made of.
    pub spec: TaskSpec,
    /// Its stores, open and restored.
    pub stores: HashMap<StoreId, Store>,
    /// Global stores that its nodes read; they stay with whoever fills them.
    pub globals: HashMap<StoreId, SharedStore>,
    /// Where its input partitions were left; those that are missing are new.
    pub committed: HashMap<TopicPartition, Committed>,
    /// How it behaves.
    pub settings: TaskSettings,
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("spec", &self.spec).field("committed", &self.committed).finish_non_exhaustive()
    }
}

/// What became of a record that a task took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It went through the topology.
    Processed,
    /// It was left out and counted: it has no time, or a handler let it go.
    Skipped,
}

/// A task that processes: its queues, its live graph, its stores. It stays on its thread.
pub struct Running {
    spec: TaskSpec,
    graph: TaskGraph,
    stores: HashMap<StoreId, SharedStore>,
    group: PartitionGroup,
    clock: TaskClock,
    handlers: ExceptionHandlers,
    lane: usize,
    punctuated: bool,
    // Where caches may fail later: dead letters of a flush carry the bytes of the last input record, as Java's do.
    last_input: Option<LastInput>,
}

impl Running {
    /// Brings the task to life: its nodes are wired and `init` is called on its processors.
    ///
    /// # Errors
    /// [`TaskError::Wiring`] when a serde is missing, a store is not there or of another type, or an `init` failed.
    pub fn start(parts: Parts<'_>, output: &mut Output, now: Timestamp) -> Result<Self, TaskError> {
        let Parts { topology, spec, stores, globals, committed, settings } = parts;
        let task = spec.id;
        output.register(&spec);
        let cache_bytes = settings.cache.max();
        let lane = output.lane_of(task);
        let stores: HashMap<StoreId, SharedStore> =
            stores.into_iter().map(|(id, store)| (id, SharedStore::own(store))).collect();
        let mut reachable = globals;
        reachable.extend(stores.iter().map(|(id, store)| (*id, store.clone())));
        let graph = TaskGraph::wire(
            topology,
            task,
            &spec.sources(topology),
            &mut output.lane(lane),
            &reachable,
            settings.cache,
        );
        let group = PartitionGroup::new(&spec.inputs, settings.max_task_idle, |partition| {
            let known = committed.get(partition);
            (known.map(|known| known.offset), known.map_or(Timestamp::UNKNOWN, |known| known.partition_time))
        });
        let clock = TaskClock {
            stream_time: group.stream_time(),
            now,
            emit_interval_ms: i64::try_from(settings.emit_interval.as_millis()).unwrap_or(i64::MAX),
            remembered: remembered(&committed),
            ..TaskClock::default()
        };
        let wired = |error| TaskError::Wiring { task, error };
        let graph = graph.map_err(wired)?;
        let caches = cache_bytes > 0
            && spec.stores.iter().any(|store| topology.store(store.id).is_some_and(|node| node.spec.caching));
        let last_input = caches.then(LastInput::default);
        let handlers = settings.handlers;
        let mut running = Running { spec, graph, stores, group, clock, handlers, lane, punctuated: false, last_input };
        let mut emit = output.lane(lane);
        let mut cx = TaskContext::new(task, &mut running.clock, &mut emit, &running.handlers);
        running.graph.init(&mut cx).map_err(wired)?;
        Ok(running)
    }

    /// Which task.
    pub fn id(&self) -> TaskId {
        self.spec.id
    }

    /// What it is made of.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    /// What waits to be processed, and how far each partition came.
    pub fn intake(&self) -> &PartitionGroup {
        &self.group
    }

    /// A store of the task.
    pub fn store(&self, store: StoreId) -> Option<&SharedStore> {
        self.stores.get(&store)
    }

    /// What a window or session store has, seen through its cache; `None` for one that has no cache.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn seen_through_cache(&self, store: StoreId) -> Result<Option<Vec<SeenEntry>>, ProcessError> {
        self.graph.seen_through_cache(store)
    }

    /// The greatest timestamp of the records taken so far, -1 before the first.
    pub fn stream_time(&self) -> Timestamp {
        self.clock.stream_time
    }

    /// Records that were left out: late, null where null is not allowed, or let go by a handler.
    pub fn dropped_records(&self, output: &Output) -> u64 {
        self.clock.dropped + output.dropped(self.spec.id)
    }

    /// One more input, as when a new topic matches a source's pattern.
    pub fn add_input(&mut self, input: TaskInput, committed: Option<Committed>) {
        let time = committed.as_ref().map_or(Timestamp::UNKNOWN, |committed| committed.partition_time);
        self.group.add_input(&input, committed.map(|committed| committed.offset), time);
        self.clock.stream_time = self.clock.stream_time.max(time);
        if self.spec.input(&input.partition).is_none() {
            self.spec.inputs.push(input);
        }
    }

    /// Adds a batch to the queue of its partition.
    ///
    /// # Errors
    /// [`TaskError::NotAnInput`].
    pub fn enqueue(&mut self, batch: Box<dyn RecordBatch>) -> Result<(), TaskError> {
        let task = self.spec.id;
        self.group.add(batch).map_err(|batch| TaskError::NotAnInput { task, partition: batch.partition().clone() })
    }

    /// What the consumer has heard of an input partition (see `max.task.idle.ms`).
    pub fn heard(&mut self, partition: &TopicPartition, position: Option<Offset>, watermarks: Option<Watermarks>) {
        self.group.heard(partition, position, watermarks);
    }

    /// Whether to process at the time `now`, and else until when the task waits.
    pub fn readiness(&mut self, now: Timestamp) -> Readiness {
        self.group.readiness(now)
    }

    /// Takes records, the earliest first, as long as there are any and none has to be waited for. After each, `next` says at what
    /// time the next one is taken, or that it is not.
    ///
    /// # Errors
    /// What no handler let pass. The task is then of no more use but to be closed.
    pub fn process(
        &mut self,
        output: &mut Output,
        now: Timestamp,
        next: &mut dyn FnMut(Taken) -> Option<Timestamp>,
    ) -> Result<(), TaskError> {
        self.clock.now = now;
        loop {
            let taken = if self.group.queues().len() == 1 {
                self.take_from_only_queue(output)?
            } else if let Some(skipped) = self.look_at_heads(output)? {
                Some(skipped)
            } else if self.readiness(self.clock.now).is_ready() {
                self.process_next(output)?
            } else {
                None
            };
            let Some(taken) = taken else { return Ok(()) };
            match next(taken) {
                Some(now) => self.clock.now = now,
                None => return Ok(()),
            }
        }
    }

    /// Without another partition, a record's time decides nothing before the record is processed.
    fn take_from_only_queue(&mut self, output: &mut Output) -> Result<Option<Taken>, TaskError> {
        let task = self.spec.id;
        let Some((index, queue)) = self.group.unseen() else { return Ok(None) };
        let mut time = None;
        if let Some(raw) = queue.head() {
            let mut emit = output.lane(self.lane);
            let mut cx = TaskContext::new(task, &mut self.clock, &mut emit, &self.handlers);
            cx.at_input(input_context(queue, raw, raw.timestamp), raw);
            let mut result = time_of(&mut self.graph, queue, &mut cx, raw);
            if let Ok(Some(time)) = result {
                if time != raw.timestamp {
                    cx.at_input(input_context(queue, raw, time), raw);
                }
                result = self.graph.push(queue.node(), &mut cx, raw, time).map(|()| Some(time));
                if let Some(last) = &mut self.last_input {
                    last.keep(raw);
                }
            }
            time = match result {
                Ok(time) => time,
                Err(error) => return Err(self.failed(output, error)),
            };
        }
        self.group.pass(index, time).map_err(|error| TaskError::Input { task, error })?;
        Ok(Some(if time.is_some() { Taken::Processed } else { Taken::Skipped }))
    }

    /// Has sources decode the records that have come to the head of their queue and say their times, until one is skipped.
    fn look_at_heads(&mut self, output: &mut Output) -> Result<Option<Taken>, TaskError> {
        let task = self.spec.id;
        while let Some((index, queue)) = self.group.unseen() {
            let mut time = Ok(None);
            if let Some(raw) = queue.head() {
                let mut emit = output.lane(self.lane);
                let mut cx = TaskContext::new(task, &mut self.clock, &mut emit, &self.handlers);
                cx.at_input(input_context(queue, raw, raw.timestamp), raw);
                time = time_of(&mut self.graph, queue, &mut cx, raw);
            }
            let Some(time) = time.map_err(|error| self.failed(output, error))? else {
                self.group.pass(index, None).map_err(|error| TaskError::Input { task, error })?;
                return Ok(Some(Taken::Skipped));
            };
            self.group.seen(index, time);
        }
        Ok(None)
    }

    fn process_next(&mut self, output: &mut Output) -> Result<Option<Taken>, TaskError> {
        let task = self.spec.id;
        let Some((_, queue, time)) = self.group.next() else { return Ok(None) };
        let Some(raw) = queue.head() else { return Ok(None) };
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(task, &mut self.clock, &mut emit, &self.handlers);
        cx.at_input(input_context(queue, raw, time), raw);
        if let Err(error) = self.graph.push(queue.node(), &mut cx, raw, time) {
            return Err(self.failed(output, error));
        }
        if let Some(last) = &mut self.last_input {
            last.keep(raw);
        }
        self.group.take().map_err(|error| TaskError::Input { task, error })?;
        Ok(Some(Taken::Processed))
    }

    /// Fires the punctuators that are due, by stream time first; returns whether any was.
    ///
    /// # Errors
    /// As [`Running::process`].
    pub fn punctuate(&mut self, output: &mut Output, now: Timestamp) -> Result<bool, TaskError> {
        let by_stream_time = self.punctuate_by(PunctuationType::StreamTime, output, now)?;
        let by_wall_clock = self.punctuate_by(PunctuationType::WallClockTime, output, now)?;
        Ok(by_stream_time || by_wall_clock)
    }

    /// Fires the punctuators of one kind that are due; returns whether any was.
    ///
    /// # Errors
    /// As [`Running::process`].
    pub fn punctuate_by(
        &mut self,
        kind: PunctuationType,
        output: &mut Output,
        now: Timestamp,
    ) -> Result<bool, TaskError> {
        self.clock.now = now;
        if kind == PunctuationType::StreamTime && !self.clock.stream_time.is_known() {
            return Ok(false);
        }
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(self.spec.id, &mut self.clock, &mut emit, &self.handlers);
        let fired = self.graph.punctuate(&mut cx, kind);
        let fired = fired.map_err(|error| self.failed(output, error))?;
        self.punctuated |= fired;
        Ok(fired)
    }

    /// When the next wall clock punctuation is due.
    pub fn next_wall_clock(&self) -> Option<Timestamp> {
        self.graph.next_wall_clock()
    }

    /// Whether there is something to commit.
    pub fn commit_needed(&self) -> bool {
        self.punctuated || self.group.queues().iter().any(PartitionQueue::consumed_since_commit)
    }

    /// Whether user code asked for a commit.
    pub fn commit_requested(&self) -> bool {
        self.clock.commit_requested
    }

    /// The first step of a commit: writes all cached changes to stores and changelogs and hands them on. The output is to be
    /// flushed next.
    ///
    /// # Errors
    /// As [`Running::process`].
    pub fn flush(&mut self, output: &mut Output, now: Timestamp) -> Result<(), TaskError> {
        self.clock.now = now;
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(self.spec.id, &mut self.clock, &mut emit, &self.handlers);
        if let Some(last) = &self.last_input {
            cx.at_input(RecordContext::none(), last.view());
        }
        let flushed = self.graph.flush(&mut cx);
        flushed.map_err(|error| self.failed(output, error))
    }

    /// The second step, after the output was flushed: what to commit of the partitions that records were taken from.
    ///
    /// # Errors
    /// [`TaskError::Production`] when a record of this task was lost, [`TaskError::UnderWay`] when some have no answer yet.
    pub fn offsets(&self, output: &mut Output) -> Result<Vec<(TopicPartition, CommittedOffset)>, TaskError> {
        let task = self.spec.id;
        if let Some(failure) = output.take_failure(task) {
            return Err(failure);
        }
        let records = output.task_under_way(task);
        if records > 0 {
            return Err(TaskError::UnderWay { task, records });
        }
        let anew = self.clock.remembered_anew;
        let consumed = self.group.queues().iter().filter(|queue| anew || queue.consumed_since_commit());
        let offsets = consumed.filter_map(|queue| {
            let processor = self.clock.remembered.clone();
            let metadata = OffsetMetadata { partition_time: queue.partition_time(), processor }.encode();
            Some((queue.partition().clone(), CommittedOffset { offset: queue.next_offset()?, metadata }))
        });
        Ok(offsets.collect())
    }

    /// The last step, after the offsets were committed: every store is committed with the changelog offset that it contains.
    ///
    /// # Errors
    /// [`TaskError::Store`]. Other stores are committed all the same.
    pub fn committed(&mut self, output: &Output) -> Result<(), TaskError> {
        let task = self.spec.id;
        self.group.mark_committed();
        self.punctuated = false;
        self.clock.commit_requested = false;
        self.clock.remembered_anew = false;
        let mut result = Ok(());
        for store in &self.spec.stores {
            let Some(shared) = self.stores.get(&store.id) else { continue };
            let offset = if store.source_changelog {
                store.changelog.as_ref().and_then(|partition| self.group.queue(partition)?.last_taken())
            } else {
                output.changelog_offset(task, store.id)
            };
            if let Err(error) = shared.write(|store| store.state_mut().commit(offset)) {
                result = result.and(Err(TaskError::Store { task, error }));
            }
        }
        result
    }

    /// Closes the processors and gives the stores back. What was not committed stays uncommitted.
    pub fn close(mut self) -> ClosedStores {
        self.graph.close();
        drop(self.graph);
        ClosedStores::of(self.stores)
    }

    /// The typed failure behind `error`, when it came from the output.
    #[cold]
    fn failed(&self, output: &mut Output, error: ProcessError) -> TaskError {
        let task = self.spec.id;
        output.take_failure(task).unwrap_or(TaskError::Process { task, error })
    }
}

/// Where the head of `queue` lies, at this time.
#[inline]
fn input_context(queue: &PartitionQueue, raw: RawRecord<'_>, timestamp: Timestamp) -> RecordContext {
    RecordContext {
        timestamp,
        offset: raw.offset,
        partition: queue.partition().partition,
        topic: Some(queue.partition().topic.clone()),
        headers: raw.headers.to_headers(),
    }
}

/// The time of the head of `queue`, from its source; none when it is to be skipped.
#[inline]
fn time_of(
    graph: &mut TaskGraph,
    queue: &PartitionQueue,
    cx: &mut TaskContext<'_>,
    raw: RawRecord<'_>,
) -> Result<Option<Timestamp>, ProcessError> {
    match graph.source(queue.node()) {
        Some(source) => source.timestamp(cx, raw, queue.partition_time()),
        None => Err(ProcessError::failed(FailureKind::Input, format!("no source reads {}", queue.partition()), None)),
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("task", &self.spec.id)
            .field("buffered", &self.group.buffered())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
