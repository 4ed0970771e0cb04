//! A typed key-value store of a running task.

mod cached;
mod scan;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Encoded, Headers, RawHeaders, SharedSerde, Timestamp};
use headwater_store::bytes::KeyValueBytes;
use headwater_store::{LoggedHeaders, Logging, RecordContext, Row, RowBuf, RowFormat, Store, StoreError};

use super::write_behind::{Cached, WriteBehind};
use super::{FlushTo, Stamped, StoreHandle};
use crate::{Change, ProcessError, SharedStore, StoreId, TaskContext, Update, Wiring, WiringError};

/// Entries that are read at once while iterating.
const SCAN: usize = 256;

/// A key-value store with types: serdes, changelog and record cache around the bytes.
pub struct KeyValueState<K: 'static, V: 'static> {
    id: StoreId,
    name: Arc<str>,
    topic: String,
    store: SharedStore,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    format: RowFormat,
    logged: bool,
    logged_headers: LoggedHeaders,
    // A global store, seen by a task that does not fill it.
    read_only: bool,
    cache: Option<WriteBehind<V>>,
    flush_to: RefCell<Option<FlushTo<K, V>>>,
    // Buffers that are used again; more than one while a flush comes back.
    buffers: RefCell<Vec<Vec<u8>>>,
}

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    /// The state over `store` in the task that is being wired: made once, then shared.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when it was opened with other types before, [`WiringError::Store`] when it is of another kind.
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, handle: &StoreHandle<K, V>) -> Result<Rc<Self>, WiringError> {
        wiring.shared_state(store, |wiring| Self::make(wiring, store, handle), Self::is_cached)
    }

    fn make(wiring: &mut Wiring<'_>, id: StoreId, handle: &StoreHandle<K, V>) -> Result<Self, WiringError> {
        let store = wiring.store(id)?;
        let name = wiring.store_name(id);
        if !store.read(|store| Ok(matches!(store, Store::KeyValue(_))))? {
            return Err(WiringError::StoreType { store: name });
        }
        let node = wiring.topology().store(id);
        let budget = wiring.cache_budget();
        let read_only = node.is_some_and(|node| node.global) && wiring.task().partition >= 0;
        let cached = node.is_some_and(|node| node.spec.caching) && budget.max() > 0 && !read_only;
        let (topic, name): (String, Arc<str>) = (wiring.topology().serde_topic(id), name.into());
        Ok(KeyValueState {
            id,
            topic,
            cache: cached.then(|| WriteBehind::new(id, Arc::clone(&name), 0, budget)),
            name,
            store,
            key: Arc::clone(handle.key_serde()),
            value: Arc::clone(handle.value_serde()),
            format: node.map_or(RowFormat::Plain, |node| node.spec.format),
            logged: node.is_some_and(|node| {
                matches!(node.spec.logging, Logging::Enabled(_)) && node.source_changelog.is_none() && !node.global
            }),
            logged_headers: node.map_or_else(LoggedHeaders::default, |node| node.spec.logged_headers),
            read_only,
            flush_to: RefCell::new(None),
            buffers: RefCell::default(),
        })
    }

    /// Says who hears of changes: the children of the node that owns the store.
    pub fn flush_to(&self, to: FlushTo<K, V>) {
        *self.flush_to.borrow_mut() = Some(to);
    }

    /// Whether writes lie in a record cache first.
    #[inline]
    pub fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// When the key or the value cannot be encoded or decoded, or the store cannot be read.
    pub fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        self.with_key(key, |bytes| self.get_encoded(cx, bytes))
    }

    /// Looks at the value of `key`, without a copy when it lies in the cache.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn with<R>(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        look: impl FnOnce(Option<(&V, Timestamp)>) -> R,
    ) -> Result<R, ProcessError> {
        self.with_key(key, |bytes| {
            let (place, found) = self.find(cx, bytes)?;
            let result = look(found.as_ref().and_then(|cached| Some((cached.value.as_ref()?, cached.timestamp))));
            self.give_back(place, found);
            Ok(result)
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
        self.with_key(key, |bytes| {
            if self.is_cached() {
                self.put_cached(cx, bytes, value, timestamp, context)
            } else {
                self.write(cx, bytes, value.as_ref(), timestamp, None, &context)
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
    pub fn update(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        record_timestamp: Timestamp,
        headers: &Headers,
        absent: Option<&dyn Fn() -> V>,
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        self.with_key(key, |bytes| {
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
        absent: Option<&dyn Fn() -> V>,
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let row = self.read(bytes)?;
        let mut slot = row.as_ref().map(|row| self.decode(row)).transpose()?;
        let new = change(&mut slot)?;
        self.write(cx, bytes, new.value.as_ref(), new.timestamp, None, context)?;
        let Some(to) = self.flush_to.borrow().clone() else { return Ok(()) };
        let old = match (to.send_old, slot, row) {
            (false, ..) => None,
            (true, Some(kept), _) => Some(kept.value),
            (true, None, Some(row)) => Some(self.decode(&row)?.value),
            (true, None, None) => absent.map(|absent| absent()),
        };
        let change = Change::new(&new.value, &old);
        to.push(cx, Update { key, change, timestamp: new.timestamp, headers: &context.headers })
    }

    /// How many entries there are, about, those in the cache that are not written yet left out.
    pub fn approximate_len(&self) -> u64 {
        self.read_bytes(|store| Ok(store.approximate_len())).unwrap_or_default()
    }

    fn read_bytes<R>(&self, look: impl FnOnce(&dyn KeyValueBytes) -> Result<R, StoreError>) -> Result<R, ProcessError> {
        Ok(self.store.read(|store| match store {
            Store::KeyValue(store) => look(store.as_ref()),
            other => Err(of_another_kind(other)),
        })?)
    }

    fn key_bytes(&self, key: &K) -> Result<Vec<u8>, ProcessError> {
        let mut bytes = Vec::new();
        self.encode_key(key, &mut bytes)?;
        Ok(bytes)
    }

    fn encode_key(&self, key: &K, into: &mut Vec<u8>) -> Result<(), ProcessError> {
        match self.key.serialize(&self.topic, key, into)? {
            Encoded::Bytes => Ok(()),
            Encoded::Null => Err(ProcessError::user(format!("store {}: a key cannot be null", self.name))),
        }
    }

    fn with_key<R>(&self, key: &K, work: impl FnOnce(&[u8]) -> Result<R, ProcessError>) -> Result<R, ProcessError> {
        let mut bytes = self.buffers.borrow_mut().pop().unwrap_or_default();
        bytes.clear();
        let result = self.encode_key(key, &mut bytes).and_then(|()| work(&bytes));
        self.buffers.borrow_mut().push(bytes);
        result
    }

    fn read(&self, key: &[u8]) -> Result<Option<RowBuf>, ProcessError> {
        self.read_bytes(|store| store.get(key))
    }

    fn decode(&self, row: &RowBuf) -> Result<Stamped<V>, ProcessError> {
        let value = self.value.deserialize(&self.topic, Some(row.value()))?;
        Ok(Stamped { value, timestamp: row.timestamp() })
    }

    /// Writes a value, or a tombstone, to store and changelog.
    fn write(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        value: Option<&V>,
        timestamp: Timestamp,
        encoded: Option<Vec<u8>>,
        context: &RecordContext,
    ) -> Result<(), ProcessError> {
        let mut bytes = self.buffers.borrow_mut().pop().unwrap_or_default();
        bytes.clear();
        let present = match (value, encoded) {
            (None, _) => false,
            (Some(_), Some(encoded)) => {
                bytes.extend_from_slice(&encoded);
                true
            }
            (Some(value), None) => self.value.serialize(&self.topic, value, &mut bytes)? == Encoded::Bytes,
        };
        let result = self.write_bytes(cx, key, present.then_some(&bytes), timestamp, context);
        self.buffers.borrow_mut().push(bytes);
        result
    }

    fn write_bytes(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        value: Option<&Vec<u8>>,
        timestamp: Timestamp,
        context: &RecordContext,
    ) -> Result<(), ProcessError> {
        if self.read_only {
            return Err(ProcessError::user("Global store is read only"));
        }
        let always = self.logged_headers == LoggedHeaders::Always;
        let list = if always || self.format.has_headers() { context.headers.snapshot() } else { None };
        let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
        let evicted = self.store.write(|store| match store {
            Store::KeyValue(store) => {
                store.put(key, value.map(|value| Row { value, timestamp, headers }))?;
                Ok(store.take_evicted())
            }
            other => Err(of_another_kind(other)),
        })?;
        if !self.logged {
            return Ok(());
        }
        let logged_at = if value.is_some() && self.format.has_timestamp() { timestamp } else { context.timestamp };
        // As Java's: headers mostly go with tombstones only, and what a put drives out is gone before it is there.
        let logged_headers = if always || value.is_none() { headers } else { RawHeaders::NONE };
        if !self.format.has_timestamp() {
            // Java logs what leaves an LRU store only where that store is a plain one.
            evicted.iter().try_for_each(|key| cx.log(self.id, key, None, context.timestamp, RawHeaders::NONE))?;
        }
        cx.log(self.id, key, value.map(Vec::as_slice), logged_at, logged_headers)
    }
}

#[cold]
fn of_another_kind(store: &Store) -> StoreError {
    StoreError::TypeChanged {
        store: store.state().name().to_owned(),
        expected: "a key-value store".to_owned(),
        found: "another kind".to_owned(),
    }
}

impl<K: 'static, V: 'static> fmt::Debug for KeyValueState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValueState")
            .field("store", &self.name)
            .field("cached", &self.is_cached())
            .finish_non_exhaustive()
    }
}
