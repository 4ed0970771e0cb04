//! An assignor that leaves tasks where they are.

use std::collections::{BTreeMap, BTreeSet};

use headwater_topology::TaskId;
use uuid::Uuid;

use super::{ClientView, ClusterView, Placement, TaskAssignor};

/// Places tasks evenly by number of threads, first those with state, and moves none that need not move.
///
/// In this order a task goes to: the process that runs it; the process with the most of its state; the process with the fewest
/// tasks for its threads. A process that has more than its share gives up tasks of all sub-topologies alike, rather those of which
/// another process has state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StickyAssignor;

impl TaskAssignor for StickyAssignor {
    fn assign(&self, view: &ClusterView) -> Placement {
        let mut placing = Placing::new(view);
        for stateful in [true, false] {
            let tasks = view.tasks.iter().filter(|(_, task)| task.stateful == stateful);
            placing.place(tasks.map(|(id, _)| *id).collect());
        }
        let active = placing.active;
        let standby = standbys(view, &active);
        Placement { active, standby, probing: false }
    }
}

struct Placing<'a> {
    view: &'a ClusterView,
    threads: usize,
    active: BTreeMap<TaskId, Uuid>,
    load: BTreeMap<Uuid, usize>,
}

impl<'a> Placing<'a> {
    fn new(view: &'a ClusterView) -> Self {
        Placing {
            view,
            threads: view.clients.values().map(ClientView::capacity).sum(),
            active: BTreeMap::new(),
            load: view.clients.keys().map(|id| (*id, 0)).collect(),
        }
    }

    fn load(&self, client: Uuid) -> usize {
        self.load.get(&client).copied().unwrap_or_default()
    }

    /// Places `tasks` beside those that are placed already: each thread gets `least` tasks, and `more` of them one more.
    fn place(&mut self, tasks: BTreeSet<TaskId>) {
        let view = self.view;
        if self.threads == 0 {
            return;
        }
        let total = tasks.len() + self.active.len();
        let least = total / self.threads;
        let floor = |client: &ClientView| least * client.capacity();
        let above = |load: usize, client: &ClientView| load.saturating_sub(floor(client));
        let mut more = total % self.threads;
        for (id, client) in &view.clients {
            more = more.saturating_sub(above(self.load(*id), client));
        }
        let mut rest = tasks;
        // First what each may keep in any case, then what some may keep beyond: those first that have less else to keep.
        let mut clients: Vec<(&Uuid, &ClientView)> = view.clients.iter().collect();
        for beyond in [false, true] {
            if beyond {
                clients.sort_by_key(|(id, client)| (per_thread(self.others(client, &rest), client), **id));
            }
            for (id, client) in &clients {
                for task in self.kept(**id, client, &rest) {
                    let load = self.load(**id);
                    let room = load < floor(client);
                    if room || (beyond && more > 0 && above(load, client) < client.capacity()) {
                        more -= usize::from(!room);
                        rest.remove(&task);
                        self.put(task, **id);
                    }
                }
            }
        }
        let unplaced = rest.clone();
        for task in rest {
            let room = |load: usize, client: &ClientView| {
                load < floor(client) || (more > 0 && above(load, client) < client.capacity())
            };
            let able = view.clients.iter().filter(|(id, client)| room(self.load(**id), client));
            let Some((id, client)) = able.min_by_key(|(id, client)| self.preference(task, **id, client, &unplaced))
            else {
                return;
            };
            more -= usize::from(self.load(*id) >= floor(client));
            self.put(task, *id);
        }
    }

    /// How many tasks a client runs that are neither placed yet nor among `rest`.
    fn others(&self, client: &ClientView, rest: &BTreeSet<TaskId>) -> usize {
        let runs = client.consumers.values().flat_map(|consumer| &consumer.active);
        runs.filter(|task| !rest.contains(task) && !self.active.contains_key(task)).count()
    }

