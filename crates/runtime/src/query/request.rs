//! A question to a store, partition by partition.

use std::collections::BTreeSet;
use std::fmt;

use headwater_record::Partition;
use headwater_topology::state::StoreHandle;

use super::{IsolationLevel, PositionBound};

/// A query, the store it is for, and what must be so of a partition to answer it (Java's `StateQueryRequest`).
pub struct StateQueryRequest<K: 'static, V: 'static, Q> {
    pub(super) store: StoreHandle<K, V>,
    pub(super) query: Q,
    /// `None`: all that are here.
    pub(super) partitions: Option<BTreeSet<Partition>>,
    pub(super) bound: PositionBound,
    pub(super) require_active: bool,
    pub(super) execution_info: bool,
    pub(super) isolation: Option<IsolationLevel>,
}

/// A store that is to be asked; [`StateQueryRequest::in_store`] makes it.
#[derive(Debug)]
pub struct InStore<K: 'static, V: 'static>(StoreHandle<K, V>);

impl<K: 'static, V: 'static> StateQueryRequest<K, V, ()> {
    /// A question to this store; [`InStore::with_query`] says which.
    pub fn in_store(store: &StoreHandle<K, V>) -> InStore<K, V> {
        InStore(store.clone())
    }
}

impl<K: 'static, V: 'static> InStore<K, V> {
    /// Asks `query`, of all partitions that are here.
    pub fn with_query<Q>(self, query: Q) -> StateQueryRequest<K, V, Q> {
        StateQueryRequest {
            store: self.0,
            query,
            partitions: None,
            bound: PositionBound::unbounded(),
            require_active: false,
            execution_info: false,
            isolation: None,
        }
    }
}

impl<K: 'static, V: 'static, Q> StateQueryRequest<K, V, Q> {
    /// Asks these partitions; one that is not here is a failure of its own.
    #[must_use]
    pub fn with_partitions(mut self, partitions: impl IntoIterator<Item = Partition>) -> Self {
        self.partitions = Some(partitions.into_iter().collect());
        self
    }

    /// Asks all partitions that are here, as is done anyway.
    #[must_use]
    pub fn with_all_partitions(mut self) -> Self {
        self.partitions = None;
        self
    }

    /// Asks stores only that have seen so much of their input.
    #[must_use]
    pub fn with_position_bound(mut self, bound: PositionBound) -> Self {
        self.bound = bound;
        self
    }

    /// Asks stores only whose tasks process here, no standbys and none that are being restored.
    #[must_use]
    pub fn require_active(mut self) -> Self {
        self.require_active = true;
        self
    }

    /// Has each result tell how it came about.
    #[must_use]
    pub fn enable_execution_info(mut self) -> Self {
        self.execution_info = true;
        self
    }

    /// Reads what this level shows, whatever the setting says.
    #[must_use]
    pub fn with_isolation_level(mut self, level: IsolationLevel) -> Self {
        self.isolation = Some(level);
        self
    }
}

impl<K: 'static, V: 'static, Q: fmt::Debug> fmt::Debug for StateQueryRequest<K, V, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateQueryRequest")
            .field("store", &self.store.name())
            .field("query", &self.query)
            .field("partitions", &self.partitions)
            .field("bound", &self.bound)
            .field("require_active", &self.require_active)
            .finish_non_exhaustive()
    }
}
