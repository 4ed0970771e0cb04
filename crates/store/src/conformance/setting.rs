//! What a check works with: a make of store, a folder, and short ways to say things.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_record::{Header, Offset, OwnedRecord, RawHeaders, Timestamp};

use crate::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan, SessionBytes, VersionedBytes, WindowBytes};
use crate::{
    OpenContext, Row, RowBuf, RowFormat, StateStore, Store, StoreError, StoreKind, StoreSpec, StoreSupplier, View,
};

/// The name of every store in the suite; each check has a folder of its own.
pub(super) const STORE: &str = "suite-store";

/// All formats of rows.
pub(super) const FORMATS: [RowFormat; 4] =
    [RowFormat::Plain, RowFormat::Timestamped, RowFormat::Headers, RowFormat::HeadersOnly];

/// What a check works with.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    supplier: &'a dyn StoreSupplier,
    directory: PathBuf,
    check: &'static str,
    /// Whether somebody reads the stores from elsewhere, and which views they hold.
    views: Option<RefCell<Vec<Arc<View>>>>,
}

impl<'a> Setting<'a> {
    pub(super) fn new(supplier: &'a dyn StoreSupplier, directory: &Path, check: &'static str) -> Self {
        let directory = directory.join(check.replace(' ', "-"));
        let made = std::fs::create_dir_all(&directory);
        assert!(made.is_ok(), "{check}: the folder {} cannot be made: {made:?}", directory.display());
        Setting { supplier, directory, check, views: None }
    }

    /// The same with stores that somebody reads from elsewhere.
    pub(super) fn viewed(self) -> Self {
        Setting { views: Some(RefCell::default()), ..self }
    }

    /// Takes a view and keeps it.
    fn look<S: StateStore + ?Sized>(&self, store: &S) {
        if let (Some(held), Some(views)) = (&self.views, store.views()) {
            held.borrow_mut().extend(self.done("committed", views.committed()));
        }
    }

    /// The same with another folder, for a check that opens several stores.
    pub(super) fn part(&self, name: &str) -> Self {
        let part = Setting::new(self.supplier, &self.directory.join(name), self.check);
        Setting { views: self.views.as_ref().map(|_| RefCell::default()), ..part }
    }

    pub(super) fn is_persistent(&self) -> bool {
        self.supplier.is_persistent()
    }

    pub(super) fn try_open(&self, kind: StoreKind, format: RowFormat) -> Result<Store, StoreError> {
        let spec = StoreSpec { format, ..StoreSpec::new(STORE, kind) };
        self.supplier.open(&spec, OpenContext { task_directory: Some(&self.directory) })
    }

    fn open(&self, kind: StoreKind, format: RowFormat) -> Store {
        match self.try_open(kind, format) {
            Ok(mut store) => {
                if self.views.is_some() {
                    self.look(store.state());
                    self.done("commit", store.state_mut().commit(None));
                }
                store
            }
            Err(error) => self.fail(&format!("a {kind:?} store with {format:?} rows opens, but: {error}")),
        }
    }

    pub(super) fn key_value(&self, format: RowFormat) -> Box<dyn KeyValueBytes> {
        match self.open(StoreKind::KeyValue, format) {
            Store::KeyValue(store) => store,
            other => self.fail(&format!("a key-value store is opened as such, but was {other:?}")),
        }
    }

    pub(super) fn window(&self, kind: StoreKind, format: RowFormat) -> Box<dyn WindowBytes> {
        match self.open(kind, format) {
            Store::Window(store) => store,
            other => self.fail(&format!("a window store is opened as such, but was {other:?}")),
        }
    }

    pub(super) fn session(&self, kind: StoreKind, format: RowFormat) -> Box<dyn SessionBytes> {
        match self.open(kind, format) {
            Store::Session(store) => store,
            other => self.fail(&format!("a session store is opened as such, but was {other:?}")),
        }
    }

    pub(super) fn versioned(&self, kind: StoreKind) -> Box<dyn VersionedBytes> {
        match self.open(kind, RowFormat::Plain) {
            Store::Versioned(store) => store,
            other => self.fail(&format!("a versioned store is opened as such, but was {other:?}")),
        }
    }

