//! A typed key-value store of a running task.

mod cached;
mod scan;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use headwater_record::{Headers, RawHeaders, Timestamp};
use headwater_store::{RecordContext, RowBuf, Store};

use super::core::{Core, Write};
use super::walk::Walks;
use super::write_behind::{Cached, WriteBehind};
use super::{FlushTo, Stamped, StoreHandle};
use crate::caught::caught;
use crate::{Change, ProcessError, StoreId, TaskContext, Update, Wiring, WiringError};

/// Entries that are read at once while iterating.
const SCAN: usize = 256;

/// A key-value store with types: serdes, changelog and record cache around the bytes.
pub struct KeyValueState<K: 'static, V: 'static> {
    core: Core<K, V>,
    cache: Option<WriteBehind<V>>,
    flush_to: RefCell<Option<FlushTo<K, V>>>,
    walks: Walks,
}

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    /// The state over `store` in the task that is being wired: made once, then shared.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when it was opened with other types before, [`WiringError::Store`] when it is of another kind.
    #[doc(hidden)]
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, handle: &StoreHandle<K, V>) -> Result<Rc<Self>, WiringError> {
        wiring.shared_state(store, |wiring| Self::make(wiring, store, handle), Self::is_cached)
    }

    fn make(wiring: &Wiring<'_>, id: StoreId, handle: &StoreHandle<K, V>) -> Result<Self, WiringError> {
        let core = Core::open(wiring, id, handle, |store| matches!(store, Store::KeyValue(_)))?;
        Ok(KeyValueState { cache: core.cache(wiring, 0), core, flush_to: RefCell::new(None), walks: Walks::default() })
    }

    /// Says who hears of changes: the children of the node that owns the store.
    #[doc(hidden)]
    pub fn flush_to(&self, to: FlushTo<K, V>) {
        *self.flush_to.borrow_mut() = Some(to);
    }

    /// Whether writes lie in a record cache first.
    #[inline]
    #[doc(hidden)]
    pub fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// When the key or the value cannot be encoded or decoded, or the store cannot be read.
    pub fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        self.core.with_key(key, |bytes| self.get_encoded(cx, bytes))
    }

    /// The headers that lie with the value of `key`, none of a key without one: those of the record or call that wrote it, in a
    /// store that keeps them ([`StoreSpec::with_headers`](headwater_store::StoreSpec::with_headers)); in others an empty list.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn headers(&self, key: &K) -> Result<Option<Headers>, ProcessError> {
        self.core.with_key(key, |bytes| self.core.headers_with(self.cache.as_ref(), bytes, || self.read(bytes)))
    }

    /// Looks at the value of `key`, without a copy when it lies in the cache.
    ///
    /// # Errors
    /// As [`KeyValueState::get`]; that `look` panicked.
    pub fn with<R>(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        look: impl FnOnce(Option<(&V, Timestamp)>) -> R,
    ) -> Result<R, ProcessError> {
        self.core.with_key(key, |bytes| {
            let (place, found) = self.find(cx, bytes)?;
            let value = found.as_ref().and_then(|cached| Some((cached.value.as_ref()?, cached.timestamp)));
            let result = caught(|| Ok(look(value)));
            self.give_back(place, found);
            result
        })
    }

    /// Sets or, with `None`, deletes the value of `key`. Nobody downstream hears of it unless the store is cached and has an owner.
    ///
    /// # Errors
    /// As [`KeyValueState::get`]; and what a flush that this write made necessary met.
    pub fn put(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        value: Option<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        let context = cx.record_context(timestamp, headers);
        self.core.with_key(key, |bytes| {
            self.note_write(bytes)?;
            if self.is_cached() {
                self.put_cached(cx, bytes, value, timestamp, context)
            } else {
                self.write(cx, bytes, Write::new(value.as_ref(), timestamp), &context)
            }
        })
    }

    /// Deletes the value of `key`; returns what it was.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub fn delete(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        let old = self.get(cx, key)?;
        self.put(cx, key, None, timestamp, headers)?;
        Ok(old)
    }

    /// Sets the value of `key` unless it has one; returns the one it has.
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub fn put_if_absent(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        value: Option<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        let old = self.get(cx, key)?;
        if old.is_none() {
            self.put(cx, key, value, timestamp, headers)?;
        }
        Ok(old)
    }

    /// Makes a new value of the old one, and hands the change to the owner's children: at once when the store is not cached, else
    /// when the entry leaves the cache.
    ///
    /// `change` may take the old value out, and returns the new one with its time, which is also that of the change. On an error
    /// everything stays as it was; should it have taken the value out then, the value is read again, and where only the cache had
    /// it the error is fatal, so that the task begins again where it last committed. `absent` makes what counts as the old value where there was none
    /// (Java hands on an aggregate's initial value there, when the store is not cached).
    ///
    /// # Errors
    /// Those of `change`, and as [`KeyValueState::put`].
    #[doc(hidden)]
    pub fn update(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        record_timestamp: Timestamp,
        headers: &Headers,
        absent: Option<&dyn Fn() -> Option<V>>,
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        self.core.with_key(key, |bytes| {
            self.note_write(bytes)?;
            let Some(cache) = &self.cache else {
                let context = cx.record_context(record_timestamp, headers);
                return self.update_uncached(cx, key, bytes, &context, absent, change);
            };
            let (place, found) = match cache.find(bytes) {
                Some(place) => (Some(place), None),
                None => self.read_through(cx, bytes)?,
            };
            if let Some(place) = place {
                self.give_back(Some(place), found);
                return self.change_cached(cx, (place, bytes), (record_timestamp, headers), change);
            }
            let new = change(&mut found.and_then(Cached::into_stamped))?;
            let context = cx.record_context(record_timestamp, headers);
            self.put_cached(cx, bytes, new.value, new.timestamp, context)
        })
    }

    fn update_uncached(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        bytes: &[u8],
        context: &RecordContext,
        absent: Option<&dyn Fn() -> Option<V>>,
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let row = self.read(bytes)?;
        let mut slot = row.as_ref().map(|row| self.core.decode(row)).transpose()?;
        let new = change(&mut slot)?;
        self.write(cx, bytes, Write::new(new.value.as_ref(), new.timestamp), context)?;
        let Some(to) = self.flush_to.borrow().clone() else { return Ok(()) };
        let absent = || absent.and_then(|absent| absent());
        let old = if to.send_old { self.core.old_value(slot, row.as_ref(), absent)? } else { None };
        let change = Change::new(&new.value, &old);
        to.push(cx, Update { key, change, timestamp: new.timestamp, headers: &context.headers })
    }

    /// How many entries there are, about, those in the cache that are not written yet left out.
    pub fn approximate_len(&self) -> u64 {
        self.core.read_bytes(|store| Ok(store.approximate_len())).unwrap_or_default()
    }

    /// Tells those who go through the store.
    #[inline]
    fn note_write(&self, key: &[u8]) -> Result<(), ProcessError> {
        if self.walks.are_open() { self.walks.writes(key, || self.has(key)) } else { Ok(()) }
    }

    fn has(&self, key: &[u8]) -> Result<bool, ProcessError> {
        let cached = self.cache.as_ref().and_then(|cache| Some(cache.entries().borrow().peek(key)?.value.is_some()));
        cached.map_or_else(|| Ok(self.read(key)?.is_some()), Ok)
    }

    fn key_bytes(&self, key: &K) -> Result<Vec<u8>, ProcessError> {
        let mut bytes = Vec::new();
        self.core.encode_key(key, &mut bytes)?;
        Ok(bytes)
    }

    fn read(&self, key: &[u8]) -> Result<Option<RowBuf>, ProcessError> {
        Ok(self.core.read_bytes(|store| store.get(key))?)
    }

    /// Writes a value, or a tombstone, to store and changelog.
    fn write(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        write: Write<'_, V>,
        context: &RecordContext,
    ) -> Result<(), ProcessError> {
        self.core.write(write, context, |row| {
            let evicted = self.core.write_bytes(|store| {
                store.put(key, row)?;
                Ok(store.take_evicted())
            })?;
            // As Java's: what a put drives out is gone before it is there, and is logged only where the store is a plain one.
            if !self.core.format.has_timestamp() {
                evicted
                    .iter()
                    .try_for_each(|key| self.core.log_raw(cx, key, None, context.timestamp, RawHeaders::NONE))?;
            }
            self.core.log(cx, key, row, context)
        })
    }
}

impl<K: 'static, V: 'static> fmt::Debug for KeyValueState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueState")
            .field("store", &self.core.name)
            .field("cached", &self.is_cached())
            .finish_non_exhaustive()
    }
}
