//! What window and session stores share: a value per key and stretch of time, with serdes, changelog and record cache around the
//! bytes.

mod cached;
mod duplicates;
mod scan;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use headwater_record::{Headers, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put};
use headwater_store::{Asked, RecordContext, Row, RowBuf, RowFormat, Store, StoreError, StoreKind};
use headwater_window::{Window, Windowed};

use super::core::{Core, Write};
use super::walk::Walks;
use super::write_behind::WriteBehind;
use super::{FlushTo, Stamped, StoreHandle};
use crate::{Change, DropReason, ProcessError, StoreId, TaskContext, Update, Wiring, WiringError};

pub use self::scan::{Found, Keys, entries_of};

/// How a kind of store is keyed by time. [`super::ByWindow`] and [`super::BySession`] are the two there are.
pub trait Timed: Sized + 'static {
    /// For stores of this kind.
    fn of(kind: StoreKind) -> Option<Self>;
    /// Goes on where an open store of this kind ended.
    fn resume(&self, store: &Store) {
        let _ = store;
    }
    /// Whether an open store is of this kind.
    fn is(store: &Store) -> bool;
    /// Appends what stands behind the key's bytes in store and changelog.
    fn put_suffix(&self, window: Window, into: &mut Vec<u8>);
    /// The same for the changelog, where several values may have one key and window.
    fn put_log_suffix(&self, window: Window, into: &mut Vec<u8>) {
        self.put_suffix(window, into);
    }
    /// The key's bytes and the window, of the bytes of both.
    fn split<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], Window)>;
    /// The one window that lies between the times that are asked for, where they tell it.
    fn only(&self, asked: &Asked<'_>) -> Option<Window> {
        let _ = asked;
        None
    }
    /// The time by which entries expire and are ordered.
    fn time(window: Window) -> Timestamp;
    /// No wanted window of a key lies before this one in the order of bytes.
    fn first(wanted: Wanted) -> Window;
    /// No wanted window of a key lies behind this one in the order of bytes.
    fn last(wanted: Wanted) -> Window;
    /// The time of the change that is handed on when an entry leaves the cache.
    fn time_of_change(window: Window, timestamp: Timestamp) -> Timestamp;
    /// Reads one row.
    ///
    /// # Errors
    /// Those of the store.
    fn fetch(&self, store: &Store, key: &[u8], window: Window) -> Result<Option<RowBuf>, StoreError>;
    /// Writes or, with `None`, deletes one row.
    ///
    /// # Errors
    /// Those of the store.
    fn put(&self, store: &mut Store, key: &[u8], window: Window, row: Option<Row<'_>>) -> Result<Put, StoreError>;
    /// Deletes one row, where a store tells that from a tombstone that is put.
    ///
    /// # Errors
    /// Those of the store.
    fn remove(&self, store: &mut Store, key: &[u8], window: Window) -> Result<Put, StoreError> {
        self.put(store, key, window, None)
    }
    /// Hands rows to `take` in `order`: those of `keys` that `wanted` asks for.
    ///
    /// # Errors
    /// Those of the store.
    fn scan(
        &self,
        store: &Store,
        keys: KeySelection<'_>,
        wanted: Wanted,
        order: Order,
        take: &mut dyn FnMut(Vec<u8>, Window, RowBuf),
    ) -> Result<(), StoreError>;
}

/// Which windows are wanted, milliseconds, all included.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The least time ([`Timed::time`]).
    pub from: Timestamp,
    /// The greatest time.
    pub to: Timestamp,
    /// The greatest start.
    pub latest_start: Timestamp,
}

impl Wanted {
    /// All there are.
    pub const ALL: Wanted = Wanted { from: Timestamp::ZERO, to: Timestamp::MAX, latest_start: Timestamp::MAX };

    fn admits<T: Timed>(&self, window: Window) -> bool {
        let time = T::time(window);
        self.from <= time && time <= self.to && window.start <= self.latest_start
    }
}

/// The bytes of a key, for several windows of it. Made by [`TimedState::with_key`].
#[derive(Debug)]
pub struct KeyBuf {
    bytes: Vec<u8>,
    key: usize,
}

