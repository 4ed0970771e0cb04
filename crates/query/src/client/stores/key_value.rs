//! Key-value stores.

use std::ops::{Bound, RangeBounds};

use headwater_runtime::Error;
#[cfg(doc)]
use headwater_runtime::ErrorKind;
use headwater_runtime::query::Position;
use serde::de::DeserializeOwned;

use super::{Answer, Entries, Parameters, RemoteStore, key_of};

/// A key-value store of an application, wherever its partitions are (as [`ReadOnlyKeyValueStore`] is here).
///
/// # Errors
/// All methods: [`ErrorKind::Unavailable`] when the deadline is over, [`ErrorKind::Config`] for a store that the servers do not answer from, or when
/// they want another token, [`ErrorKind::User`] for a question that they do not take, [`ErrorKind::Data`] for an answer that is not of these types.
///
/// [`ReadOnlyKeyValueStore`]: headwater_runtime::query::ReadOnlyKeyValueStore
#[derive(Clone, Debug)]
pub struct RemoteKeyValueStore<K, V>(pub(super) RemoteStore<K, V>);

impl<K, V> RemoteKeyValueStore<K, V> {
    /// The same, answered only of what has seen so much of its input ([`RemoteStore::at_least`]).
    #[must_use]
    pub fn at_least(self, position: &Position) -> Self {
        RemoteKeyValueStore(self.0.at_least(position))
    }
}

impl<K: Send + 'static, V: DeserializeOwned + Send + 'static> RemoteKeyValueStore<K, V> {
    /// The value of `key`.
    ///
    /// # Errors
    /// See [`RemoteKeyValueStore`].
    pub async fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.ask(key).await?.value)
    }

    /// The value of `key` with its timestamp, and who answered.
    ///
    /// # Errors
    /// See [`RemoteKeyValueStore`].
    pub async fn ask(&self, key: &K) -> Result<Answer<V>, Error> {
        self.0.value(key, "", Vec::new()).await
    }

    /// The entries whose keys lie within `keys`, by the order of their bytes, in each partition.
    pub fn range(&self, keys: impl RangeBounds<K>) -> Entries<(K, V)> {
        self.scan(keys, false)
    }

    /// As [`RemoteKeyValueStore::range`], the other way round.
    pub fn reverse_range(&self, keys: impl RangeBounds<K>) -> Entries<(K, V)> {
        self.scan(keys, true)
    }

    /// The entries whose keys' bytes begin with those of `prefix`.
    pub fn prefix_scan(&self, prefix: &K) -> Entries<(K, V)> {
        self.entries(vec![("prefix", self.0.text.write(prefix))], None, None)
    }

    /// All entries.
    pub fn all(&self) -> Entries<(K, V)> {
        self.range(..)
    }

    fn scan(&self, keys: impl RangeBounds<K>, reverse: bool) -> Entries<(K, V)> {
        let text = self.0.text;
        // Servers include both ends: those that are not wanted are left out here.
        let bound = |bound: Bound<&K>| match bound {
            Bound::Included(key) => (Some(text.write(key)), None),
            Bound::Excluded(key) => (Some(text.write(key)), Some(text.write(key))),
            Bound::Unbounded => (None, None),
        };
        let ((from, not_from), (to, not_to)) = (bound(keys.start_bound()), bound(keys.end_bound()));
        let mut parameters: Parameters = from.map(|key| ("from", key)).into_iter().collect();
        parameters.extend(to.map(|key| ("to", key)));
        parameters.extend(reverse.then(|| ("reverse", "true".to_owned())));
        self.entries(parameters, not_from, not_to)
    }

    fn entries(&self, parameters: Parameters, not_from: Option<String>, not_to: Option<String>) -> Entries<(K, V)> {
        let text = self.0.text;
        self.0.entries("keys", parameters, move |entry| {
            if [&not_from, &not_to].into_iter().flatten().any(|key| *key == entry.key) {
                return Ok(None);
            }
            Ok(Some((key_of(text, &entry.key)?, entry.value)))
        })
    }
}
