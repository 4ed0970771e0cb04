//! Where the tasks stand, for those who ask from elsewhere.

use std::collections::BTreeMap;

use headwater_record::{Timestamp, TopicPartition};
use headwater_topology::TaskId;

use super::{Entry, TargetRole, TaskManager, TaskState};
use crate::changelog::TaskProgress;
use crate::instance::{InputProgress, TaskMetadata, TaskPhase, TaskRole};
use crate::task::StreamTask;
use crate::thread::fetcher::Fetcher;

impl TaskManager {
    /// All tasks, as they are now.
    pub(in crate::thread) fn describe(&self, fetcher: &Fetcher) -> BTreeMap<TaskId, TaskMetadata> {
        let progress = self.updater.progress();
        let of_task = |(task, entry): (&TaskId, &Entry)| (*task, entry.describe(progress.get(task), fetcher));
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

    fn describe(&self, progress: Option<&TaskProgress>, fetcher: &Fetcher) -> TaskMetadata {
        let (role, phase) = self.stands();
        let of_running = match &self.state {
            TaskState::Running(task) => Some(&**task),
            _ => None,
        };
        TaskMetadata {
            role,
            phase,
            inputs: match of_running {
                Some(task) => inputs(task, fetcher),
                None => self.inputs.iter().map(|partition| (partition.clone(), InputProgress::UNKNOWN)).collect(),
            },
            stream_time: of_running.map_or(Timestamp::UNKNOWN, StreamTask::stream_time),
            stores: progress.map_or_else(Vec::new, |progress| progress.stores.clone()),
        }
    }
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
        };
        (partition.clone(), progress)
    });
    of_queue.collect()
}
