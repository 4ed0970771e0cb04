//! What the typed stores of all kinds share: serdes, the changelog, and how a value gets there.

use std::cell::RefCell;
use std::sync::Arc;

use headwater_record::{Encoded, Header, Headers, RawHeaders, SerdeError, SharedSerde, Timestamp};
use headwater_store::bytes::KeyValueBytes;
use headwater_store::{LoggedHeaders, Logging, RecordContext, Row, RowBuf, RowFormat, RowRef, Store, StoreError};

use super::write_behind::{Cached, RowSerde, WriteBehind};
use super::{FlushTo, Stamped, StoreHandle};
use crate::{Change, ProcessError, SharedStore, StoreId, TaskContext, Wiring, WiringError};

/// A store of a running task with its serdes and its changelog.
pub(super) struct Core<K: 'static, V: 'static> {
    pub(super) id: StoreId,
    pub(super) name: Arc<str>,
    /// What serdes are told.
    pub(super) topic: String,
    pub(super) store: SharedStore,
    key: SharedSerde<K>,
    pub(super) value: SharedSerde<V>,
    /// How rows lie. Operators' stores in memory keep no headers in Java, whatever `dsl.store.format` says.
    pub(super) format: RowFormat,
    logged: bool,
    logged_headers: LoggedHeaders,
    // A global store, seen by a task that does not fill it.
    read_only: bool,
    // Buffers that are used again; more than one while a flush comes back.
    buffers: RefCell<Vec<Vec<u8>>>,
}

/// A value that is to be written, or `None` to delete one.
pub(super) struct Write<'a, V> {
    pub(super) value: Option<&'a V>,
    pub(super) timestamp: Timestamp,
    /// Its bytes, where they are known.
    pub(super) encoded: Option<&'a [u8]>,
}

impl<'a, V> Write<'a, V> {
    pub(super) fn new(value: Option<&'a V>, timestamp: Timestamp) -> Self {
        Write { value, timestamp, encoded: None }
    }
}

impl<K: 'static, V: 'static> Core<K, V> {
    /// The store `id` in the task that is being wired, which must be one that `is` says is of the right kind.
    pub(super) fn open(
        wiring: &Wiring<'_>,
        id: StoreId,
        handle: &StoreHandle<K, V>,
        is: impl FnOnce(&Store) -> bool,
    ) -> Result<Self, WiringError> {
        let store = wiring.store(id)?;
        let wrong = || WiringError::StoreType { store: wiring.store_name(id) };
        let (is_of_kind, on_disk) = store.read(|store| Ok((is(store), store.state().does_as_on_disk())))?;
        let node = wiring.topology().store(id).filter(|_| is_of_kind).ok_or_else(wrong)?;
        Ok(Core {
            id,
            name: node.spec.name.as_str().into(),
            topic: wiring.topology().serde_topic(id),
            store,
            key: Arc::clone(handle.key_serde()),
            value: Arc::clone(handle.value_serde()),
            format: if on_disk || node.own { node.spec.format } else { node.spec.format.without_headers() },
            logged: matches!(node.spec.logging, Logging::Enabled(_)) && node.source_changelog.is_none() && !node.global,
            logged_headers: node.spec.logged_headers,
            read_only: node.global && wiring.task().partition >= 0,
            buffers: RefCell::default(),
        })
    }

    /// The record cache before the store, if it has one.
    pub(super) fn cache(&self, wiring: &Wiring<'_>, key_extra: usize) -> Option<WriteBehind<V>> {
        let budget = wiring.cache_budget();
        let spec = &wiring.topology().store(self.id)?.spec;
        let cached = spec.caching && !spec.kind.retains_duplicates() && budget.max() > 0 && !self.read_only;
        cached.then(|| WriteBehind::new(self.id, Arc::clone(&self.name), key_extra, budget))
    }

    /// Looks at the bytes of a key-value store.
    #[inline]
    pub(super) fn read_bytes<R>(
        &self,
        look: impl FnOnce(&dyn KeyValueBytes) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.store.read(|store| match store {
            Store::KeyValue(store) => look(store.as_ref()),
            other => Err(wrong_kind(other, "a key-value store")),
        })
    }

    /// Changes the bytes of a key-value store.
    #[inline]
    pub(super) fn write_bytes<R>(
        &self,
        work: impl FnOnce(&mut dyn KeyValueBytes) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.store.write(|store| match store {
            Store::KeyValue(store) => work(store.as_mut()),
            other => Err(wrong_kind(other, "a key-value store")),
        })
    }

