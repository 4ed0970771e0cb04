//! What is left of a task that has closed.

use std::collections::HashMap;

use headwater_store::Store;
use headwater_topology::{SharedStore, StoreId};

/// The stores of a task that has closed.
#[derive(Debug, Default)]
pub struct ClosedStores {
    /// Those that were given back.
    pub stores: HashMap<StoreId, Store>,
    /// Those that something of the task still holds: they stay open, and cannot be opened anew.
    pub held: Vec<StoreId>,
}

impl ClosedStores {
    /// The stores that a task's nodes shared, which are gone.
    pub(super) fn of(shared: HashMap<StoreId, SharedStore>) -> Self {
        let mut closed = ClosedStores::default();
        for (id, shared) in shared {
            match shared.into_inner() {
                Some(store) => {
                    closed.stores.insert(id, store);
                }
                None => closed.held.push(id),
            }
        }
        closed
    }
}
