//! The open stores of this instance, for those who read them from elsewhere (Java's `StreamThreadStateStoreProvider`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use headwater_record::Partition;
use headwater_store::StoreViews;
use headwater_topology::TaskId;

use super::{Asks, Gate, TaskPhase, TaskRole};
use crate::query::Position;
use crate::task::TaskStores;

/// A store of a task.
#[derive(Clone, Debug)]
pub(crate) struct OpenStore {
    pub(crate) task: TaskId,
    pub(crate) role: TaskRole,
    pub(crate) phase: TaskPhase,
    /// `None`: stores of this make have none.
    pub(crate) views: Option<Arc<dyn StoreViews>>,
    /// Where the thread is asked that has the task.
    pub(crate) asks: Asks,
}

impl OpenStore {
    /// Whether its task processes: it has all there is.
    pub(crate) fn is_active(&self) -> bool {
        self.role == TaskRole::Active && self.phase == TaskPhase::Running
    }
}

/// The stores by name and partition. A store that was closed stays until somebody asks for it.
#[derive(Debug, Default)]
pub(crate) struct LocalStores {
    open: DashMap<String, BTreeMap<Partition, OpenStore>>,
    /// How much of its input what each task that processes has committed has seen.
    positions: DashMap<TaskId, Arc<Position>>,
    /// How often views were asked for that are there only after a commit.
    asked: AtomicU64,
    /// Opened when they were served.
    gate: Gate,
}

impl LocalStores {
    /// A task has opened its stores.
    pub(crate) fn opened(&self, stores: &TaskStores, role: TaskRole, asks: &Asks) {
        let task = stores.id;
        self.positions.remove(&task);
        for store in stores.stores.values().map(headwater_store::Store::state) {
            let open = OpenStore { task, role, phase: TaskPhase::Created, views: store.views(), asks: asks.clone() };
            self.open.entry(store.name().to_owned()).or_default().insert(task.partition, open);
        }
    }

    /// The task that has these stores is here for `role`, and stands there.
    pub(crate) fn task_is<'a>(
        &self,
        task: TaskId,
        (role, phase): (TaskRole, TaskPhase),
        stores: impl Iterator<Item = &'a str>,
    ) {
        for store in stores {
            let Some(mut of_store) = self.open.get_mut(store) else { continue };
            if let Some(open) = of_store.get_mut(&task.partition).filter(|open| open.task == task) {
                (open.role, open.phase) = (role, phase);
            }
        }
    }

    /// The task has committed, or goes on from, what has seen so much of its input.
    pub(crate) fn committed(&self, task: TaskId, position: Arc<Position>) {
        self.positions.insert(task, position);
    }

    /// How much of its input what the task has committed has seen, at least; empty where that is not known.
    pub(crate) fn position(&self, task: TaskId) -> Arc<Position> {
        self.positions.get(&task).map(|position| Arc::clone(&position)).unwrap_or_default()
    }

    /// The store's partitions that are here, or `only` this one.
    pub(crate) fn of(&self, store: &str, only: Option<Partition>) -> Vec<(Partition, OpenStore)> {
        let Some(of_store) = self.open.get(store) else { return Vec::new() };
        match only {
            Some(only) => of_store.get(&only).map(|open| (only, open.clone())).into_iter().collect(),
            None => of_store.iter().map(|(partition, open)| (*partition, open.clone())).collect(),
        }
    }

    /// This store was found closed.
    pub(crate) fn is_closed(&self, store: &str, partition: Partition, views: &Arc<dyn StoreViews>) {
        if let Some(mut of_store) = self.open.get_mut(store)
            && of_store.get(&partition).is_some_and(|open| open.views.as_ref().is_some_and(|of| Arc::ptr_eq(of, views)))
        {
            of_store.remove(&partition);
        }
    }

    /// Somebody waits for views that are there only after a commit.
    pub(crate) fn ask_for_commit(&self) {
        self.asked.fetch_add(1, Ordering::AcqRel);
    }

    /// How often somebody has asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// Opened when stores were committed because somebody asked.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }
}
