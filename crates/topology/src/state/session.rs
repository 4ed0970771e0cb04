//! A typed session store of a running task.

use std::ops::ControlFlow;

use headwater_record::{Headers, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, SessionBytes, SessionEntry, SessionQuery};
use headwater_store::{Row, RowBuf, Store, StoreError, StoreKind};
use headwater_window::key_format::{put_session, split_session_key};
use headwater_window::{Window, Windowed};

use super::core::wrong_kind;
use super::timed::{Keys, Timed, TimedState, Wanted};
use crate::{ProcessError, TaskContext};

/// Entries that are read at once while iterating.
const SCAN: usize = 256;

/// A session store with types: serdes, changelog and record cache around the bytes (Java's `SessionStore`).
pub type SessionState<K, V> = TimedState<K, V, BySession>;

/// Keyed by start and end of a session.
#[derive(Clone, Copy, Debug)]
pub struct BySession;

fn bytes(store: &Store) -> Result<&dyn SessionBytes, StoreError> {
    match store {
        Store::Session(store) => Ok(store.as_ref()),
        other => Err(wrong_kind(other, "a session store")),
    }
}

impl Timed for BySession {
    fn of(kind: StoreKind) -> Option<Self> {
        matches!(kind, StoreKind::Session { .. }).then_some(BySession)
    }

    fn is(store: &Store) -> bool {
        matches!(store, Store::Session(_))
    }

    fn put_suffix(&self, window: Window, into: &mut Vec<u8>) {
        put_session(window.start, window.end, into);
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], Window)> {
        split_session_key(bytes)
    }

    fn time(window: Window) -> Timestamp {
        window.end
    }

    fn first(wanted: Wanted) -> Window {
        Window::new(Timestamp::ZERO, wanted.from.max(Timestamp::ZERO))
    }

    fn last(wanted: Wanted) -> Window {
        Window::new(Timestamp::MAX, wanted.to)
    }

    fn time_of_change(window: Window, _: Timestamp) -> Timestamp {
        window.end
    }

    fn fetch(&self, store: &Store, key: &[u8], window: Window) -> Result<Option<RowBuf>, StoreError> {
        bytes(store)?.fetch(key, window.start, window.end)
    }

    fn put(&self, store: &mut Store, key: &[u8], window: Window, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        match store {
            Store::Session(store) => store.put(key, window.start, window.end, row),
            other => Err(wrong_kind(other, "a session store")),
        }
    }

    fn remove(&self, store: &mut Store, key: &[u8], window: Window) -> Result<Put, StoreError> {
        match store {
            Store::Session(store) => store.remove(key, window.start, window.end).map(|()| Put::Stored),
            other => Err(wrong_kind(other, "a session store")),
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
        let Wanted { from, to, latest_start } = wanted;
        let query = SessionQuery { keys, earliest_end: from, latest_end: to, latest_start };
        let (mut page, mut last): (Vec<SessionEntry>, Option<SessionEntry>) = (Vec::new(), None);
        loop {
            let scan = store.scan(query, order, last.as_ref(), SCAN, &mut page)?;
            last = if scan == Scan::More { page.last().cloned() } else { None };
            for entry in page.drain(..) {
                take(entry.key, Window::new(entry.start, entry.end), entry.row);
            }
            if last.is_none() {
                return Ok(());
            }
        }
    }
}

impl<K: 'static, V: 'static> TimedState<K, V, BySession> {
    /// The value of `key` in exactly this session (`SessionStore#fetchSession`).
    ///
    /// # Errors
    /// When key or value cannot be encoded or decoded, or the store cannot be read.
    pub fn fetch(&self, key: &K, session: Window) -> Result<Option<V>, ProcessError> {
        Ok(self.with_key(key, |buf| self.get(buf, session))?.map(|stamped| stamped.value))
    }

    /// The headers that lie with the value of `key` in exactly this session, as [`KeyValueState::headers`](super::KeyValueState::headers) has them.
    ///
    /// # Errors
    /// As [`TimedState::fetch`].
    pub fn headers(&self, key: &K, session: Window) -> Result<Option<Headers>, ProcessError> {
        self.with_key(key, |buf| self.headers_in(buf, session))
    }

    /// Sets or, with `None`, removes the value of `key` in `session` (`SessionStore#put`). `timestamp` is that of the record which
    /// causes it, for the changelog.
    ///
    /// # Errors
    /// As [`TimedState::fetch`]; and what a flush that this write made necessary met.
    pub fn put(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        session: Window,
        value: Option<V>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        let context = cx.record_context(timestamp, headers);
        self.with_key(key, |buf| self.set(cx, buf, session, value, Timestamp::UNKNOWN, context))
    }

    /// Removes the value of `key` in `session` (`SessionStore#remove`). Other than a [`put`](TimedState::put) of `None`, it does not
    /// move the time by which a store in memory forgets, as in Java.
    ///
    /// # Errors
    /// As [`TimedState::put`].
    pub fn remove(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        session: Window,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        let context = cx.record_context(timestamp, headers);
        self.with_key(key, |buf| self.take_out(cx, buf, session, context))
    }

    /// Goes through the sessions of `keys` that end at `earliest_end` or later and start at `latest_start` or earlier
    /// (`SessionStore#findSessions`, `#backwardFindSessions`).
    ///
    /// `each` may read and write the store; it sees the sessions that were there at the beginning, as they are when they are reached.
    ///
    /// # Errors
    /// Those of `each`, and as [`TimedState::fetch`].
    pub fn scan(
        &self,
        cx: &mut TaskContext<'_>,
        keys: Keys<'_, K>,
        earliest_end: Timestamp,
        latest_start: Timestamp,
        order: Order,
        mut each: impl FnMut(&mut TaskContext<'_>, Windowed<K>, V) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let wanted = Wanted { from: earliest_end, to: Timestamp::MAX, latest_start };
        self.visit(cx, keys, wanted, order, |cx, key, stamped| each(cx, key, stamped.value))
    }

    /// Goes through all sessions of `keys`, as [`TimedState::scan`] (`SessionStore#fetch`, `#backwardFetch`).
    ///
    /// # Errors
    /// As [`TimedState::scan`].
    pub fn all(
        &self,
        cx: &mut TaskContext<'_>,
        keys: Keys<'_, K>,
        order: Order,
        mut each: impl FnMut(&mut TaskContext<'_>, Windowed<K>, V) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        self.visit(cx, keys, Wanted::ALL, order, |cx, key, stamped| each(cx, key, stamped.value))
    }
}
