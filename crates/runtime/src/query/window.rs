//! Window stores.

use std::ops::RangeBounds;
use std::time::Duration;

use headwater_record::Timestamp;
use headwater_store::bytes::{Order, WindowEntry, WindowQuery};
use headwater_store::{RowBuf, Store, StoreKind};
use headwater_topology::state::Stamped;
use headwater_window::{Window, Windowed};

use super::typed::{KeyBounds, one};
use super::{StoreIterator, Typed, other_kind};
use crate::Error;
use crate::instance::Part;

/// A window store, for reading (Java's `ReadOnlyWindowStore`, `WindowKeyQuery`, `WindowRangeQuery`); see [`Queries`](super::Queries).
/// Times are those at which windows start, both ends included.
///
/// # Errors
/// All methods: as [`ReadOnlyKeyValueStore`](super::ReadOnlyKeyValueStore).
#[derive(Clone, Debug)]
pub struct ReadOnlyWindowStore<K, V>(pub(super) Typed<K, V>);

impl<K: 'static, V: 'static> ReadOnlyWindowStore<K, V> {
    /// The value of `key` in the window that starts at `start`.
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn fetch(&self, key: &K, start: impl Into<Timestamp>) -> Result<Option<V>, Error> {
        Ok(self.fetch_with_timestamp(key, start)?.map(|found| found.value))
    }

    /// As [`ReadOnlyWindowStore::fetch`], with the value's timestamp, -1 in a store that keeps none.
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn fetch_with_timestamp(&self, key: &K, start: impl Into<Timestamp>) -> Result<Option<Stamped<V>>, Error> {
        let (key, start) = (self.0.key_bytes(key)?, start.into());
        let part = Part { times: (start, start), ..Part::of(one(&key)) };
        let row = self.0.first(&part, |store| match store {
            Store::Window(store) => store.fetch(&key, start),
            other => other_kind(other),
        })?;
        row.map(|row| self.0.stamped(&row)).transpose()
    }

    /// The windows of `key` that start from `from` to `to`, in order.
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn fetch_windows(
        &self,
        key: &K,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.only(key)?, (from.into(), to.into()), Order::Forward)
    }

    /// As [`ReadOnlyWindowStore::fetch_windows`], the latest first (Java's `backwardFetch`).
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn backward_fetch_windows(
        &self,
        key: &K,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.only(key)?, (from.into(), to.into()), Order::Backward)
    }

    /// The windows of all keys within `keys` that start from `from` to `to`, in the order of the store.
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn fetch_keys(
        &self,
        keys: impl RangeBounds<K>,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.between(&keys)?, (from.into(), to.into()), Order::Forward)
    }

    /// As [`ReadOnlyWindowStore::fetch_keys`], the other way round.
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn backward_fetch_keys(
        &self,
        keys: impl RangeBounds<K>,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.between(&keys)?, (from.into(), to.into()), Order::Backward)
    }

    /// As [`ReadOnlyWindowStore::fetch_keys`], only those that come after the window `last`, where a question before this one ended; it need
    /// not be there any more. It is of one partition: see [`Queries::with_partition`](super::Queries::with_partition).
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn fetch_keys_after(
        &self,
        keys: impl RangeBounds<K>,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
        last: &Windowed<K>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        let row = RowBuf::timestamped(Vec::new(), Timestamp::UNKNOWN);
        // After all that lie in that window.
        let last = WindowEntry { key: self.0.key_bytes(&last.key)?, start: last.start(), sequence: i32::MAX, row };
        self.scan_as(Some(last), self.0.between(&keys)?, (from.into(), to.into()), Order::Forward, Typed::value)
    }

    /// The windows of all keys that start from `from` to `to` (Java's `fetchAll`).
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn fetch_all(
        &self,
        from: impl Into<Timestamp>,
        to: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.fetch_keys(.., from, to)
    }

    /// All windows that are not forgotten.
    ///
    /// # Errors
    /// See [`ReadOnlyWindowStore`].
    pub fn all(&self) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.fetch_all(0, Timestamp::MAX)
    }

    fn scan(
        &self,
        keys: KeyBounds,
        times: (Timestamp, Timestamp),
        order: Order,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan_as(None, keys, times, order, Typed::value)
    }

    /// What `make` makes of rows, of those after `last`.
    pub(super) fn scan_as<T: 'static>(
        &self,
        last: Option<WindowEntry>,
        keys: KeyBounds,
        times: (Timestamp, Timestamp),
        order: Order,
        make: impl Fn(&Typed<K, V>, &RowBuf) -> Result<T, Error> + Send + 'static,
    ) -> Result<StoreIterator<(Windowed<K>, T)>, Error> {
        let size = match self.0.kind {
            StoreKind::Window { window_size, .. } => window_size,
            _ => Duration::ZERO,
        };
        let (typed, part, bounds) = (self.0.clone(), Part { times, ..Part::of(keys.clone()) }, keys);
        Ok(StoreIterator::after(
            last,
            self.0.views(&part)?,
            move |store, after: Option<&WindowEntry>, limit, into| match store {
                Store::Window(store) => {
                    let query = WindowQuery { keys: part.range().selection(), from: times.0, to: times.1 };
                    store.scan(query, order, after, limit, into)
                }
                other => other_kind(other),
            },
            move |entry| {
                if !bounds.contains(&entry.key) {
                    return Ok(None);
                }
                let window = Window::new(entry.start, entry.start.plus(size));
                Ok(Some((Windowed::new(typed.key(&entry.key)?, window), make(&typed, &entry.row)?)))
            },
        ))
    }
}
