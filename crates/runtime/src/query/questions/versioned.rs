//! Queries of versioned stores.

use headwater_record::Timestamp;
use headwater_store::bytes::Order;

use super::Query;
use super::sealed::Sealed;
use crate::Error;
use crate::query::ask::Queried;
use crate::query::{StoreIterator, VersionedRecord};

/// The latest version of a key's value, or the one of some time (Java's `VersionedKeyQuery`).
#[derive(Clone, Debug)]
pub struct VersionedKeyQuery<K> {
    key: K,
    as_of: Option<Timestamp>,
}

impl<K> VersionedKeyQuery<K> {
    /// The latest version of this key's value.
    pub fn with_key(key: K) -> Self {
        VersionedKeyQuery { key, as_of: None }
    }

    /// The version that was valid then.
    #[must_use]
    pub fn as_of(mut self, as_of: impl Into<Timestamp>) -> Self {
        self.as_of = Some(as_of.into());
        self
    }
}

impl<K> Sealed for VersionedKeyQuery<K> {}

impl<K: 'static, V: 'static> Query<K, V> for VersionedKeyQuery<K> {
    type Result = Option<VersionedRecord<V>>;

    fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>> {
        let store = store.versioned()?;
        Some(match self.as_of {
            Some(as_of) => store.get_as_of(&self.key, as_of),
            None => store.get(&self.key),
        })
    }
}

/// Versions of a key's value, the latest first (Java's `MultiVersionedKeyQuery`).
#[derive(Clone, Debug)]
pub struct MultiVersionedKeyQuery<K> {
    key: K,
    from: Timestamp,
    to: Timestamp,
    order: Order,
}

impl<K> MultiVersionedKeyQuery<K> {
    /// All versions of this key's value.
    pub fn with_key(key: K) -> Self {
        MultiVersionedKeyQuery { key, from: Timestamp::ZERO, to: Timestamp::MAX, order: Order::Backward }
    }

    /// Those that were valid at this time or later.
    #[must_use]
    pub fn from_time(mut self, from: impl Into<Timestamp>) -> Self {
        self.from = from.into();
        self
    }

    /// Those that were valid at this time or earlier.
    #[must_use]
    pub fn to_time(mut self, to: impl Into<Timestamp>) -> Self {
        self.to = to.into();
        self
    }

    /// The earliest first.
    #[must_use]
    pub fn with_ascending_timestamps(mut self) -> Self {
        self.order = Order::Forward;
        self
    }

    /// The latest first, as it is anyway.
    #[must_use]
    pub fn with_descending_timestamps(mut self) -> Self {
        self.order = Order::Backward;
        self
    }
}

impl<K> Sealed for MultiVersionedKeyQuery<K> {}

impl<K: 'static, V: 'static> Query<K, V> for MultiVersionedKeyQuery<K> {
    type Result = StoreIterator<VersionedRecord<V>>;

    fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>> {
        Some(store.versioned()?.scan(&self.key, (self.from, self.to), self.order))
    }
}
