//! The thread's tasks (Java's `TaskManager`): which it is to have, where each of them is, and the only code that changes that.

mod describe;
mod moves;
mod readers;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use headwater_record::{Offset, TopicPartition};
use headwater_store::cache::Budget;
use headwater_topology::TaskId;

use self::work::Turns;
use super::context::ThreadContext;
use super::state_updater::StateUpdater;
use crate::assignment::LATEST_OFFSET;
use crate::instance::{Inbox, TaskPhase, TaskRole};
use crate::membership::Assignment;
use crate::output::RecordCollector;
use crate::task::{ClosedTask, StreamTask, TaskStores};
use crate::{Error, metric};

/// What a task is to be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetRole {
    /// Processing.
    Active,
    /// Kept up to date.
    Standby,
    /// Gone.
    Nothing,
}

/// Where a task is.
#[derive(Debug)]
enum TaskState {
    /// Not opened yet.
    Created,
    /// With the state updater.
    Updating {
        /// As an active task that is being restored, not as a standby.
        active: bool,
    },
    /// With the state updater, which was asked to give it back.
    Returning,
    /// Its stores are here, and may lack what was written last.
    Suspended(TaskStores),
    /// Its stores are here, with all that was written: it may be started.
    Restored(TaskStores),
    /// It processes.
    Running(Box<StreamTask>),
}

impl TaskState {
    /// Where a task's stores are once it has closed.
    fn after(closed: ClosedTask) -> Self {
        let ClosedTask { stores, is_complete, .. } = closed;
        if is_complete { TaskState::Restored(stores) } else { TaskState::Suspended(stores) }
    }
}

#[derive(Debug)]
struct Entry {
    target: TargetRole,
    state: TaskState,
    /// Its input partitions, as the leader said.
    inputs: BTreeSet<TopicPartition>,
    /// What those who read its stores know of it.
    told: Option<(TaskRole, TaskPhase)>,
}

impl Entry {
    /// The task, if it processes.
    fn active(&mut self) -> Option<&mut StreamTask> {
        match &mut self.state {
            TaskState::Running(active) => Some(active),
            _ => None,
        }
    }
}

/// All tasks of a thread.
pub(super) struct TaskManager {
    cx: ThreadContext,
    entries: BTreeMap<TaskId, Entry>,
    owners: BTreeMap<TopicPartition, TaskId>,
    updater: StateUpdater,
    /// What the record caches of the tasks may use together.
    cache: Rc<Budget>,
    turns: Turns,
    /// What those ask who read stores from elsewhere.
    inbox: Inbox,
    assigned: bool,
    revoked: bool,
    /// How often tasks came or went: what was asked about them before that says nothing any more.
    epoch: u64,
    /// Whether it was asked where inputs begin, and there is no answer yet.
    asked: bool,
    /// How many of those were served who wait for views of stores.
    views_served: u64,
}

impl TaskManager {
    /// No tasks yet; their stores are brought up to date by `updater`.
    pub(super) fn new(cx: &ThreadContext, updater: StateUpdater, inbox: Inbox) -> Self {
        TaskManager {
            entries: BTreeMap::new(),
            owners: BTreeMap::new(),
            updater,
            cache: Rc::new(Budget::new(cx.config().cache_bytes_per_thread())),
            turns: Turns::default(),
            inbox,
            assigned: false,
            revoked: false,
            epoch: 0,
            asked: false,
            views_served: 0,
            cx: cx.clone(),
        }
    }

