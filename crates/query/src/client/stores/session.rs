//! Session stores.

use headwater_record::Timestamp;
use headwater_runtime::Error;
use headwater_runtime::query::Position;
use headwater_window::Windowed;
use serde::de::DeserializeOwned;

#[cfg(doc)]
use super::RemoteKeyValueStore;
use super::{Entries, RemoteStore, times, windowed};

/// A session store of an application, wherever its partitions are.
///
/// # Errors
/// All methods: as [`RemoteKeyValueStore`].
#[derive(Clone, Debug)]
pub struct RemoteSessionStore<K, V>(pub(super) RemoteStore<K, V>);

impl<K, V> RemoteSessionStore<K, V> {
    /// The same, answered only of what has seen so much of its input ([`RemoteStore::at_least`]).
    #[must_use]
    pub fn at_least(self, position: &Position) -> Self {
        RemoteSessionStore(self.0.at_least(position))
    }
}

impl<K: Send + 'static, V: DeserializeOwned + Send + 'static> RemoteSessionStore<K, V> {
    /// The value of `key` in the session from `start` to `end`.
    ///
    /// # Errors
    /// See [`RemoteSessionStore`].
    pub async fn fetch_session(
        &self,
        key: &K,
        start: impl Into<Timestamp>,
        end: impl Into<Timestamp>,
    ) -> Result<Option<V>, Error> {
        let below = format!("/sessions/{}/{}", start.into(), end.into());
        Ok(self.0.value(key, &below, Vec::new()).await?.value)
    }

    /// All sessions of `key`, in order.
    pub fn fetch(&self, key: &K) -> Entries<(Windowed<K>, V)> {
        self.find_sessions(key, 0, Timestamp::MAX)
    }

    /// The sessions of `key` that end at `earliest_end` or later and start at `latest_start` or earlier, in order.
    pub fn find_sessions(
        &self,
        key: &K,
        earliest_end: impl Into<Timestamp>,
        latest_start: impl Into<Timestamp>,
    ) -> Entries<(Windowed<K>, V)> {
        self.0.entries_of_key(key, "/sessions", times(earliest_end, latest_start), windowed(self.0.text))
    }

    /// All sessions that are not forgotten.
    pub fn all(&self) -> Entries<(Windowed<K>, V)> {
        self.0.entries("sessions", Vec::new(), windowed(self.0.text))
    }
}
