//! Global stores: filled record by record from all partitions of their topics.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{RawRecord, Timestamp, Topic, TopicPartition};
use headwater_store::cache::Budget;
use headwater_topology::node::{NodeKind, SourceTopics};
use headwater_topology::{
    Application, NodeId, ProcessError, RecordContext, SharedStore, StoreId, TaskClock, TaskContext, TaskGraph, TaskId,
    Topology,
};

use crate::handler::ExceptionHandlers;
use crate::output::RecordCollector;
use crate::task::{TaskError, TaskSpec};

/// A task that is not one: Java names it so in its messages.
pub(crate) const NO_TASK: TaskId = TaskId::new(-1, -1);

/// All global parts of a topology, alive (Java's `GlobalStateUpdateTask`). It stays on its thread. What it writes through its
/// output are dead letters only: a global store's processor has nothing below it, and the topic it reads is its changelog.
pub struct GlobalTask {
    graph: TaskGraph,
    sources: HashMap<Topic, NodeId>,
    stores: HashMap<StoreId, SharedStore>,
    clock: TaskClock,
    handlers: ExceptionHandlers,
    lane: usize,
}

impl GlobalTask {
    /// Brings the global parts of `topology` to life over their `stores`.
    ///
    /// # Errors
    /// [`TaskError::Wiring`] when a serde is missing or a store is not there.
    pub fn start(
        topology: &Topology,
        stores: HashMap<StoreId, SharedStore>,
        handlers: ExceptionHandlers,
        application: Arc<Application>,
        cache: Rc<Budget>,
        output: &mut RecordCollector,
        now: Timestamp,
    ) -> Result<Self, TaskError> {
        let wired = |error| TaskError::Wiring { task: NO_TASK, error };
        output.register(&TaskSpec { id: NO_TASK, inputs: Vec::new(), stores: Vec::new() });
        let lane = output.lane_of(NO_TASK);
        let mut emit = output.lane(lane);
        let sources = Self::topics(topology);
        let mut nodes: Vec<NodeId> = sources.values().copied().collect();
        nodes.sort_unstable();
        nodes.dedup();
        let graph = TaskGraph::wire(topology, NO_TASK, &nodes, &mut emit, &stores, cache).map_err(wired)?;
        let clock = TaskClock { now, application, ..TaskClock::default() };
        let mut task = GlobalTask { graph, sources, stores, clock, handlers, lane };
        let mut cx = TaskContext::new(NO_TASK, &mut task.clock, &mut emit, &task.handlers);
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
    pub fn update(
        &mut self,
        output: &mut RecordCollector,
        from: &TopicPartition,
        raw: RawRecord<'_>,
        now: Timestamp,
    ) -> Result<(), TaskError> {
        let Some(&node) = self.sources.get(&from.topic) else { return Ok(()) };
        self.clock.now = now;
        let input = RecordContext {
            timestamp: raw.timestamp,
            offset: raw.offset,
            partition: from.partition,
            topic: Some(from.topic.clone()),
            headers: raw.headers.to_headers(),
        };
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(NO_TASK, &mut self.clock, &mut emit, &self.handlers);
        cx.at_input(input, raw);
        let pushed = self.graph.push(node, &mut cx, raw, raw.timestamp);
        pushed.map_err(|error| failed(output, error))
    }

    /// Writes all cached changes to the stores.
    ///
    /// # Errors
    /// As [`GlobalTask::update`]; and when a dead letter could not be written.
    pub fn flush(&mut self, output: &mut RecordCollector, now: Timestamp) -> Result<(), TaskError> {
        self.clock.now = now;
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(NO_TASK, &mut self.clock, &mut emit, &self.handlers);
        let flushed = self.graph.flush(&mut cx);
        flushed.map_err(|error| failed(output, error))?;
        output.take_failure(NO_TASK).map_or(Ok(()), Err)
    }

    /// Calls `close` of the processors.
    pub fn close(mut self) {
        self.graph.close();
    }

    /// Records that were left out.
    pub fn dropped_records(&self) -> u64 {
        self.clock.dropped
    }

    /// Dead letters that were sent of its records.
    pub fn dead_letters(&self) -> u64 {
        self.clock.dead_letters
    }
}

impl fmt::Debug for GlobalTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalTask").field("topics", &self.sources.keys()).finish_non_exhaustive()
    }
}

/// The typed failure behind `error`, when it came from the output.
#[cold]
fn failed(output: &mut RecordCollector, error: ProcessError) -> TaskError {
    output.take_failure(NO_TASK).unwrap_or(TaskError::Process { task: NO_TASK, error })
}