    /// These are the tasks from now on.
    ///
    /// # Errors
    /// When this instance's topology does not have them.
    pub(super) fn assign(&mut self, assignment: &Assignment) -> Result<(), Error> {
        self.check(assignment)?;
        let shown = |tasks: &BTreeMap<TaskId, BTreeSet<TopicPartition>>| {
            tasks.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        tracing::info!(
            thread = self.cx.number,
            active = shown(&assignment.active),
            standby = shown(&assignment.standby),
            "tasks assigned"
        );
        self.assigned = true;
        self.revoked = false;
        self.epoch += 1;
        self.want_nothing();
        let standby = assignment.standby.iter().map(|(task, inputs)| (task, inputs, TargetRole::Standby));
        let active = assignment.active.iter().map(|(task, inputs)| (task, inputs, TargetRole::Active));
        for (task, inputs, target) in standby.chain(active) {
            let new = || Entry { target, state: TaskState::Created, inputs: BTreeSet::new(), told: None };
            let entry = self.entries.entry(*task).or_insert_with(new);
            entry.target = target;
            entry.inputs.clone_from(inputs);
        }
        self.index();
        metric::tasks_assigned(self.cx.number, assignment.active.len(), assignment.standby.len());
        Ok(())
    }

    /// The active tasks that read any of these partitions are not wanted any more. They are given.
    pub(super) fn revoke(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<TaskId> {
        self.revoked = true;
        let mut revoked = Vec::new();
        for (task, entry) in &mut self.entries {
            if entry.target == TargetRole::Active && !entry.inputs.is_disjoint(partitions) {
                entry.target = TargetRole::Nothing;
                revoked.push(*task);
            }
        }
        revoked
    }

    /// No active task is wanted any more. They are given.
    pub(super) fn lose(&mut self) -> Vec<TaskId> {
        self.revoked = true;
        let active = self.entries.iter_mut().filter(|(_, entry)| entry.target == TargetRole::Active);
        active
            .map(|(task, entry)| {
                entry.target = TargetRole::Nothing;
                *task
            })
            .collect()
    }

    /// No task is wanted any more.
    pub(super) fn want_nothing(&mut self) {
        for entry in self.entries.values_mut() {
            entry.target = TargetRole::Nothing;
        }
    }

    fn index(&mut self) {
        let of_actives = self.entries.iter().filter(|(_, entry)| entry.target == TargetRole::Active);
        self.owners = of_actives
            .flat_map(|(task, entry)| entry.inputs.iter().map(|partition| (partition.clone(), *task)))
            .collect();
    }

    pub(super) fn ids(&self) -> Vec<TaskId> {
        self.entries.keys().copied().collect()
    }

    /// The tasks that process other partitions than the leader says.
    pub(super) fn with_other_inputs(&self) -> Vec<TaskId> {
        let differs = |entry: &Entry| match &entry.state {
            TaskState::Running(active) if entry.target == TargetRole::Active => {
                let inputs = &active.spec().inputs;
                inputs.len() != entry.inputs.len()
                    || inputs.iter().any(|input| !entry.inputs.contains(&input.partition))
            }
            _ => false,
        };
        self.entries.iter().filter(|(_, entry)| differs(entry)).map(|(task, _)| *task).collect()
    }

    /// The task that processes `partition`.
    pub(super) fn owner(&mut self, partition: &TopicPartition) -> Option<&mut StreamTask> {
        let task = *self.owners.get(partition)?;
        self.active(task)
    }

    /// The task, if it processes.
    pub(super) fn active(&mut self, task: TaskId) -> Option<&mut StreamTask> {
        self.entries.get_mut(&task)?.active()
    }

    pub(super) fn actives(&self) -> impl Iterator<Item = &StreamTask> {
        self.entries.values().filter_map(|entry| match &entry.state {
            TaskState::Running(active) => Some(&**active),
            _ => None,
        })
    }

    pub(super) fn actives_mut(&mut self) -> impl Iterator<Item = &mut StreamTask> {
        self.entries.values_mut().filter_map(|entry| match &mut entry.state {
            TaskState::Running(active) => Some(&mut **active),
            _ => None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the group has said something yet.
    pub(super) fn was_assigned(&self) -> bool {
        self.assigned
    }

    /// Whether tasks were taken away and nothing was given since.
    pub(super) fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// Whether every active task processes.
    pub(super) fn is_complete(&self) -> bool {
        let mut active = self.entries.values().filter(|entry| entry.target == TargetRole::Active);
        active.all(|entry| matches!(entry.state, TaskState::Running(_)))
    }

    /// Whether a task is with the restore worker, or cannot be opened yet, and should be looked at soon.
    pub(super) fn is_waiting_for_stores(&self) -> bool {
        self.entries.values().any(|entry| match entry.state {
            TaskState::Updating { active } => active,
            TaskState::Created | TaskState::Returning | TaskState::Suspended(_) | TaskState::Restored(_) => true,
            TaskState::Running(_) => false,
        })
    }

    /// Whether a task that has something to commit asks for it. Who asks without, as in `init`, is heard with the first record.
    pub(super) fn commit_requested(&self) -> bool {
        self.actives().any(|task| task.commit_requested() && task.commit_needed())
    }

    /// How much the stores of tasks that process hold that is not committed.
    pub(super) fn uncommitted_bytes(&self) -> usize {
        self.actives().map(StreamTask::uncommitted_bytes).sum()
    }

    /// Has all stores bring to disk what was committed. What fails is tried again by the next flush of theirs.
    pub(super) fn sync(&mut self) {
        for task in self.actives_mut() {
            if let Err(error) = task.sync() {
                tracing::warn!(task = %task.id(), %error, "a store could not bring to disk what was committed");
            }
        }
    }

    pub(super) fn commit_needed(&self) -> bool {
        self.actives().any(StreamTask::commit_needed)
    }

    /// Counts the records that were left out since the last time.
    pub(super) fn tell_dropped(&mut self, collector: &RecordCollector) {
        self.actives_mut().for_each(|task| task.tell_dropped(collector));
    }

    /// How far this thread's tasks and the states that nobody has open are, for the leader.
    pub(super) fn offset_sums(&self) -> BTreeMap<TaskId, i64> {
        let instance = &self.cx.instance;
        let mut sums = instance.directory.noted_offset_sums().unwrap_or_else(|error| {
            tracing::warn!(%error, "what is in the state directory cannot be told to the group");
            BTreeMap::new()
        });
        // What another thread has open, that thread tells.
        let is_free = |task: &TaskId| !instance.directory.is_claimed(*task);
        sums.retain(|task, _| instance.topology.subtopology(task.subtopology).is_some() && is_free(task));
        sums.extend(self.updater.progress().iter().map(|(task, progress)| (*task, progress.offset_sum)));
        for (task, entry) in &self.entries {
            match &entry.state {
                TaskState::Running(running) if running.is_stateful() => sums.insert(*task, LATEST_OFFSET),
                TaskState::Suspended(stores) | TaskState::Restored(stores) if !stores.changelogs.is_empty() => {
                    sums.insert(*task, stores.offset_sum())
                }
                _ => None,
            };
        }
        sums
    }

    /// The committed offsets of repartition topics: what lies before them was consumed for good.
    pub(super) fn purgeable(&self) -> Vec<(TopicPartition, Offset)> {
        let committed = self.actives().flat_map(StreamTask::committed_offsets);
        let committed = committed.filter(|(partition, _)| self.cx.is_repartition(partition));
        committed.map(|(partition, committed)| (partition.clone(), committed.offset)).collect()
    }

    /// How often tasks came or went.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl std::fmt::Debug for TaskManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskManager").field("entries", &self.entries).finish_non_exhaustive()
    }
}