    fn put(&mut self, task: TaskId, client: Uuid) {
        self.active.insert(task, client);
        *self.load.entry(client).or_default() += 1;
    }

    /// The tasks of `rest` that a client runs, those it should keep first.
    fn kept(&self, id: Uuid, client: &ClientView, rest: &BTreeSet<TaskId>) -> Vec<TaskId> {
        // The smaller the lag of another that has state, the rather that one may have it.
        let wanted_elsewhere = |task: TaskId| {
            let others = self.view.clients.iter().filter(|(other_id, other)| **other_id != id && other.has_state(task));
            others.map(|(_, other)| lag(other, task)).min().map_or(i64::MIN, |lag| -lag)
        };
        let mut tasks: Vec<TaskId> = rest.iter().copied().filter(|task| self.owner(*task) == Some(id)).collect();
        debug_assert!(tasks.iter().all(|task| client.is_active(*task)), "only what it runs is kept");
        tasks.sort_by_key(|task| (wanted_elsewhere(*task), task.partition, task.subtopology));
        tasks
    }

    /// The process that runs a task. When two say so, the one that has more of it.
    fn owner(&self, task: TaskId) -> Option<Uuid> {
        let owners = self.view.clients.iter().filter(|(_, client)| client.is_active(task));
        owners.min_by_key(|(id, client)| (lag(client, task), **id)).map(|(id, _)| *id)
    }

    /// The smaller, the better: state, then load, then what it runs beside and will want to keep, then what it
    /// runs at all, then the id.
    fn preference(
        &self,
        task: TaskId,
        id: Uuid,
        client: &ClientView,
        unplaced: &BTreeSet<TaskId>,
    ) -> (bool, i64, [usize; 3], Uuid) {
        let state = client.has_state(task) || client.is_active(task);
        let lag = if state { lag(client, task) } else { 0 };
        let runs = client.consumers.values().map(|consumer| consumer.active.len()).sum();
        let loads = [self.load(id), self.others(client, unplaced), runs].map(|load| per_thread(load, client));
        (!state, lag, loads, id)
    }
}

/// How much a client has to do for its threads, in thousandths of a task.
fn per_thread(load: usize, client: &ClientView) -> usize {
    load * 1_000 / client.capacity().max(1)
}

/// How far a client is behind; a running task is not, an unknown lag is the longest.
fn lag(client: &ClientView, task: TaskId) -> i64 {
    match client.lags.get(&task) {
        Some(Some(lag)) => (*lag).max(0),
        Some(None) => i64::MAX,
        None => 0,
    }
}

/// `num.standby.replicas` standbys of each stateful task: where its state is, else where the fewest tasks are.
fn standbys(view: &ClusterView, active: &BTreeMap<TaskId, Uuid>) -> BTreeMap<TaskId, BTreeSet<Uuid>> {
    let mut load: BTreeMap<Uuid, usize> = view.clients.keys().map(|id| (*id, 0)).collect();
    for id in active.values() {
        *load.entry(*id).or_default() += 1;
    }
    let mut standby: BTreeMap<TaskId, BTreeSet<Uuid>> = BTreeMap::new();
    for _ in 0..view.settings.standby_replicas {
        for task in view.tasks.iter().filter(|(_, task)| task.stateful).map(|(id, _)| *id) {
            let taken = standby.entry(task).or_default();
            let free = view.clients.iter().filter(|(id, _)| active.get(&task) != Some(id) && !taken.contains(*id));
            let best = free.min_by_key(|(id, client)| {
                let load = load.get(*id).copied().unwrap_or_default();
                let state = client.has_state(task) || client.is_active(task);
                (!state, per_thread(load, client), **id)
            });
            if let Some((id, _)) = best {
                taken.insert(*id);
                *load.entry(*id).or_default() += 1;
            }
        }
    }
    standby.retain(|_, clients| !clients.is_empty());
    standby
}
