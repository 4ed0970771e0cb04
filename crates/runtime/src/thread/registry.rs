//! Which tasks this thread is to have, and where each of them is.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::TopicPartition;
use headwater_topology::TaskId;

use crate::membership::Assignment;
use crate::task::{ClosedTask, StreamTask, TaskStores};

/// What a task is to be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Processing.
    Active,
    /// Kept up to date.
    Standby,
    /// Gone.
    Nothing,
}

/// Where a task is.
#[derive(Debug)]
pub(super) enum Place {
    /// Not opened yet.
    Nowhere,
    /// With the restore worker.
    Updating {
        /// As an active task that is being restored, not as a standby.
        active: bool,
    },
    /// With the restore worker, which was asked to give it back.
    Returning,
    /// Its stores are here, and may lack what was written last.
    Stopped(TaskStores),
    /// Its stores are here, with all that was written: it may be started.
    Complete(TaskStores),
    /// It processes.
    Active(Box<StreamTask>),
}

impl Place {
    /// Where a task's stores are once it has closed.
    pub(super) fn after(closed: ClosedTask) -> Self {
        let ClosedTask { stores, is_complete, held } = closed;
        for store in &held {
            tracing::error!(task = %stores.id, store = store.index(), "something of a task that has closed holds a store open: no task of this process can open it again");
        }
        debug_assert!(held.is_empty(), "a task that closes frees all that it held");
        if is_complete { Place::Complete(stores) } else { Place::Stopped(stores) }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wanted: Wanted,
    pub(super) place: Place,
    /// Its input partitions, as the leader said.
    pub(super) inputs: BTreeSet<TopicPartition>,
}

/// All tasks of a thread.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: BTreeMap<TaskId, Entry>,
    owners: BTreeMap<TopicPartition, TaskId>,
    assigned: bool,
    revoked: bool,
}

impl Registry {
    /// These are the tasks from now on.
    pub(super) fn assign(&mut self, assignment: &Assignment) {
        self.assigned = true;
        self.revoked = false;
        for entry in self.entries.values_mut() {
            entry.wanted = Wanted::Nothing;
        }
        let standby = assignment.standby.iter().map(|(task, inputs)| (task, inputs, Wanted::Standby));
        let active = assignment.active.iter().map(|(task, inputs)| (task, inputs, Wanted::Active));
        for (task, inputs, wanted) in standby.chain(active) {
            let place = Place::Nowhere;
            let entry = self.entries.entry(*task).or_insert(Entry { wanted, place, inputs: BTreeSet::new() });
            entry.wanted = wanted;
            entry.inputs.clone_from(inputs);
        }
        self.index();
    }

    /// The active tasks that read any of these partitions are not wanted any more. They are given.
    pub(super) fn revoke(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<TaskId> {
        self.revoked = true;
        let mut revoked = Vec::new();
        for (task, entry) in &mut self.entries {
            if entry.wanted == Wanted::Active && !entry.inputs.is_disjoint(partitions) {
                entry.wanted = Wanted::Nothing;
                revoked.push(*task);
            }
        }
        revoked
    }

    /// No active task is wanted any more. They are given.
    pub(super) fn lose(&mut self) -> Vec<TaskId> {
        self.revoked = true;
        let active = self.entries.iter_mut().filter(|(_, entry)| entry.wanted == Wanted::Active);
        active
            .map(|(task, entry)| {
                entry.wanted = Wanted::Nothing;
                *task
            })
            .collect()
    }

    /// No task is wanted any more.
    pub(super) fn want_nothing(&mut self) {
        for entry in self.entries.values_mut() {
            entry.wanted = Wanted::Nothing;
        }
    }

    fn index(&mut self) {
        let of_actives = self.entries.iter().filter(|(_, entry)| entry.wanted == Wanted::Active);
        self.owners = of_actives
            .flat_map(|(task, entry)| entry.inputs.iter().map(|partition| (partition.clone(), *task)))
            .collect();
    }

    pub(super) fn entry(&mut self, task: TaskId) -> Option<&mut Entry> {
        self.entries.get_mut(&task)
    }

    pub(super) fn ids(&self) -> Vec<TaskId> {
        self.entries.keys().copied().collect()
    }

    pub(super) fn remove(&mut self, task: TaskId) -> Option<Entry> {
        self.entries.remove(&task)
    }

    /// The tasks that process other partitions than the leader says.
    pub(super) fn with_other_inputs(&self) -> Vec<TaskId> {
        let differs = |entry: &Entry| match &entry.place {
            Place::Active(active) if entry.wanted == Wanted::Active => {
                let inputs = &active.spec().inputs;
                inputs.len() != entry.inputs.len()
                    || inputs.iter().any(|input| !entry.inputs.contains(&input.partition))
            }
            _ => false,
        };
        self.entries.iter().filter(|(_, entry)| differs(entry)).map(|(task, _)| *task).collect()
    }

    /// Removes all tasks but those that the restore worker has.
    pub(super) fn remove_those_back(&mut self) {
        self.entries.retain(|_, entry| matches!(entry.place, Place::Returning));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Entry)> {
        self.entries.iter().map(|(task, entry)| (*task, entry))
    }

    /// The task that processes `partition`.
    pub(super) fn owner(&mut self, partition: &TopicPartition) -> Option<&mut StreamTask> {
        let task = *self.owners.get(partition)?;
        self.active(task)
    }

    /// The task, if it processes.
    pub(super) fn active(&mut self, task: TaskId) -> Option<&mut StreamTask> {
        match &mut self.entries.get_mut(&task)?.place {
            Place::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn actives(&self) -> impl Iterator<Item = &StreamTask> {
        self.entries.values().filter_map(|entry| match &entry.place {
            Place::Active(active) => Some(&**active),
            _ => None,
        })
    }

    pub(super) fn actives_mut(&mut self) -> impl Iterator<Item = &mut StreamTask> {
        self.entries.values_mut().filter_map(|entry| match &mut entry.place {
            Place::Active(active) => Some(&mut **active),
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
        let mut active = self.entries.values().filter(|entry| entry.wanted == Wanted::Active);
        active.all(|entry| matches!(entry.place, Place::Active(_)))
    }

    /// Whether a task is with the restore worker, or cannot be opened yet, and should be looked at soon.
    pub(super) fn is_waiting_for_stores(&self) -> bool {
        self.entries.values().any(|entry| match entry.place {
            Place::Updating { active } => active,
            Place::Nowhere | Place::Returning | Place::Stopped(_) | Place::Complete(_) => true,
            Place::Active(_) => false,
        })
    }
}
