//! What all threads of an instance know of its global stores.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::{Offset, TopicPartition};
use headwater_topology::{GlobalStore, SharedStore, StoreId};

/// How far a global store is in one partition of its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalProgress {
    /// The store's name.
    pub store: String,
    /// The partition.
    pub partition: TopicPartition,
    /// The next record to be applied.
    pub position: Offset,
    /// Where the partition ended when last heard of.
    pub end: Offset,
}

impl GlobalProgress {
    /// How many offsets the store is behind.
    pub fn lag(&self) -> u64 {
        u64::try_from(self.end.value() - self.position.value()).unwrap_or(0)
    }
}

/// The global stores of an instance.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    places: HashMap<StoreId, Arc<GlobalStore>>,
    filled: AtomicBool,
    progress: Mutex<Vec<GlobalProgress>>,
}

impl Globals {
    /// Places for global stores with these names.
    pub(crate) fn of(stores: impl IntoIterator<Item = (StoreId, String)>) -> Self {
        let places = stores.into_iter().map(|(store, name)| (store, Arc::new(GlobalStore::new(name)))).collect();
        Globals { places, ..Globals::default() }
    }

    /// Whether the topology has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The places, which stay the same.
    pub(crate) fn places(&self) -> &HashMap<StoreId, Arc<GlobalStore>> {
        &self.places
    }

    /// The stores, for a task that reads them.
    pub(crate) fn stores(&self) -> HashMap<StoreId, SharedStore> {
        shared(&self.places)
    }

    /// Whether tasks may read them: they were complete once, or there are none.
    pub(crate) fn is_filled(&self) -> bool {
        self.is_empty() || self.filled.load(Ordering::Acquire)
    }

    pub(crate) fn set_filled(&self) {
        self.filled.store(true, Ordering::Release);
    }

    /// How far they are.
    pub(crate) fn progress(&self) -> Vec<GlobalProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_progress(&self, progress: Vec<GlobalProgress>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// Closes them. Nobody may read them any more.
    pub(crate) fn close(&self) {
        for place in self.places.values() {
            drop(place.slot().take());
        }
    }
}

/// The stores of `places`, for whoever reads or fills them.
pub(crate) fn shared(places: &HashMap<StoreId, Arc<GlobalStore>>) -> HashMap<StoreId, SharedStore> {
    places.iter().map(|(id, place)| (*id, SharedStore::from(Arc::clone(place)))).collect()
}
