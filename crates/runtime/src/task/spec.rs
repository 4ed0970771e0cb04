//! What a task is made of, as plain data: its input partitions and its stores with their changelogs.

use headwater_record::{Topic, TopicPartition};
use headwater_topology::node::{NodeKind, OffsetReset, SourceTopics};
use headwater_topology::{NodeId, StoreId, Subtopology, TaskId, Topology};

/// One input partition of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInput {
    /// The source that reads it.
    pub node: NodeId,
    /// Which partition.
    pub partition: TopicPartition,
    /// From where to read when nothing was committed yet; `None`: as `auto.offset.reset` says.
    pub reset: Option<OffsetReset>,
}

/// One store of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStore {
    /// Which store.
    pub id: StoreId,
    /// The partition that keeps its changes; `None` for a store without logging.
    pub changelog: Option<TopicPartition>,
    /// Whether `changelog` is a topic that the task reads: then nothing is written to it.
    pub source_changelog: bool,
}

/// What a task is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Which task.
    pub id: TaskId,
    /// Its input partitions, in the order of sources and of the topics that each names.
    pub inputs: Vec<TaskInput>,
    /// Its stores, in the order in which they are registered and flushed. Global stores are not among them.
    pub stores: Vec<TaskStore>,
}

impl TaskSpec {
    /// The task `id` of `topology`, which is bound to its application. `matching` names the existing topics that match a
    /// source's pattern. `None` when the topology has no such part, or only fills a global store with it.
    pub fn of(topology: &Topology, id: TaskId, matching: &dyn Fn(&str) -> Vec<String>) -> Option<Self> {
        let part = topology.subtopology(id.subtopology).filter(|part| !part.global)?;
        Some(TaskSpec { id, inputs: inputs(topology, id, part, matching), stores: stores(topology, id, part) })
    }

    /// The input that reads `partition`.
    pub fn input(&self, partition: &TopicPartition) -> Option<&TaskInput> {
        self.inputs.iter().find(|input| input.partition == *partition)
    }

    /// All input partitions.
    pub fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.inputs.iter().map(|input| &input.partition)
    }

    /// The sources of the task, those whose pattern matches no topic yet included.
    pub fn sources(&self, topology: &Topology) -> Vec<NodeId> {
        let own = topology.subtopology(self.id.subtopology).map(|part| part.nodes.as_slice()).unwrap_or_default();
        let patterns = own.iter().copied().filter(|node| {
            topology
                .node(*node)
                .is_some_and(|spec| matches!(spec.kind, NodeKind::Source { topics: SourceTopics::Pattern(_), .. }))
        });
        let mut sources: Vec<NodeId> = self.inputs.iter().map(|input| input.node).chain(patterns).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}

fn inputs(
    topology: &Topology,
    id: TaskId,
    part: &Subtopology,
    matching: &dyn Fn(&str) -> Vec<String>,
) -> Vec<TaskInput> {
    let mut inputs: Vec<TaskInput> = Vec::new();
    for &node in &part.nodes {
        let Some(spec) = topology.node(node) else { continue };
        let NodeKind::Source { topics, reset } = &spec.kind else { continue };
        let topics: Vec<String> = match topics {
            SourceTopics::Named(topics) => topics.clone(),
            SourceTopics::Pattern(pattern) => {
                let mut found = matching(pattern);
                found.sort();
                found
            }
        };
        for topic in topics {
            let partition = TopicPartition { topic: Topic::from(topic), partition: id.partition };
            // A topic that two patterns match belongs to the first source.
            if inputs.iter().all(|other| other.partition != partition) {
                inputs.push(TaskInput { node, partition, reset: *reset });
            }
        }
    }
    inputs
}

fn stores(topology: &Topology, id: TaskId, part: &Subtopology) -> Vec<TaskStore> {
    let mut stores = Vec::with_capacity(part.stores.len());
    for &store in &part.stores {
        let Some(node) = topology.store(store).filter(|node| !node.global) else { continue };
        let changelog = topology
            .changelog_topic(store)
            .map(|topic| TopicPartition { topic: Topic::from(topic), partition: id.partition });
        stores.push(TaskStore { id: store, changelog, source_changelog: node.source_changelog.is_some() });
    }
    stores
}
