//! Window stores.

use headwater_record::Timestamp;
use headwater_runtime::Error;
use headwater_runtime::query::Position;
use headwater_window::Windowed;
use serde::de::DeserializeOwned;

#[cfg(doc)]
use super::RemoteKeyValueStore;
use super::{Answer, Entries, RemoteStore, times, windowed};

/// A window store of an application, wherever its partitions are. Times are those at which windows start, both ends included.
///
/// # Errors
/// All methods: as [`RemoteKeyValueStore`].
#[derive(Clone, Debug)]
pub struct RemoteWindowStore<K, V>(pub(super) RemoteStore<K, V>);

impl<K, V> RemoteWindowStore<K, V> {
    /// The same, answered only of what has seen so much of its input ([`RemoteStore::at_least`]).
    #[must_use]
    pub fn at_least(self, position: &Position) -> Self {
        RemoteWindowStore(self.0.at_least(position))
    }
}

impl<K: Send + 'static, V: DeserializeOwned + Send + 'static> RemoteWindowStore<K, V> {
    /// The value of `key` in the window that starts at `start`.
    ///
    /// # Errors
    /// See [`RemoteWindowStore`].
    pub async fn fetch(&self, key: &K, start: impl Into<Timestamp>) -> Result<Option<V>, Error> {
        Ok(self.ask(key, start).await?.value)
    }

    /// The same, with the value's timestamp and who answered.
    ///
    /// # Errors
    /// See [`RemoteWindowStore`].
    pub async fn ask(&self, key: &K, start: impl Into<Timestamp>) -> Result<Answer<V>, Error> {
        let below = format!("/windows/{}", start.into());
        self.0.value(key, &below, Vec::new()).await
    }

    /// The windows of `key` that start from `from` to `to`, in order.
    pub fn fetch_windows(
        &self,
        key: &K,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Entries<(Windowed<K>, V)> {
        self.0.entries_of_key(key, "/windows", times(from, to), windowed(self.0.text))
    }

    /// As [`RemoteWindowStore::fetch_windows`], the latest first.
    pub fn backward_fetch_windows(
        &self,
        key: &K,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Entries<(Windowed<K>, V)> {
        let mut parameters = times(from, to);
        parameters.push(("reverse", "true".to_owned()));
        self.0.entries_of_key(key, "/windows", parameters, windowed(self.0.text))
    }

    /// The windows of all keys that start from `from` to `to`.
    pub fn fetch_all(&self, from: impl Into<Timestamp>, to: impl Into<Timestamp>) -> Entries<(Windowed<K>, V)> {
        self.0.entries("windows", times(from, to), windowed(self.0.text))
    }

    /// All windows that are not forgotten.
    pub fn all(&self) -> Entries<(Windowed<K>, V)> {
        self.fetch_all(0, Timestamp::MAX)
    }
}
