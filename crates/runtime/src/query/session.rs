//! Session stores.

use std::ops::RangeBounds;

use headwater_record::Timestamp;
use headwater_store::bytes::{Order, SessionEntry, SessionQuery};
use headwater_store::{RowBuf, Store};
use headwater_window::{Window, Windowed};

use super::typed::{KeyBounds, one};
use super::{StoreIterator, Typed, other_kind};
use crate::Error;
use crate::instance::Part;

/// A session store, for reading (Java's `ReadOnlySessionStore`, `WindowRangeQuery#withKey`); see [`Queries`](super::Queries).
///
/// # Errors
/// All methods: as [`ReadOnlyKeyValueStore`](super::ReadOnlyKeyValueStore).
#[derive(Clone, Debug)]
pub struct ReadOnlySessionStore<K, V>(pub(super) Typed<K, V>);

impl<K: 'static, V: 'static> ReadOnlySessionStore<K, V> {
    /// The value of `key` in the session from `start` to `end`.
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn fetch_session(
        &self,
        key: &K,
        start: impl Into<Timestamp>,
        end: impl Into<Timestamp>,
    ) -> Result<Option<V>, Error> {
        let (key, start, end) = (self.0.key_bytes(key)?, start.into(), end.into());
        let part = Part { times: (end, end), ..Part::of(one(&key)) };
        let row = self.0.first(&part, |store| match store {
            Store::Session(store) => store.fetch(&key, start, end),
            other => other_kind(other),
        })?;
        row.map(|row| self.0.value(&row)).transpose()
    }

    /// All sessions of `key`, in order.
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn fetch(&self, key: &K) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.find_sessions(key, 0, Timestamp::MAX)
    }

    /// All sessions of `key`, the latest first (Java's `backwardFetch`).
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn backward_fetch(&self, key: &K) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.backward_find_sessions(key, 0, Timestamp::MAX)
    }

    /// The sessions of `key` that end at `earliest_end` or later and start at `latest_start` or earlier, in order.
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn find_sessions(
        &self,
        key: &K,
        earliest_end: impl Into<Timestamp>,
        latest_start: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.only(key)?, (earliest_end.into(), latest_start.into()), Order::Forward)
    }

    /// As [`ReadOnlySessionStore::find_sessions`], the latest first.
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn backward_find_sessions(
        &self,
        key: &K,
        earliest_end: impl Into<Timestamp>,
        latest_start: impl Into<Timestamp>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.only(key)?, (earliest_end.into(), latest_start.into()), Order::Backward)
    }

    /// All sessions of the keys within `keys`, in the order of the store.
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn fetch_keys(&self, keys: impl RangeBounds<K>) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        self.scan(self.0.between(&keys)?, (Timestamp::from_millis(0), Timestamp::MAX), Order::Forward)
    }

    /// The sessions of the keys within `keys` that end at `earliest_end` or later and start at `latest_start` or earlier, in the order
    /// of the store; with `last`, only those that come after that session, where a question before this one ended. It need not be there any
    /// more, and is of one partition: see [`Queries::with_partition`](super::Queries::with_partition).
    ///
    /// # Errors
    /// See [`ReadOnlySessionStore`].
    pub fn find_sessions_after(
        &self,
        keys: impl RangeBounds<K>,
        earliest_end: impl Into<Timestamp>,
        latest_start: impl Into<Timestamp>,
        last: Option<&Windowed<K>>,
    ) -> Result<StoreIterator<(Windowed<K>, V)>, Error> {
        let entry = |last: &Windowed<K>| {
            let row = RowBuf::timestamped(Vec::new(), Timestamp::UNKNOWN);
            Ok::<_, Error>(SessionEntry {
                key: self.0.key_bytes(&last.key)?,
                start: last.start(),
                end: last.end(),
                row,
            })
        };
        let last = last.map(entry).transpose()?;
        self.scan_as(
            last,
            self.0.between(&keys)?,
            (earliest_end.into(), latest_start.into()),
            Order::Forward,
            Typed::value,
        )
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
        last: Option<SessionEntry>,
        keys: KeyBounds,
        (earliest_end, latest_start): (Timestamp, Timestamp),
        order: Order,
        make: impl Fn(&Typed<K, V>, &RowBuf) -> Result<T, Error> + Send + 'static,
    ) -> Result<StoreIterator<(Windowed<K>, T)>, Error> {
        let part = Part { times: (earliest_end, Timestamp::MAX), ..Part::of(keys.clone()) };
        let (typed, bounds) = (self.0.clone(), keys);
        Ok(StoreIterator::after(
            last,
            self.0.views(&part)?,
            move |store, after: Option<&SessionEntry>, limit, into| match store {
                Store::Session(store) => {
                    let keys = part.range().selection();
                    let query = SessionQuery { keys, earliest_end, latest_end: Timestamp::MAX, latest_start };
                    store.scan(query, order, after, limit, into)
                }
                other => other_kind(other),
            },
            move |entry| {
                if !bounds.contains(&entry.key) {
                    return Ok(None);
                }
                let session = Window::new(entry.start, entry.end);
                Ok(Some((Windowed::new(typed.key(&entry.key)?, session), make(&typed, &entry.row)?)))
            },
        ))
    }
}
