//! A typed window store of a running task.

use std::cell::Cell;
use std::ops::ControlFlow;

use headwater_record::{Headers, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use headwater_store::{Asked, Row, RowBuf, Store, StoreError, StoreKind};
use headwater_window::key_format::{put_window_store_suffix, split_window_store_key};
use headwater_window::{Window, Windowed};

use super::Stamped;
use super::core::wrong_kind;
use super::timed::{Keys, Timed, TimedState, Wanted};
use crate::{ProcessError, TaskContext};

/// Entries that are read at once while iterating.
const SCAN: usize = 256;

/// A window store with types: serdes, changelog and record cache around the bytes (Java's `WindowStore`).
pub type WindowState<K, V> = TimedState<K, V, ByWindow>;

/// Keyed by the start of a window.
#[derive(Debug)]
pub struct ByWindow {
    size_ms: i64,
    /// The sequence number logged last, where several values may have the same key and start.
    sequence: Option<Cell<i32>>,
}

impl ByWindow {
    fn window(&self, start: Timestamp) -> Window {
        Window::of_size(start, self.size_ms)
    }
}

pub(super) fn bytes(store: &Store) -> Result<&dyn WindowBytes, StoreError> {
    match store {
        Store::Window(store) => Ok(store.as_ref()),
        other => Err(wrong_kind(other, "a window store")),
    }
}

impl Timed for ByWindow {
    fn of(kind: StoreKind) -> Option<Self> {
        let StoreKind::Window { window_size, retain_duplicates, .. } = kind else { return None };
        let size_ms = i64::try_from(window_size.as_millis()).unwrap_or(i64::MAX);
        Some(ByWindow { size_ms, sequence: retain_duplicates.then(|| Cell::new(0)) })
    }

    fn resume(&self, store: &Store) {
        if let (Some(last), Store::Window(store)) = (&self.sequence, store) {
            // Nulls are logged under numbers that the store does not know. None is greater than there are records in the changelog.
            let logged = store.committed_offset().ok().flatten().map_or(0, |last| last.value().saturating_add(1));
            last.set(store.last_sequence().max(i32::try_from(logged & i64::from(i32::MAX)).unwrap_or_default()));
        }
    }

    fn is(store: &Store) -> bool {
        matches!(store, Store::Window(_))
    }

    fn put_suffix(&self, window: Window, into: &mut Vec<u8>) {
        put_window_store_suffix(window.start, 0, into);
    }

    fn put_log_suffix(&self, window: Window, into: &mut Vec<u8>) {
        let sequence = self.sequence.as_ref().map_or(0, |last| {
            last.set(last.get().wrapping_add(1) & i32::MAX);
            last.get()
        });
        put_window_store_suffix(window.start, sequence, into);
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], Window)> {
        let (key, start, _) = split_window_store_key(bytes)?;
        Some((key, self.window(start)))
    }

    fn only(&self, asked: &Asked<'_>) -> Option<Window> {
        (asked.from == asked.to).then(|| self.window(asked.from))
    }

    fn time(window: Window) -> Timestamp {
        window.start
    }

    fn first(wanted: Wanted) -> Window {
        let from = wanted.from.max(Timestamp::ZERO);
        Window::new(from, from)
    }

    fn last(wanted: Wanted) -> Window {
        Window::new(wanted.to, wanted.to)
    }

    fn time_of_change(_: Window, timestamp: Timestamp) -> Timestamp {
        timestamp
    }

    fn fetch(&self, store: &Store, key: &[u8], window: Window) -> Result<Option<RowBuf>, StoreError> {
        bytes(store)?.fetch(key, window.start)
    }

    fn put(&self, store: &mut Store, key: &[u8], window: Window, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        match store {
            Store::Window(store) => store.put(key, window.start, row),
            other => Err(wrong_kind(other, "a window store")),
        }
    }

    fn scan(
        &self,
        store: &Store,
        keys: KeySelection<'_>,
        wanted: Wanted,
        order: Order,
        take: &mut dyn FnMut(Vec<u8>, Window, RowBuf),
    ) -> Result<(), StoreError> {
        let store = bytes(store)?;
        let query = WindowQuery { keys, from: wanted.from, to: wanted.to };
        let (mut page, mut last): (Vec<WindowEntry>, Option<WindowEntry>) = (Vec::new(), None);
        loop {
            let scan = store.scan(query, order, last.as_ref(), SCAN, &mut page)?;
            last = if scan == Scan::More { page.last().cloned() } else { None };
            for entry in page.drain(..) {
                take(entry.key, self.window(entry.start), entry.row);
            }
            if last.is_none() {
                return Ok(());
            }
        }
    }
}

impl<K: 'static, V: 'static> TimedState<K, V, ByWindow> {
    /// The value of `key` in the window that starts at `start` (`WindowStore#fetch`).
    ///
    /// # Errors
    /// When key or value cannot be encoded or decoded, or the store cannot be read.
    pub fn fetch(&self, key: &K, start: Timestamp) -> Result<Option<Stamped<V>>, ProcessError> {
        self.with_key(key, |buf| self.get(buf, self.timed.window(start)))
    }

    /// The headers that lie with the value of `key` in the window that starts at `start`, as [`KeyValueState::headers`](super::KeyValueState::headers) has them.
    ///
    /// # Errors
    /// As [`TimedState::fetch`].
    pub fn headers(&self, key: &K, start: Timestamp) -> Result<Option<Headers>, ProcessError> {
        self.with_key(key, |buf| self.headers_in(buf, self.timed.window(start)))
    }

    /// Sets or, with `None`, deletes the value of `key` in the window that starts at `start` (`WindowStore#put`). A store that
    /// retains duplicates adds the value to those that are there.
    ///
    /// # Errors
    /// As [`TimedState::fetch`]; and what a flush that this write made necessary met.
    pub fn put(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        start: Timestamp,
        value: Option<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        let context = cx.record_context(timestamp, headers);
        self.with_key(key, |buf| self.set(cx, buf, self.timed.window(start), value, timestamp, context))
    }

    /// Goes through the entries of `keys` whose windows start from `from` to `to`, both included (`WindowStore#fetch`,
    /// `#backwardFetch`, `#fetchAll`). Entries of one key come by their start, those of several as the make of store has them.
    ///
    /// `each` may read and write the store; it sees the entries that were there at the beginning, as they are when they are reached.
    ///
    /// # Errors
    /// Those of `each`, and as [`TimedState::fetch`].
    pub fn scan(
        &self,
        cx: &mut TaskContext<'_>,
        keys: Keys<'_, K>,
        from: Timestamp,
        to: Timestamp,
        order: Order,
        each: impl FnMut(&mut TaskContext<'_>, Windowed<K>, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        self.visit(cx, keys, Wanted { from, to, latest_start: Timestamp::MAX }, order, each)
    }

    /// Goes through all entries, as [`TimedState::scan`] (`WindowStore#all`, `#backwardAll`).
    ///
    /// # Errors
    /// As [`TimedState::scan`].
    pub fn all(
        &self,
        cx: &mut TaskContext<'_>,
        order: Order,
        each: impl FnMut(&mut TaskContext<'_>, Windowed<K>, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        self.visit(cx, Keys::Between(None, None), Wanted::ALL, order, each)
    }
}
