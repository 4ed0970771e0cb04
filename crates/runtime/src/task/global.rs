//! Global stores: filled record by record from all partitions of their topics.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use headwater_record::{Partition, RawRecord, Timestamp, Topic, TopicPartition};
use headwater_store::Store;
use headwater_store::cache::Budget;
use headwater_topology::node::{NodeKind, SourceTopics};
use headwater_topology::{
    Destination, Emit, FailureKind, NodeId, OutputTopic, ProcessError, RecordContext, SharedStore, StoreId, TaskClock,
    TaskContext, TaskGraph, TaskId, Topology,
};

use crate::handler::ExceptionHandlers;
use crate::task::TaskError;

/// A task that is not one: Java names it so in its messages.
const NO_TASK: TaskId = TaskId::new(-1, -1);

/// All global parts of a topology, alive (Java's `GlobalStateUpdateTask`). It stays on its thread.
pub struct GlobalTask {
    graph: TaskGraph,
    sources: HashMap<Topic, NodeId>,
    stores: HashMap<StoreId, SharedStore>,
    clock: TaskClock,
    handlers: ExceptionHandlers,
}

impl GlobalTask {
    /// Brings the global parts of `topology` to life over their open `stores`.
    ///
    /// # Errors
    /// [`TaskError::Wiring`] when a serde is missing or a store is not there.
    pub fn start(
        topology: &Topology,
        stores: HashMap<StoreId, Store>,
        handlers: ExceptionHandlers,
        cache: Rc<Budget>,
        now: Timestamp,
    ) -> Result<Self, TaskError> {
        let wired = |error| TaskError::Wiring { task: NO_TASK, error };
        let stores: HashMap<StoreId, SharedStore> =
            stores.into_iter().map(|(id, store)| (id, Rc::new(RefCell::new(store)))).collect();
        let sources = Self::topics(topology);
        let mut nodes: Vec<NodeId> = sources.values().copied().collect();
        nodes.sort_unstable();
        nodes.dedup();
        let graph = TaskGraph::wire(topology, NO_TASK, &nodes, &mut Nowhere, &stores, cache).map_err(wired)?;
        let clock = TaskClock { now, ..TaskClock::default() };
        let mut task = GlobalTask { graph, sources, stores, clock, handlers };
        let mut nowhere = Nowhere;
        let mut cx = TaskContext::new(NO_TASK, &mut task.clock, &mut nowhere, &task.handlers);
        task.graph.init(&mut cx).map_err(wired)?;
        Ok(task)
    }

    /// The topics of the global parts of `topology`, with the sources that read them.
    pub fn topics(topology: &Topology) -> HashMap<Topic, NodeId> {
        let parts = topology.subtopologies().iter().filter(|part| part.global);
        let nodes = parts.flat_map(|part| part.nodes.iter()).filter_map(|id| Some((*id, topology.node(*id)?)));
        let mut topics = HashMap::new();
        for (id, node) in nodes {
            if let NodeKind::Source { topics: SourceTopics::Named(names), .. } = &node.kind {
                topics.extend(names.iter().map(|name| (Topic::from(name.as_str()), id)));
            }
        }
        topics
    }

    /// Whether `topic` fills a global store.
    pub fn reads(&self, topic: &Topic) -> bool {
        self.sources.contains_key(topic)
    }

    /// The stores, for the tasks that read them.
    pub fn stores(&self) -> &HashMap<StoreId, SharedStore> {
        &self.stores
    }

    /// Applies one record, at its own timestamp. Records of other topics are none of its business.
    ///
    /// # Errors
    /// What no handler let pass.
    pub fn update(&mut self, from: &TopicPartition, raw: RawRecord<'_>, now: Timestamp) -> Result<(), TaskError> {
        let Some(&node) = self.sources.get(&from.topic) else { return Ok(()) };
        self.clock.now = now;
        let input = RecordContext {
            timestamp: raw.timestamp,
            offset: raw.offset,
            partition: from.partition,
            topic: Some(from.topic.clone()),
            headers: raw.headers.to_headers(),
        };
        let mut nowhere = Nowhere;
        let mut cx = TaskContext::new(NO_TASK, &mut self.clock, &mut nowhere, &self.handlers);
        cx.at_input(input, raw);
        self.graph.push(node, &mut cx, raw, raw.timestamp).map_err(|error| TaskError::Process { task: NO_TASK, error })
    }

    /// Writes all cached changes to the stores.
    ///
    /// # Errors
    /// As [`GlobalTask::update`].
    pub fn flush(&mut self, now: Timestamp) -> Result<(), TaskError> {
        self.clock.now = now;
        let mut nowhere = Nowhere;
        let mut cx = TaskContext::new(NO_TASK, &mut self.clock, &mut nowhere, &self.handlers);
        self.graph.flush(&mut cx).map_err(|error| TaskError::Process { task: NO_TASK, error })
    }

    /// Records that were left out.
    pub fn dropped_records(&self) -> u64 {
        self.clock.dropped
    }
}

impl fmt::Debug for GlobalTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalTask").field("topics", &self.sources.keys()).finish_non_exhaustive()
    }
}

/// Global stores write to no topic: what they read is their changelog.
#[derive(Debug)]
struct Nowhere;

impl Nowhere {
    fn refuse<T>() -> Result<T, ProcessError> {
        Err(ProcessError::failed(FailureKind::Production, "a global store's processor cannot write to topics", None))
    }
}

impl Emit for Nowhere {
    fn topic(&mut self, _topic: &str) -> Result<OutputTopic, ProcessError> {
        Self::refuse()
    }

    fn partitions(&mut self, _topic: OutputTopic) -> Result<Partition, ProcessError> {
        Self::refuse()
    }

    fn emit(&mut self, _topic: OutputTopic, _to: Destination, _record: RawRecord<'_>) -> Result<(), ProcessError> {
        Self::refuse()
    }

    fn log(&mut self, _store: StoreId, _record: RawRecord<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
}
