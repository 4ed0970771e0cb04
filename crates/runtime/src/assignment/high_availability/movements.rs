//! Tasks whose place is not caught up run elsewhere meanwhile, and their place is warmed up (Java's `TaskMovement`).

use std::collections::{BTreeMap, BTreeSet};

use headwater_topology::TaskId;
use headwater_topology::priority_queue::PriorityQueue;

use super::shares::{Process, Role, Shares};
use crate::assignment::{ClusterView, UNKNOWN_OFFSET};

/// A task that is not caught up where it is to be, while somebody else is more so.
#[derive(Clone, Copy, Debug)]
struct Movement {
    task: TaskId,
    destination: Process,
}

/// What each process knows of each stateful task, and what is left to hand out.
pub(super) struct Movements<'a> {
    shares: &'a mut Shares,
    caught_up: BTreeMap<TaskId, BTreeSet<Process>>,
    /// Lags and processes, the smallest first; an unknown lag comes first of all, as in Java.
    by_lag: BTreeMap<TaskId, BTreeSet<(i64, Process)>>,
    /// Standbys that are warmed up to become active.
    warming_up: BTreeSet<(Process, TaskId)>,
    warmups_left: usize,
}

impl<'a> Movements<'a> {
    pub(super) fn new(view: &ClusterView, shares: &'a mut Shares) -> Self {
        let stateful = || view.tasks.iter().filter(|(_, task)| task.stateful).map(|(id, _)| *id);
        let acceptable = view.settings.acceptable_recovery_lag;
        let caught_up = |task: TaskId| {
            let clients = view.clients.iter().filter(|(_, client)| client.is_caught_up(task, acceptable));
            clients.map(|(id, _)| Process::of(*id)).collect()
        };
        let by_lag = |task: TaskId| {
            let lag =
                |lags: &BTreeMap<TaskId, Option<i64>>| lags.get(&task).copied().flatten().unwrap_or(UNKNOWN_OFFSET);
            view.clients.iter().map(|(id, client)| (lag(&client.lags), Process::of(*id))).collect()
        };
        Movements {
            shares,
            caught_up: stateful().map(|task| (task, caught_up(task))).collect(),
            by_lag: stateful().map(|task| (task, by_lag(task))).collect(),
            warming_up: BTreeSet::new(),
            warmups_left: view.settings.max_warmup_replicas,
        }
    }

    /// Returns how many tasks are not where they belong.
    pub(super) fn carry_out(mut self) -> usize {
        let active = self.needed(Role::Active);
        for movement in &active {
            self.move_active(*movement);
        }
        let standby = self.needed(Role::Standby);
        let moved = standby.into_iter().filter(|movement| self.move_standby(*movement)).count();
        active.len() + moved
    }

    /// Those come first that fewest are caught up on: they have the least choice.
    fn needed(&self, role: Role) -> Vec<Movement> {
        let mut queue = PriorityQueue::new();
        for (destination, share) in self.shares.iter() {
            let tasks = if role == Role::Active { &share.active } else { &share.standby };
            for task in tasks.iter().copied() {
                if !self.warming_up.contains(&(destination, task))
                    && !self.is_caught_up(task, destination)
                    && self.somebody_is_more_caught_up(task, destination)
                {
                    let caught_up = self.caught_up.get(&task).map_or(0, BTreeSet::len);
                    queue.push((caught_up, task), Movement { task, destination });
                }
            }
        }
        std::iter::from_fn(|| queue.pop()).map(|(_, movement)| movement).collect()
    }

    fn is_caught_up(&self, task: TaskId, process: Process) -> bool {
        self.caught_up.get(&task).is_some_and(|caught_up| caught_up.contains(&process))
    }

    fn somebody_is_more_caught_up(&self, task: TaskId, than: Process) -> bool {
        let Some(by_lag) = self.by_lag.get(&task) else { return false };
        let lag = by_lag.iter().find(|(_, process)| *process == than).map(|(lag, _)| *lag);
        by_lag.first().map(|(lag, _)| *lag) < lag
    }

    /// Who is more caught up than `than`, the most of those that `fits` lets pass.
    fn most_caught_up(&self, task: TaskId, than: Process, fits: impl Fn(Process) -> bool) -> Option<Process> {
        let before = self.by_lag.get(&task)?.iter().map(|(_, process)| *process).take_while(|process| *process != than);
        before.into_iter().find(|process| fits(*process))
    }

    /// To a standby that is caught up, which changes places with it; to anybody who is caught up; to whoever is most so.
    fn move_active(&mut self, Movement { task, destination }: Movement) {
        let standby = self
            .shares
            .least_loaded(|process, share| self.is_caught_up(task, process) && share.standby.contains(&task));
        if let Some(source) = standby {
            return self.swap(task, source, destination);
        }
        if let Some(source) = self.shares.least_loaded(|process, _| self.is_caught_up(task, process)) {
            return self.move_and_warm_up(task, source, destination);
        }
        let Some(source) = self.most_caught_up(task, destination, |_| true) else { return };
        let is_standby = self.shares.iter().any(|(process, share)| process == source && share.standby.contains(&task));
        if is_standby {
            self.swap(task, source, destination);
        } else {
            self.move_and_warm_up(task, source, destination);
        }
    }

    fn swap(&mut self, task: TaskId, source: Process, destination: Process) {
        self.shares.take(task, source, Role::Standby);
        self.shares.put(task, source, Role::Active);
        self.shares.take(task, destination, Role::Active);
        self.shares.put(task, destination, Role::Standby);
    }

    fn move_and_warm_up(&mut self, task: TaskId, source: Process, destination: Process) {
        self.shares.put(task, source, Role::Active);
        self.shares.take(task, destination, Role::Active);
        if self.warms_up() {
            self.shares.put(task, destination, Role::Standby);
            self.warming_up.insert((destination, task));
        }
    }

    /// Returns whether there was somebody to move it to.
    fn move_standby(&mut self, Movement { task, destination }: Movement) -> bool {
        let caught_up = self.shares.least_loaded(|process, share| self.is_caught_up(task, process) && !share.has(task));
        let has = |process| self.shares.iter().any(|(other, share)| other == process && share.has(task));
        let Some(source) = caught_up.or_else(|| self.most_caught_up(task, destination, |process| !has(process))) else {
            return false;
        };
        self.shares.put(task, source, Role::Standby);
        if !self.warms_up() {
            self.shares.take(task, destination, Role::Standby);
        }
        true
    }

    /// Whether one more may be warmed up.
    fn warms_up(&mut self) -> bool {
        let may = self.warmups_left > 0;
        self.warmups_left = self.warmups_left.saturating_sub(1);
        may
    }
}