    /// Runs `work` with an empty buffer.
    #[inline]
    pub(super) fn with_buffer<R>(&self, work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut bytes = self.buffers.borrow_mut().pop().unwrap_or_default();
        bytes.clear();
        let result = work(&mut bytes);
        self.buffers.borrow_mut().push(bytes);
        result
    }

    /// Runs `work` with the bytes of `key`.
    #[inline]
    pub(super) fn with_key<R>(
        &self,
        key: &K,
        work: impl FnOnce(&[u8]) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.with_buffer(|bytes| {
            self.encode_key(key, bytes)?;
            work(bytes)
        })
    }

    pub(super) fn key_is_null(&self, key: &K) -> bool {
        self.key.is_null(key)
    }

    pub(super) fn encode_key(&self, key: &K, into: &mut Vec<u8>) -> Result<(), ProcessError> {
        match self.key.serialize(&self.topic, key, into)? {
            Encoded::Bytes => Ok(()),
            Encoded::Null => Err(ProcessError::user("key cannot be null")),
        }
    }

    /// Appends the bytes of `value`; `false` when it has none.
    pub(super) fn encode_value(&self, value: &V, into: &mut Vec<u8>) -> Result<bool, ProcessError> {
        Ok(self.value.serialize(&self.topic, value, into)? == Encoded::Bytes)
    }

    pub(super) fn decode_key(&self, bytes: &[u8]) -> Result<K, ProcessError> {
        Ok(self.key.deserialize(&self.topic, Some(bytes))?)
    }

    pub(super) fn decode(&self, row: &RowBuf) -> Result<Stamped<V>, ProcessError> {
        self.decode_lent(row.lend())
    }

    fn decode_lent(&self, row: RowRef<'_>) -> Result<Stamped<V>, ProcessError> {
        let value = self.value.deserialize(&self.topic, Some(row.value))?;
        Ok(Stamped { value, timestamp: row.timestamp })
    }

    /// The value of the row of `key`. A task that reads a global store is told which row it is: the record at hand did not write it.
    pub(super) fn decode_of(&self, key: &[u8], row: RowRef<'_>) -> Result<Stamped<V>, ProcessError> {
        self.decode_lent(row).map_err(|error| if self.read_only { self.name_row(key, row, error) } else { error })
    }

    #[cold]
    fn name_row(&self, key: &[u8], row: RowRef<'_>, error: ProcessError) -> ProcessError {
        let ProcessError::Serde(error) = error else { return error };
        let (key, time) = (key.escape_ascii(), row.timestamp.millis());
        ProcessError::Serde(SerdeError::Custom(format!(
            "the row of \"{key}\" in the global store {}, written by a record of topic {} with timestamp {time}, cannot be read: {error}; a \
             global table takes what is there before the start as it is: write its key again, or null to delete the row",
            self.name, self.topic
        )))
    }

