//! A task that processes, with all that is its own: queues, live graph, stores and their changelogs (Java's `StreamTask`).

mod commit;
mod process;
mod show;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{CommittedOffset, RecordBatch, Watermarks};
use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_store::cache::Budget;
use headwater_topology::state::SeenEntry;
use headwater_topology::{
    Application, EdgeCount, ProcessError, SharedStore, StoreId, TaskClock, TaskContext, TaskGraph, TaskId, Topology,
};

use super::last_input::LastInput;
use super::{ChangelogPartition, TaskError, TaskInput, TaskSpec, TaskStores};
use crate::directory::TaskClaim;
use crate::handler::ExceptionHandlers;
use crate::intake::{PartitionGroup, Readiness};
use crate::metric;
use crate::offset_metadata::OffsetMetadata;
use crate::output::RecordCollector;
use crate::query::Position;

/// How a task behaves.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    /// `max.task.idle.ms`; `None` for -1, never to wait for an empty partition.
    pub max_task_idle: Option<Duration>,
    /// How long to wait between two emissions of closed windows.
    pub emit_interval: Duration,
    /// Who decides about failed records.
    pub handlers: ExceptionHandlers,
    /// What processors may ask of it.
    pub application: Arc<Application>,
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
    /// Its stores, open and restored, with the right to its directory.
    pub stores: TaskStores,
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

/// A task that processes: its queues, its live graph, its stores and what these contain. It stays on its thread.
pub struct StreamTask {
    spec: TaskSpec,
    graph: TaskGraph,
    stores: HashMap<StoreId, SharedStore>,
    /// In the order of the stores in `spec`.
    changelogs: Vec<ChangelogPartition>,
    group: PartitionGroup,
    clock: TaskClock,
    handlers: ExceptionHandlers,
    lane: usize,
    punctuated: bool,
    // Where caches may fail later: dead letters of a flush carry the bytes of the last input record, as Java's do.
    last_input: Option<LastInput>,
    /// What was committed last of each input partition, by this task.
    committed: BTreeMap<TopicPartition, CommittedOffset>,
    /// How much of its input what was committed has seen, by this task or those before it.
    position: Arc<Position>,
    /// How often it was committed.
    commits: u64,
    /// How many dropped records the metric knows of.
    told_dropped: u64,
    /// How many dead letters.
    told_dead_letters: u64,
    /// The right to its directory. Declared last: stores are closed before somebody else may open them.
    claim: TaskClaim,
}

impl StreamTask {
    /// Brings the task to life: its nodes are wired and `init` is called on its processors.
    ///
    /// # Errors
    /// [`TaskError::Wiring`] when a serde is missing, a store is not there or of another type, or an `init` failed.
    pub fn start(parts: Parts<'_>, output: &mut RecordCollector, now: Timestamp) -> Result<Self, TaskError> {
        let Parts { topology, spec, stores, globals, committed, settings } = parts;
        let task = spec.id;
        output.register(&spec);
        let cache_bytes = settings.cache.max();
        let lane = output.lane_of(task);
        let TaskStores { stores, changelogs, claim, .. } = stores;
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
        let mut position = Position::default();
        for (partition, committed) in &committed {
            position.committed(partition, committed.offset);
        }
        let clock = TaskClock {
            stream_time: group.stream_time(),
            now,
            emit_interval_ms: i64::try_from(settings.emit_interval.as_millis()).unwrap_or(i64::MAX),
            remembered: remembered(&committed),
            application: settings.application,
            ..TaskClock::default()
        };
        let wired = |error| TaskError::Wiring { task, error };
        let graph = graph.map_err(wired)?;
        let caches = cache_bytes > 0
            && spec.stores.iter().any(|store| topology.store(store.id).is_some_and(|node| node.spec.caching));
        let last_input = caches.then(LastInput::default);
        let handlers = settings.handlers;
        let mut started = StreamTask {
            spec,
            graph,
            stores,
            changelogs,
            group,
            clock,
            handlers,
            lane,
            punctuated: false,
            last_input,
            committed: BTreeMap::new(),
            position: Arc::new(position),
            commits: 0,
            told_dropped: 0,
            told_dead_letters: 0,
            claim,
        };
        let mut emit = output.lane(lane);
        let mut cx = TaskContext::new(task, &mut started.clock, &mut emit, &started.handlers);
        started.graph.init(&mut cx).map_err(wired)?;
        Ok(started)
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

    /// What went along each edge of its graph since it began.
    pub fn edges(&self) -> Vec<EdgeCount> {
        self.graph.edges(&self.clock)
    }

    /// Its live nodes: what they keep back.
    pub fn graph(&self) -> &TaskGraph {
        &self.graph
    }

    /// How often it was committed.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The greatest timestamp of the records taken so far, -1 before the first.
    pub fn stream_time(&self) -> Timestamp {
        self.clock.stream_time
    }

    /// Whether it has state with a changelog.
    pub fn is_stateful(&self) -> bool {
        !self.changelogs.is_empty()
    }

    /// Records that were left out: late, null where null is not allowed, or let go by a handler.
    pub fn dropped_records(&self, output: &RecordCollector) -> u64 {
        self.clock.dropped + output.dropped(self.spec.id)
    }

    /// Dead letters that were sent of its records.
    pub fn dead_letters(&self, output: &RecordCollector) -> u64 {
        self.clock.dead_letters + output.dead_letters(self.spec.id)
    }

    /// Counts in the metrics the records that were left out since the last time, and dead letters.
    pub(crate) fn tell_dropped(&mut self, output: &RecordCollector) {
        let dropped = self.dropped_records(output);
        if dropped > self.told_dropped {
            metric::records_dropped(self.spec.id, dropped - self.told_dropped);
            self.told_dropped = dropped;
        }
        let letters = self.dead_letters(output);
        if letters > self.told_dead_letters {
            metric::dead_letters(self.spec.id, letters - self.told_dead_letters);
            self.told_dead_letters = letters;
        }
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

    /// Whether an input partition is waited for where it is empty ([`PartitionGroup::wait_for`](crate::intake::PartitionGroup)).
    pub fn wait_for(&mut self, partition: &TopicPartition, waits: bool) {
        self.group.wait_for(partition, waits);
    }

    /// Whether to process at the time `now`, and else until when the task waits.
    pub fn readiness(&mut self, now: Timestamp) -> Readiness {
        self.group.readiness(now)
    }

    /// When the next wall clock punctuation is due.
    pub fn next_wall_clock(&self) -> Option<Timestamp> {
        self.graph.next_wall_clock()
    }

    /// The typed failure behind `error`, when it came from the output.
    #[cold]
    fn failed(&self, output: &mut RecordCollector, error: ProcessError) -> TaskError {
        let task = self.spec.id;
        output.take_failure(task).unwrap_or(TaskError::Process { task, error })
    }
}

impl fmt::Debug for StreamTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTask")
            .field("task", &self.spec.id)
            .field("buffered", &self.group.buffered())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