impl KeyBuf {
    /// The key's bytes.
    pub fn key(&self) -> &[u8] {
        self.bytes.get(..self.key).unwrap_or_default()
    }

    /// The bytes of key and window, as store and changelog have them.
    fn at<T: Timed>(&mut self, timed: &T, window: Window) -> &[u8] {
        self.bytes.truncate(self.key);
        timed.put_suffix(window, &mut self.bytes);
        &self.bytes
    }
}

/// How a value becomes another: it may be taken out of the slot; the new one is returned with its time.
pub type ChangeOf<'f, V> = &'f mut dyn FnMut(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>;

/// A window or session store with types. See [`super::WindowState`], [`super::SessionState`].
pub struct TimedState<K: 'static, V: 'static, T> {
    core: Core<K, V>,
    pub(super) timed: T,
    /// Entries of one segment lie together in the cache's order; 1 ms: by time alone.
    segment_ms: i64,
    /// The store is in memory in place of one on disk that lies by keys, and has an order of its own.
    sorts: bool,
    cache: Option<WriteBehind<V>>,
    flush_to: RefCell<Option<FlushTo<Windowed<K>, V>>>,
    walks: Walks,
}

impl<K: 'static, V: 'static, T: Timed> TimedState<K, V, T> {
    /// The state over `store` in the task that is being wired: made once, then shared.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when it is of another kind, or was opened with other types before, [`WiringError::Store`].
    #[doc(hidden)]
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, handle: &StoreHandle<K, V>) -> Result<Rc<Self>, WiringError> {
        wiring.shared_state(store, |wiring| Self::make(wiring, store, handle), Self::is_cached)
    }

    fn make(wiring: &Wiring<'_>, id: StoreId, handle: &StoreHandle<K, V>) -> Result<Self, WiringError> {
        let core = Core::open(wiring, id, handle, T::is)?;
        let kind = wiring.topology().store(id).map(|node| node.spec.kind);
        let wrong = || WiringError::StoreType { store: core.name.to_string() };
        let (kind, timed) = kind.and_then(|kind| Some((kind, T::of(kind)?))).ok_or_else(wrong)?;
        let (on_disk, persistent) = core.store.read(|store| {
            timed.resume(store);
            Ok((store.state().does_as_on_disk(), store.state().is_persistent()))
        })?;
        let time_first = kind.is_time_ordered();
        let segment = kind.segment_interval().map_or(1, |interval| interval.as_millis().max(1));
        let by_segment = on_disk && !time_first;
        // Java's caches put the number of the segment before a key, and where time comes first, a byte that says so.
        let key_extra = 8 + usize::from(time_first);
        Ok(TimedState {
            cache: core.cache(wiring, key_extra),
            core,
            timed,
            segment_ms: if by_segment { i64::try_from(segment).unwrap_or(i64::MAX) } else { 1 },
            sorts: by_segment && !persistent,
            flush_to: RefCell::new(None),
            walks: Walks::default(),
        })
    }

    /// Says who hears of changes: the children of the node that owns the store.
    #[doc(hidden)]
    pub fn flush_to(&self, to: FlushTo<Windowed<K>, V>) {
        *self.flush_to.borrow_mut() = Some(to);
    }

    /// Whether writes lie in a record cache first.
    #[inline]
    #[doc(hidden)]
    pub fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    /// Whether rows have headers beside their value, and no timestamp: sessions under KIP-1271.
    #[doc(hidden)]
    pub fn keeps_headers_only(&self) -> bool {
        self.core.format == RowFormat::HeadersOnly
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Runs `work` with the bytes of `key`.
    ///
    /// # Errors
    /// Those of `work`, and when the key cannot be encoded.
    #[doc(hidden)]
    pub fn with_key<R>(
        &self,
        key: &K,
        work: impl FnOnce(&mut KeyBuf) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.core.with_buffer(|bytes| {
            let mut buf = KeyBuf { bytes: std::mem::take(bytes), key: 0 };
            let result = self.core.encode_key(key, &mut buf.bytes).and_then(|()| {
                buf.key = buf.bytes.len();
                work(&mut buf)
            });
            *bytes = buf.bytes;
            result
        })
    }

    /// The value in `window`.
    ///
    /// # Errors
    /// When the value cannot be decoded, or the store cannot be read.
    #[doc(hidden)]
    pub fn get(&self, key: &mut KeyBuf, window: Window) -> Result<Option<Stamped<V>>, ProcessError> {
        if self.is_cached() {
            let bytes = key.at(&self.timed, window);
            if let Some(found) = self.copy_of_cached(bytes)? {
                return Ok(found);
            }
        }
        self.read(key.key(), window)?.as_ref().map(|row| self.core.decode(row)).transpose()
    }

    /// The headers that lie with the value in `window`.
    pub(super) fn headers_in(&self, buf: &mut KeyBuf, window: Window) -> Result<Option<Headers>, ProcessError> {
        let key = buf.key().to_vec();
        let bytes = buf.at(&self.timed, window);
        self.core.headers_with(self.cache.as_ref(), bytes, || self.read(&key, window))
    }

    /// Sets or, with `None`, deletes the value in `window`. Nobody downstream hears of it unless the store is cached and has an
    /// owner.
    ///
    /// # Errors
    /// As [`TimedState::get`]; and what a flush that this write made necessary met.
    #[doc(hidden)]
    pub fn set(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        window: Window,
        value: Option<V>,
        timestamp: Timestamp,
        context: RecordContext,
    ) -> Result<(), ProcessError> {
        self.note_write(key, window)?;
        if self.is_cached() {
            let bytes = key.at(&self.timed, window);
            self.put_cached(cx, bytes, Stamped { value, timestamp }, context)
        } else {
            self.write(cx, key.key(), window, Write::new(value.as_ref(), timestamp), &context)
        }
    }

    /// As [`TimedState::set`], in a store without cache: the value stays with the caller. It has no time of its own.
    ///
    /// # Errors
    /// As [`TimedState::set`].
    #[doc(hidden)]
    pub fn set_ref(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        window: Window,
        value: Option<&V>,
        context: &RecordContext,
    ) -> Result<(), ProcessError> {
        self.write(cx, key.key(), window, Write::new(value, Timestamp::UNKNOWN), context)
    }

    /// Tells those who go through the store.
    #[inline]
    fn note_write(&self, key: &mut KeyBuf, window: Window) -> Result<(), ProcessError> {
        // Who goes through this store has found all that was there when he began.
        if self.walks.are_open() { self.walks.writes(key.at(&self.timed, window), || Ok(true)) } else { Ok(()) }
    }

    /// Makes a new value of the old one, and hands the change to the owner's children: at once when the store is not cached, else
    /// when the entry leaves the cache.
    ///
    /// `change` may take the old value out, and returns the new one with its time, which is also that of the change. On an error
    /// everything stays as it was; should it have taken the value out then, the value is read again, and where only the cache had
    /// it the error is fatal, so that the task begins again where it last committed. `absent` makes what counts as the old value
    /// where there was none. `change` may read other keys and windows of this store; its own may read as deleted meanwhile.
    ///
    /// # Errors
    /// Those of `change`, and as [`TimedState::set`].
    #[expect(clippy::too_many_arguments, reason = "a record and where it goes")]
    #[doc(hidden)]
    pub fn update(
        &self,
        cx: &mut TaskContext<'_>,
        (key, buf): (&K, &mut KeyBuf),
        window: Window,
        record_timestamp: Timestamp,
        headers: &Headers,
        absent: Option<&dyn Fn() -> Option<V>>,
        change: ChangeOf<'_, V>,
    ) -> Result<(), ProcessError>
    where
        K: Clone,
    {
        self.note_write(buf, window)?;
        if self.is_cached() {
            return self.update_cached(cx, buf, window, (record_timestamp, headers), change);
        }
        let context = cx.record_context(record_timestamp, headers);
        let row = self.read(buf.key(), window)?;
        let mut slot = row.as_ref().map(|row| self.core.decode(row)).transpose()?;
        let new = change(&mut slot)?;
        let old = || self.core.old_value(slot, row.as_ref(), || absent.and_then(|absent| absent()));
        self.write_and_hand_on(cx, (key, buf.key()), window, &new, (headers, &context), old)
    }

    /// As [`TimedState::update`], without a look at what is there: in a store without cache, `old` makes what counts as the old
    /// value, where somebody asks for it.
    ///
    /// # Errors
    /// Those of `old`, and as [`TimedState::set`].
    #[expect(clippy::too_many_arguments, reason = "a record and where it goes")]
    #[doc(hidden)]
    pub fn replace(
        &self,
        cx: &mut TaskContext<'_>,
        (key, buf): (&K, &mut KeyBuf),
        window: Window,
        record_timestamp: Timestamp,
        headers: &Headers,
        new: Stamped<Option<V>>,
        old: impl FnOnce() -> Result<Option<V>, ProcessError>,
    ) -> Result<(), ProcessError>
    where
        K: Clone,
    {
        self.note_write(buf, window)?;
        let context = cx.record_context(record_timestamp, headers);
        if self.is_cached() {
            return self.put_cached(cx, buf.at(&self.timed, window), new, context);
        }
        self.write_and_hand_on(cx, (key, buf.key()), window, &new, (headers, &context), old)
    }

    /// Writes to a store without cache, and hands the change on; `old` makes the old value, where somebody asks for it.
    fn write_and_hand_on(
        &self,
        cx: &mut TaskContext<'_>,
        (key, bytes): (&K, &[u8]),
        window: Window,
        new: &Stamped<Option<V>>,
        (headers, context): (&Headers, &RecordContext),
        old: impl FnOnce() -> Result<Option<V>, ProcessError>,
    ) -> Result<(), ProcessError>
    where
        K: Clone,
    {
        self.write(cx, bytes, window, Write::new(new.value.as_ref(), new.timestamp), context)?;
        let Some(to) = self.flush_to.borrow().clone() else { return Ok(()) };
        let old = if to.send_old { old()? } else { None };
        let key = Windowed::new(key.clone(), window);
        let change = Change::new(&new.value, &old);
        to.push(cx, Update { key: &key, change, timestamp: new.timestamp, headers })
    }

    fn read(&self, key: &[u8], window: Window) -> Result<Option<RowBuf>, ProcessError> {
        Ok(self.core.store.read(|store| self.timed.fetch(store, key, window))?)
    }

    /// Deletes the value in `window`; a store with a cache learns of it as of a tombstone.
    pub(super) fn take_out(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        window: Window,
        context: RecordContext,
    ) -> Result<(), ProcessError> {
        if self.is_cached() {
            return self.set(cx, key, window, None, Timestamp::UNKNOWN, context);
        }
        self.note_write(key, window)?;
        let (key, none) = (key.key(), Write::new(None, Timestamp::UNKNOWN));
        self.write_by(cx, key, window, none, &context, |store, _| self.timed.remove(store, key, window))
    }

    /// Writes a value, or a tombstone, to store and changelog.
    fn write(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        window: Window,
        write: Write<'_, V>,
        context: &RecordContext,
    ) -> Result<(), ProcessError> {
        self.write_by(cx, key, window, write, context, |store, row| self.timed.put(store, key, window, row))
    }

    #[inline]
    fn write_by(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        window: Window,
        write: Write<'_, V>,
        context: &RecordContext,
        put: impl FnOnce(&mut Store, Option<Row<'_>>) -> Result<Put, StoreError>,
    ) -> Result<(), ProcessError> {
        self.core.write(write, context, |row| {
            if self.core.store.write(|store| put(store, row))? == Put::Expired {
                cx.drop_record(DropReason::Late);
            }
            self.core.with_buffer(|bytes| {
                bytes.extend_from_slice(key);
                self.timed.put_log_suffix(window, bytes);
                self.core.log(cx, bytes, row, context)
            })
        })
    }
}

impl<K: 'static, V: 'static, T> fmt::Debug for TimedState<K, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedState")
            .field("store", &self.core.name)
            .field("cached", &self.cache.is_some())
            .finish_non_exhaustive()
    }
}
