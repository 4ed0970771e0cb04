//! Where the tasks stand and what they counted, for those who ask from elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Timestamp, TopicPartition};
use headwater_topology::{DropReason, NodeId, TaskId, Topology};

use super::{Entry, TargetRole, TaskManager, TaskState};
use crate::changelog::TaskProgress;
use crate::instance::{InputProgress, NodeMetadata, TaskMetadata, TaskPhase, TaskRole};
use crate::output::RecordCollector;
use crate::task::StreamTask;
use crate::thread::fetcher::Fetcher;

impl TaskManager {
    /// All tasks, as they are now.
    pub(in crate::thread) fn describe(
        &self,
        fetcher: &Fetcher,
        collector: &RecordCollector,
        now: Timestamp,
    ) -> BTreeMap<TaskId, TaskMetadata> {
        let (progress, topology) = (self.updater.progress(), &self.cx.instance.topology);
        let of_task = |(task, entry): (&TaskId, &Entry)| {
            let mut described = entry.describe(progress.get(task));
            if let TaskState::Running(running) = &entry.state {
                described.adds(running, topology, now);
                described.inputs = inputs(running, fetcher);
                let unwritten = collector.dropped(*task);
                described.dead_letters = running.dead_letters(collector);
                if unwritten > 0 {
                    *described.dropped.entry(DropReason::Unwritten).or_default() += unwritten;
                }
            }
            (*task, described)
        };
        self.entries.iter().map(of_task).collect()
    }
}

impl Entry {
    /// What the task is here for, and where it stands.
    pub(super) fn stands(&self) -> (TaskRole, TaskPhase) {
        let role = match self.target {
            TargetRole::Active => TaskRole::Active,
            TargetRole::Standby => TaskRole::Standby,
            TargetRole::Nothing => TaskRole::Leaving,
        };
        let phase = match &self.state {
            TaskState::Created => TaskPhase::Created,
            TaskState::Updating { .. } | TaskState::Returning => TaskPhase::Restoring,
            TaskState::Suspended(_) | TaskState::Restored(_) => TaskPhase::Suspended,
            TaskState::Running(_) => TaskPhase::Running,
        };
        (role, phase)
    }

    /// What there is to say of any task.
    fn describe(&self, progress: Option<&TaskProgress>) -> TaskMetadata {
        let (role, phase) = self.stands();
        TaskMetadata {
            role,
            phase,
            inputs: self.inputs.iter().map(|partition| (partition.clone(), InputProgress::UNKNOWN)).collect(),
            stream_time: Timestamp::UNKNOWN,
            stores: progress.map_or_else(Vec::new, |progress| progress.stores.clone()),
            restore: None,
            nodes: BTreeMap::new(),
            dropped: BTreeMap::new(),
            dead_letters: 0,
            caches: BTreeMap::new(),
            commits: 0,
            waits_for: BTreeMap::new(),
        }
    }
}

impl TaskMetadata {
    /// What there is to say of one that processes.
    fn adds(&mut self, task: &StreamTask, topology: &Topology, now: Timestamp) {
        self.stream_time = task.stream_time();
        self.commits = task.commits();
        self.waits_for = task.intake().waits_for(now).map(|partition| (partition.clone(), now)).collect();
        self.nodes = nodes(task, topology);
        for (reason, count) in self.nodes.values().flat_map(|node| &node.dropped) {
            *self.dropped.entry(*reason).or_default() += count;
        }
        let store = |id| topology.store(id).map(|store| store.spec.name.clone());
        self.caches = task.graph().caches().filter_map(|(id, used)| Some((store(id)?, used))).collect();
    }
}

/// What the nodes of `task` counted.
fn nodes(task: &StreamTask, topology: &Topology) -> BTreeMap<Arc<str>, NodeMetadata> {
    let name = |node: NodeId| topology.node(node).map(|spec| Arc::clone(&spec.name));
    let mut nodes: BTreeMap<Arc<str>, NodeMetadata> = BTreeMap::new();
    for edge in task.edges() {
        let Some(to) = name(edge.to) else { continue };
        if let Some(from) = edge.from.and_then(name) {
            *nodes.entry(from).or_default().handed_on.entry(Arc::clone(&to)).or_default() += edge.taken;
        }
        let node = nodes.entry(to).or_default();
        node.taken += edge.taken;
        for (reason, count) in edge.dropped {
            *node.dropped.entry(reason).or_default() += count;
        }
    }
    for (node, held) in task.graph().held() {
        if let Some(name) = name(node) {
            nodes.entry(name).or_default().held = Some(held);
        }
    }
    nodes
}

fn inputs(task: &StreamTask, fetcher: &Fetcher) -> BTreeMap<TopicPartition, InputProgress> {
    let committed: BTreeMap<_, _> = task.committed_offsets().collect();
    let queues = task.intake().queues().iter();
    let of_queue = queues.map(|queue| {
        let partition = queue.partition();
        let progress = InputProgress {
            position: queue.next_offset(),
            committed: committed.get(partition).map(|committed| committed.offset),
            end: fetcher.heard_end(partition),
            buffered: queue.buffered(),
            partition_time: queue.partition_time(),
            since: Timestamp::UNKNOWN,
        };
        (partition.clone(), progress)
    });
    of_queue.collect()
}
