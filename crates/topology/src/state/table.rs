//! The store that a table is kept in: with versions or without.

use std::fmt;
use std::rc::Rc;

use headwater_record::{Headers, Timestamp};
use headwater_store::StoreKind;
use headwater_store::bytes::VersionedPut;

use super::{FlushTo, KeyValueState, Stamped, StoreHandle, VersionedState};
use crate::{ProcessError, StoreId, TaskContext, Wiring, WiringError};

/// The store that a table is kept in (Java's `KeyValueStoreWrapper`).
pub enum TableState<K: 'static, V: 'static> {
    /// The last value of each key.
    Latest(Rc<KeyValueState<K, V>>),
    /// Versions of each key's value.
    Versioned(Rc<VersionedState<K, V>>),
}

impl<K: 'static, V: 'static> TableState<K, V> {
    /// The state over `store` in the task that is being wired: made once, then shared.
    ///
    /// # Errors
    /// As [`KeyValueState::open`].
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, handle: &StoreHandle<K, V>) -> Result<Self, WiringError> {
        let kind = wiring.topology().store(store).map(|node| node.spec.kind);
        Ok(match kind {
            Some(StoreKind::Versioned { .. }) => TableState::Versioned(VersionedState::open(wiring, store, handle)?),
            _ => TableState::Latest(KeyValueState::open(wiring, store, handle)?),
        })
    }

    /// Says who hears of changes: the children of the node that owns the store.
    pub fn flush_to(&self, to: FlushTo<K, V>) {
        match self {
            TableState::Latest(state) => state.flush_to(to),
            TableState::Versioned(state) => state.flush_to(to),
        }
    }

    /// Whether writes lie in a record cache first.
    #[inline]
    pub fn is_cached(&self) -> bool {
        match self {
            TableState::Latest(state) => state.is_cached(),
            TableState::Versioned(_) => false,
        }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        match self {
            TableState::Latest(state) => state.name(),
            TableState::Versioned(state) => state.name(),
        }
    }

    /// The value of `key`, of its latest version.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        match self {
            TableState::Latest(state) => state.get(cx, key),
            TableState::Versioned(state) => state.get(key),
        }
    }

    /// The value of `key` as it was at `as_of`; where there are no versions, as it is now.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn get_as_of(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Timestamp,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        match self {
            TableState::Latest(state) => state.get(cx, key),
            TableState::Versioned(state) => state.get_as_of(key, as_of),
        }
    }

    /// Looks at the value of `key`, as it was at `as_of` if that is asked and there are versions; without a copy when it lies in a
    /// cache.
    ///
    /// # Errors
    /// As [`KeyValueState::with`].
    pub fn with<R>(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Option<Timestamp>,
        look: impl FnOnce(Option<(&V, Timestamp)>) -> R,
    ) -> Result<R, ProcessError> {
        match self {
            TableState::Latest(state) => state.with(cx, key, look),
            TableState::Versioned(state) => {
                let found = as_of.map_or_else(|| state.get(key), |as_of| state.get_as_of(key, as_of))?;
                Ok(look(found.as_ref().map(|found| (&found.value, found.timestamp))))
            }
        }
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn has(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<bool, ProcessError> {
        self.with(cx, key, None, |found| found.is_some())
    }

    /// Sets or, with `None`, deletes the value of `key`; what became of it. Without versions it is always the latest.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub fn put(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        value: Option<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<VersionedPut, ProcessError> {
        match self {
            TableState::Latest(state) => state.put(cx, key, value, timestamp, headers).map(|()| VersionedPut::Latest),
            TableState::Versioned(state) => state.put(cx, key, value, timestamp),
        }
    }

    /// Makes a new value of the old one, and hands the change to the owner's children: [`KeyValueState::update`],
    /// [`VersionedState::update`].
    ///
    /// # Errors
    /// Theirs.
    #[inline]
    pub fn update(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        record_timestamp: Timestamp,
        headers: &Headers,
        absent: Option<&dyn Fn() -> Option<V>>,
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        match self {
            TableState::Latest(state) => state.update(cx, key, record_timestamp, headers, absent, change),
            TableState::Versioned(state) => state.update(cx, key, headers, absent, change),
        }
    }
}

impl<K: 'static, V: 'static> Clone for TableState<K, V> {
    fn clone(&self) -> Self {
        match self {
            TableState::Latest(state) => TableState::Latest(Rc::clone(state)),
            TableState::Versioned(state) => TableState::Versioned(Rc::clone(state)),
        }
    }
}

impl<K: 'static, V: 'static> fmt::Debug for TableState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableState::Latest(state) => state.fmt(f),
            TableState::Versioned(state) => state.fmt(f),
        }
    }
}