    pub(super) fn fail(&self, behaviour: &str) -> ! {
        panic!("{}: {behaviour}", self.check)
    }

    /// Asserts that `found` is `expected`; `behaviour` says what that means.
    #[track_caller]
    pub(super) fn same<T: PartialEq + std::fmt::Debug>(&self, behaviour: &str, found: T, expected: T) {
        assert!(found == expected, "{}: {behaviour}\n expected: {expected:?}\n    found: {found:?}", self.check);
    }

    /// Takes the value out of a result that must be one.
    #[track_caller]
    pub(super) fn done<T>(&self, what: &str, result: Result<T, StoreError>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => self.fail(&format!("{what} works, but: {error}")),
        }
    }

    pub(super) fn put(&self, store: &mut dyn KeyValueBytes, key: &str, value: &str) {
        self.done("put", store.put(key.as_bytes(), Some(Row::plain(value.as_bytes()))));
    }

    pub(super) fn delete(&self, store: &mut dyn KeyValueBytes, key: &str) {
        self.done("put of none", store.put(key.as_bytes(), None));
    }

    pub(super) fn get(&self, store: &dyn KeyValueBytes, key: &str) -> Option<String> {
        self.done("get", store.get(key.as_bytes())).as_ref().map(value)
    }

    pub(super) fn commit<S: StateStore + ?Sized>(&self, store: &mut S, offset: i64) {
        self.done("commit", store.commit(Some(Offset::new(offset))));
        self.look(store);
    }

    pub(super) fn restore<S: StateStore + ?Sized>(&self, store: &mut S, records: &[OwnedRecord]) {
        self.done("restore", store.restore(&mut records.iter().map(OwnedRecord::view)));
    }

    /// Scans in batches of `limit` until the end, as callers do.
    pub(super) fn scan(
        &self,
        store: &dyn KeyValueBytes,
        range: KeyRange<'_>,
        order: Order,
        limit: usize,
    ) -> Vec<(String, String)> {
        let entries = self.entries(store, range, order, limit);
        entries.iter().map(|entry| (text(&entry.key), value(&entry.row))).collect()
    }

    /// As [`Setting::scan`], with the bytes as they are.
    pub(super) fn entries(
        &self,
        store: &dyn KeyValueBytes,
        range: KeyRange<'_>,
        order: Order,
        limit: usize,
    ) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let before = entries.len();
            let last = entries.last().map(|entry| entry.key.clone());
            let rest = last.as_deref().map_or(range, |last| range.after(last, order));
            let scan = self.done("scan", store.scan(rest, order, limit, &mut entries));
            let read = entries.len() - before;
            assert!(read <= limit, "{}: a scan reads at most {limit} entries, it read {read}", self.check);
            if scan == Scan::Done {
                break;
            }
            assert!(read > 0, "{}: a scan that says there may be more has read something", self.check);
        }
        entries
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn value(row: &RowBuf) -> String {
    text(row.value())
}

/// A changelog record.
pub(super) fn record(key: &[u8], value: Option<&str>, timestamp: i64, headers: Vec<Header>) -> OwnedRecord {
    OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::from_millis(timestamp),
        key: Some(bytes::Bytes::copy_from_slice(key)),
        value: value.map(|value| bytes::Bytes::copy_from_slice(value.as_bytes())),
        headers,
    }
}

/// Two headers, one without a value.
pub(super) fn headers() -> Vec<Header> {
    let of = |name: &'static str, value| Header { name: name.into(), value };
    vec![of("a", Some(bytes::Bytes::from_static(b"1"))), of("b", None)]
}

/// A row with everything a format may keep.
pub(super) fn full_row<'a>(value: &'a str, timestamp: i64, headers: &'a Vec<Header>) -> Row<'a> {
    Row { value: value.as_bytes(), timestamp: Timestamp::from_millis(timestamp), headers: RawHeaders::of(headers) }
}
