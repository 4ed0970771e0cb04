//! Versioned stores.

use headwater_record::Timestamp;
use headwater_store::Store;
use headwater_store::bytes::{Order, Version, VersionQuery};

use super::typed::one;
use super::{StoreIterator, Typed, other_kind};
use crate::Error;
use crate::instance::Part;

/// A version of a value (Java's `VersionedRecord`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionedRecord<V> {
    /// The value.
    pub value: V,
    /// From when it is valid, milliseconds since 1970.
    pub timestamp: Timestamp,
    /// Until when, excluded; `None` for the latest version.
    pub valid_to: Option<Timestamp>,
}

/// A versioned store, for reading (Java's `VersionedKeyQuery`, `MultiVersionedKeyQuery`); see [`Queries`](super::Queries).
///
/// # Errors
/// All methods: as [`ReadOnlyKeyValueStore`](super::ReadOnlyKeyValueStore).
#[derive(Clone, Debug)]
pub struct ReadOnlyVersionedStore<K, V>(pub(super) Typed<K, V>);

impl<K: 'static, V: 'static> ReadOnlyVersionedStore<K, V> {
    /// The latest version of `key`.
    ///
    /// # Errors
    /// See [`ReadOnlyVersionedStore`].
    pub fn get(&self, key: &K) -> Result<Option<VersionedRecord<V>>, Error> {
        let key = self.0.key_bytes(key)?;
        let version = self.0.first(&Part::of(one(&key)), |store| match store {
            Store::Versioned(store) => store.get(&key),
            other => other_kind(other),
        })?;
        version.map(|version| record(&self.0, &version)).transpose()
    }

    /// The version of `key` that was valid at `as_of`, if that is not further back than the history.
    ///
    /// # Errors
    /// See [`ReadOnlyVersionedStore`].
    pub fn get_as_of(&self, key: &K, as_of: impl Into<Timestamp>) -> Result<Option<VersionedRecord<V>>, Error> {
        let (key, as_of) = (self.0.key_bytes(key)?, as_of.into());
        let version = self.0.first(&Part::of(one(&key)), |store| match store {
            Store::Versioned(store) => store.get_as_of(&key, as_of),
            other => other_kind(other),
        })?;
        version.map(|version| record(&self.0, &version)).transpose()
    }

    /// The versions of `key` that were valid at some time from `from` to `to`, both included, the earliest first.
    ///
    /// # Errors
    /// See [`ReadOnlyVersionedStore`].
    pub fn versions(
        &self,
        key: &K,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Result<StoreIterator<VersionedRecord<V>>, Error> {
        self.scan(key, (from.into(), to.into()), Order::Forward)
    }

    pub(super) fn scan(
        &self,
        key: &K,
        (from, to): (Timestamp, Timestamp),
        order: Order,
    ) -> Result<StoreIterator<VersionedRecord<V>>, Error> {
        let key = self.0.key_bytes(key)?;
        let typed = self.0.clone();
        Ok(StoreIterator::over(
            self.0.views(&Part::of(one(&key)))?,
            move |store, after: Option<&Version>, limit, into| match store {
                Store::Versioned(store) => store.scan(VersionQuery { key: &key, from, to }, order, after, limit, into),
                other => other_kind(other),
            },
            move |version| record(&typed, &version).map(Some),
        ))
    }
}

fn record<K, V>(typed: &Typed<K, V>, version: &Version) -> Result<VersionedRecord<V>, Error> {
    let value = typed.value(&version.row)?;
    Ok(VersionedRecord { value, timestamp: version.valid_from(), valid_to: version.valid_to })
}
