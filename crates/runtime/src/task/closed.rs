//! What is left of a task that has closed.

use std::collections::HashMap;

use headwater_topology::{SharedStore, StoreId, TaskId};

use super::{ChangelogPartition, TaskStores};
use crate::directory::TaskClaim;

/// A task that has closed.
#[derive(Debug)]
pub struct ClosedTask {
    /// Its stores, as far as they were given back.
    pub stores: TaskStores,
    /// Whether they contain all that the task committed. A buffer goes with the node that used it, and is restored from the beginning
    /// of its changelog.
    pub is_complete: bool,
    /// The stores that something of the task still holds: they stay open, and cannot be opened anew.
    pub held: Vec<StoreId>,
}

impl ClosedTask {
    /// With the stores that the task's nodes shared, which are gone.
    pub(super) fn of(
        id: TaskId,
        shared: HashMap<StoreId, SharedStore>,
        mut changelogs: Vec<ChangelogPartition>,
        claim: TaskClaim,
    ) -> Self {
        let (mut stores, mut held, mut is_complete) = (HashMap::new(), Vec::new(), true);
        for (id, shared) in shared {
            match shared.into_inner() {
                Some(store) => {
                    stores.insert(id, store);
                }
                None => held.push(id),
            }
        }
        for changelog in &mut changelogs {
            let store = stores.get(&changelog.store);
            let contains_nothing = store.is_some_and(|store| matches!(store.state().committed_offset(), Ok(None)));
            if contains_nothing && changelog.offset.take().is_some() {
                is_complete = false;
            }
        }
        ClosedTask { stores: TaskStores { id, stores, changelogs, claim }, is_complete, held }
    }
}