    pub(super) fn row_serde(&self) -> RowSerde<'_, V> {
        RowSerde { serde: &*self.value, topic: &self.topic, format: self.format }
    }

    /// Makes the row of a value, and has `put` write it to store and changelog.
    pub(super) fn write(
        &self,
        write: Write<'_, V>,
        context: &RecordContext,
        put: impl FnOnce(Option<Row<'_>>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        if self.read_only {
            return Err(ProcessError::user("Global store is read only"));
        }
        self.with_buffer(|bytes| {
            let present = match (write.value, write.encoded) {
                (None, _) => false,
                (Some(_), Some(encoded)) => {
                    bytes.extend_from_slice(encoded);
                    true
                }
                (Some(value), None) => self.encode_value(value, bytes)?,
            };
            let list = if present { self.headers_of(context) } else { None };
            let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
            put(present.then_some(Row { value: bytes, timestamp: write.timestamp, headers }))
        })
    }

    /// Logs what was written under `key`.
    pub(super) fn log(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        row: Option<Row<'_>>,
        context: &RecordContext,
    ) -> Result<(), ProcessError> {
        if !self.logged {
            return Ok(());
        }
        if let Some(row) = row {
            // A table's row was written at a time, even where it is not kept with it.
            let is_timed = self.format.has_timestamp() || row.timestamp.is_known();
            let timestamp = if is_timed { row.timestamp } else { context.timestamp };
            let headers = if self.always_logs_headers() { row.headers } else { RawHeaders::NONE };
            return cx.log(self.id, key, Some(row.value), timestamp, headers);
        }
        // As Java's: headers mostly go with tombstones only.
        let list = self.headers_of(context);
        let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
        cx.log(self.id, key, None, context.timestamp, headers)
    }

    /// Logs something else than a row of the store's format, at `timestamp`.
    pub(super) fn log_raw(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: RawHeaders<'_>,
    ) -> Result<(), ProcessError> {
        if self.logged { cx.log(self.id, key, value, timestamp, headers) } else { Ok(()) }
    }

    /// What was there before a change: what the change left of it, or what `row` says, or, where nothing was, what `absent` makes.
    pub(super) fn old_value(
        &self,
        left: Option<Stamped<V>>,
        row: Option<&RowBuf>,
        absent: impl FnOnce() -> Option<V>,
    ) -> Result<Option<V>, ProcessError> {
        match (left, row) {
            (Some(left), _) => Ok(Some(left.value)),
            (None, Some(row)) => Ok(Some(self.decode(row)?.value)),
            (None, None) => Ok(absent()),
        }
    }

    /// The headers that lie with a value: those of its last write, where the `cache` has that under `key`, else of the row that
    /// `read` reads.
    pub(super) fn headers_with(
        &self,
        cache: Option<&WriteBehind<V>>,
        key: &[u8],
        read: impl FnOnce() -> Result<Option<RowBuf>, ProcessError>,
    ) -> Result<Option<Headers>, ProcessError> {
        if let Some(cache) = cache
            && let Some(cached) = cache.entries().borrow().peek(key)
        {
            match &cached.context {
                _ if cached.value.is_none() => return Ok(None),
                Some(written) if self.format.has_headers() => return Ok(Some(written.headers.clone())),
                _ => {}
            }
        }
        Ok(read()?.map(|row| row.headers().clone()))
    }

    fn headers_of(&self, context: &RecordContext) -> Option<Arc<Vec<Header>>> {
        if self.always_logs_headers() || self.format.has_headers() { context.headers.snapshot() } else { None }
    }

    fn always_logs_headers(&self) -> bool {
        self.logged_headers == LoggedHeaders::Always
    }

    /// Has `put` write into a copy of the store what lies in the cache.
    pub(super) fn write_copy(
        &self,
        cached: &Cached<V>,
        put: impl FnOnce(Option<Row<'_>>) -> Result<(), StoreError>,
    ) -> Result<(), ProcessError> {
        let Some((unwritten, context)) = cached.unwritten() else { return Ok(()) };
        self.write(unwritten, context, |row| Ok(put(row)?))
    }

    /// Writes what leaves the cache, and hands the change on: `read` reads the row that is there, `write` writes, and `hand_on`
    /// knows the key.
    pub(super) fn write_back<O>(
        &self,
        cx: &mut TaskContext<'_>,
        cached: &Cached<V>,
        to: Option<FlushTo<O, V>>,
        read: impl FnOnce() -> Result<Option<RowBuf>, ProcessError>,
        write: impl FnOnce(&mut TaskContext<'_>, Write<'_, V>, &RecordContext) -> Result<(), ProcessError>,
        hand_on: impl FnOnce(
            &mut TaskContext<'_>,
            &FlushTo<O, V>,
            Change<'_, V>,
            Timestamp,
            &Headers,
        ) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let send_old = to.as_ref().is_some_and(|to| to.send_old);
        // A store without an owner is written as it was told to be.
        let ask = to.is_some() && (cached.value.is_none() || send_old);
        let old_row = if ask { read()? } else { None };
        if to.is_some() && cached.value.is_none() && old_row.is_none() {
            return Ok(());
        }
        let Some((unwritten, context)) = cached.unwritten() else { return Ok(()) };
        let timestamp = if cached.value.is_some() { cached.timestamp } else { context.timestamp };
        cx.within(context.clone(), |cx| {
            write(cx, unwritten, context)?;
            let Some(to) = to else { return Ok(()) };
            let old = match old_row.filter(|_| send_old) {
                Some(row) => Some(self.decode(&row)?.value),
                None => None,
            };
            hand_on(cx, &to, Change::new(&cached.value, &old), timestamp, &context.headers)
        })
    }
}

/// The store is not of the kind that it was opened as.
#[cold]
pub(super) fn wrong_kind(store: &Store, expected: &str) -> StoreError {
    StoreError::TypeChanged {
        store: store.state().name().to_owned(),
        expected: expected.to_owned(),
        found: "another kind".to_owned(),
    }
}
