//! Versioned stores.

use headwater_record::Timestamp;
use headwater_runtime::Error;
use headwater_runtime::query::Position;
use headwater_runtime::query::VersionedRecord;
use serde::de::DeserializeOwned;

#[cfg(doc)]
use super::RemoteKeyValueStore;
use super::{Entries, RemoteStore, times, unfit};
use crate::wire::Entry;

/// A versioned store of an application, wherever its partitions are.
///
/// # Errors
/// All methods: as [`RemoteKeyValueStore`].
#[derive(Clone, Debug)]
pub struct RemoteVersionedStore<K, V>(pub(super) RemoteStore<K, V>);

impl<K, V> RemoteVersionedStore<K, V> {
    /// The same, answered only of what has seen so much of its input ([`RemoteStore::at_least`]).
    #[must_use]
    pub fn at_least(self, position: &Position) -> Self {
        RemoteVersionedStore(self.0.at_least(position))
    }
}

impl<K: Send + 'static, V: DeserializeOwned + Send + 'static> RemoteVersionedStore<K, V> {
    /// The latest version of `key`.
    ///
    /// # Errors
    /// See [`RemoteVersionedStore`].
    pub async fn get(&self, key: &K) -> Result<Option<VersionedRecord<V>>, Error> {
        self.0.found(key, "", Vec::new()).await?.value.map(version).transpose()
    }

    /// The version of `key` that was valid at `as_of`, if that is not further back than the history.
    ///
    /// # Errors
    /// See [`RemoteVersionedStore`].
    pub async fn get_as_of(&self, key: &K, as_of: impl Into<Timestamp>) -> Result<Option<VersionedRecord<V>>, Error> {
        let parameters = vec![("as_of", as_of.into().to_string())];
        self.0.found(key, "", parameters).await?.value.map(version).transpose()
    }

    /// The versions of `key` that were valid at some time from `from` to `to`, both included, the earliest first.
    pub fn versions(
        &self,
        key: &K,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Entries<VersionedRecord<V>> {
        self.0.entries_of_key(key, "/versions", times(from, to), |entry| version(entry).map(Some))
    }
}

fn version<V>(entry: Entry<V>) -> Result<VersionedRecord<V>, Error> {
    let timestamp = Timestamp::from_millis(entry.timestamp.ok_or_else(|| unfit("timestamp"))?);
    Ok(VersionedRecord { value: entry.value, timestamp, valid_to: entry.valid_to.map(Timestamp::from_millis) })
}
