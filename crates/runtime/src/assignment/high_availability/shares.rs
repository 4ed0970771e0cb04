//! What each process gets, while that is decided (the deciding half of Java's `ClientState`).

use std::collections::{BTreeMap, BTreeSet};

use headwater_topology::TaskId;
use uuid::Uuid;

use crate::assignment::{ClusterView, Placement};

/// A process, in Java's order: by the two halves of its id, as signed numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process(i64, i64);

impl Process {
    pub(super) fn of(id: Uuid) -> Self {
        let (high, low) = id.as_u64_pair();
        Process(high.cast_signed(), low.cast_signed())
    }

    pub(super) fn id(self) -> Uuid {
        Uuid::from_u64_pair(self.0.cast_unsigned(), self.1.cast_unsigned())
    }
}

/// As what a process has a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Active,
    Standby,
}

/// What one process gets.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    threads: usize,
    pub(super) active: BTreeSet<TaskId>,
    pub(super) standby: BTreeSet<TaskId>,
}

impl Share {
    pub(super) fn has(&self, task: TaskId) -> bool {
        self.active.contains(&task) || self.standby.contains(&task)
    }

    fn tasks(&mut self, role: Role) -> &mut BTreeSet<TaskId> {
        match role {
            Role::Active => &mut self.active,
            Role::Standby => &mut self.standby,
        }
    }

    fn count(&self) -> f64 {
        (self.active.len() + self.standby.len()) as f64
    }

    /// Tasks by thread, in floating point as Java compares them.
    fn load(&self) -> f64 {
        self.count() / self.threads as f64
    }

    fn active_load(&self) -> f64 {
        self.active.len() as f64 / self.threads as f64
    }

    /// Whether a task more there and one less here would be more even, and not uneven the other way.
    fn should_give_to(&self, other: &Share) -> bool {
        let skew = self.load() - other.load();
        let with_one_more = (other.count() + 1.0) / other.threads as f64;
        let with_one_less = (self.count() - 1.0) / self.threads as f64;
        let proposed = with_one_less - with_one_more;
        skew > 0.0 && proposed >= 0.0 && proposed < skew
    }
}

/// What all processes get.
#[derive(Clone, Debug)]
pub(super) struct Shares(BTreeMap<Process, Share>);

impl Shares {
    pub(super) fn of(view: &ClusterView) -> Self {
        let share = |(id, client): (&Uuid, &crate::assignment::ClientView)| {
            (Process::of(*id), Share { threads: client.capacity(), ..Share::default() })
        };
        Shares(view.clients.iter().map(share).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Process, &Share)> {
        self.0.iter().map(|(process, share)| (*process, share))
    }

    fn get_mut(&mut self, process: Process) -> &mut Share {
        self.0.entry(process).or_default()
    }

    /// One after the other, whatever their threads.
    pub(super) fn deal(&mut self, tasks: &[TaskId]) {
        let processes: Vec<Process> = self.0.keys().copied().collect();
        for (task, process) in tasks.iter().zip(processes.iter().cycle()) {
            self.get_mut(*process).active.insert(*task);
        }
    }

    /// Moves tasks that are there in `role` until no move would make it more even.
    pub(super) fn balance(&mut self, role: Role) {
        let processes: Vec<Process> = self.0.keys().copied().collect();
        loop {
            let gave = processes.iter().filter(|from| self.give(**from, role, &processes)).count();
            if gave == 0 {
                return;
            }
        }
    }

    /// Gives away what one process has too much. Returns whether it gave anything.
    fn give(&mut self, from: Process, role: Role, to: &[Process]) -> bool {
        let mut gave = false;
        for to in to.iter().filter(|to| **to != from) {
            for task in self.get_mut(from).tasks(role).clone() {
                let (Some(source), Some(destination)) = (self.0.get(&from), self.0.get(to)) else { continue };
                if !source.should_give_to(destination) {
                    break;
                }
                if !destination.has(task) {
                    self.take(task, from, role);
                    self.put(task, *to, role);
                    gave = true;
                }
            }
        }
        gave
    }

    pub(super) fn put(&mut self, task: TaskId, to: Process, role: Role) {
        self.get_mut(to).tasks(role).insert(task);
    }

    pub(super) fn take(&mut self, task: TaskId, from: Process, role: Role) {
        self.get_mut(from).tasks(role).remove(&task);
    }

    /// The process with the least to do of those that `fits` lets pass; the first of several.
    pub(super) fn least_loaded(&self, fits: impl Fn(Process, &Share) -> bool) -> Option<Process> {
        let fitting = self.iter().filter(|(process, share)| fits(*process, share));
        fitting.min_by(|(_, one), (_, other)| one.load().total_cmp(&other.load())).map(|(process, _)| process)
    }

    pub(super) fn add_standbys(&mut self, task: TaskId, replicas: usize) {
        for _ in 0..replicas {
            let Some(process) = self.least_loaded(|_, share| !share.has(task)) else { return };
            self.put(task, process, Role::Standby);
        }
    }

    pub(super) fn add_stateless(&mut self, task: TaskId) {
        let least = self.iter().min_by(|(_, one), (_, other)| one.active_load().total_cmp(&other.active_load()));
        if let Some((process, _)) = least {
            self.put(task, process, Role::Active);
        }
    }

    pub(super) fn into_placement(self) -> Placement {
        let mut placement = Placement::default();
        for (process, share) in self.0 {
            placement.active.extend(share.active.into_iter().map(|task| (task, process.id())));
            for task in share.standby {
                placement.standby.entry(task).or_default().insert(process.id());
            }
        }
        placement
    }
}
