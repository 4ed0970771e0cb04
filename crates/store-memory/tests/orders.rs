//! Orders of iteration and what is refused, as recorded from Java in the scenarios `processor/window-commands*` and
//! `processor/session-commands*`.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;
use std::time::Duration;

use headwater_record::Timestamp;
use headwater_store::bytes::{KeySelection, Order, Put, SessionBytes, SessionQuery, WindowBytes, WindowQuery};
use headwater_store::{OpenContext, Row, RowBuf, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;

fn stores() -> MemoryStores {
    MemoryStores::new()
}

/// Java's `Stores`: a retention of 100 ms, and the segments that go with it.
const RETENTION: Duration = Duration::from_millis(100);

fn open(directory: &Path, kind: StoreKind) -> Store {
    stores().open(&StoreSpec::new("s", kind), OpenContext { task_directory: Some(directory) }).expect("it opens")
}

fn window(directory: &Path, retain_duplicates: bool) -> Box<dyn WindowBytes> {
    let kind = StoreKind::Window {
        retention: RETENTION,
        window_size: Duration::from_millis(10),
        segment_interval: StoreKind::default_segment_interval(RETENTION),
        retain_duplicates,
        time_ordered: false,
        key_index: false,
    };
    match open(directory, kind) {
        Store::Window(store) => store,
        other => panic!("not a window store: {other:?}"),
    }
}

fn session(directory: &Path) -> Box<dyn SessionBytes> {
    let segment_interval = StoreKind::default_segment_interval(RETENTION);
    match open(directory, StoreKind::Session { retention: RETENTION, segment_interval, time_ordered: false }) {
        Store::Session(store) => store,
        other => panic!("not a session store: {other:?}"),
    }
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn value(row: &RowBuf) -> String {
    text(row.value())
}

fn put_window(store: &mut dyn WindowBytes, key: &str, start: i64, value: &str) -> Put {
    store.put(key.as_bytes(), start.into(), Some(Row::plain(value.as_bytes()))).expect("it is put")
}

fn put_session(store: &mut dyn SessionBytes, key: &str, start: i64, end: i64, value: &str) -> Put {
    let row = Some(Row::plain(value.as_bytes()));
    store.put(key.as_bytes(), start.into(), end.into(), row).expect("it is put")
}

fn windows(store: &dyn WindowBytes, keys: KeySelection<'_>, order: Order) -> Vec<String> {
    let query = WindowQuery { keys, from: Timestamp::ZERO, to: Timestamp::MAX };
    let mut entries = Vec::new();
    let _ = store.scan(query, order, None, 100, &mut entries).expect("it is read");
    entries.iter().map(|entry| format!("{}@{}={}", text(&entry.key), entry.start, value(&entry.row))).collect()
}

fn sessions(store: &dyn SessionBytes, keys: KeySelection<'_>, order: Order) -> Vec<String> {
    let query =
        SessionQuery { keys, earliest_end: Timestamp::ZERO, latest_end: Timestamp::MAX, latest_start: Timestamp::MAX };
    let mut entries = Vec::new();
    let _ = store.scan(query, order, None, 100, &mut entries).expect("it is read");
    let show = |key: &[u8], start, end, row: &RowBuf| format!("{}@{start}/{end}={}", text(key), value(row));
    entries.iter().map(|entry| show(&entry.key, entry.start, entry.end, &entry.row)).collect()
}

#[test]
fn windows_of_all_keys_come_as_java_s_in_memory_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), false);
    for (key, start, value) in [("a", 0, "1"), ("a", 5, "2"), ("b", 5, "3"), ("a", 3, "4"), ("b", 4, "5")] {
        assert_eq!(put_window(store.as_mut(), key, start, value), Put::Stored);
    }
    let all = ["a@0=1", "a@3=4", "b@4=5", "a@5=2", "b@5=3"];
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), all);
    let backward: Vec<&str> = all.iter().rev().copied().collect();
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Backward), backward);
    assert_eq!(windows(store.as_ref(), KeySelection::One(b"a"), Order::Backward), ["a@5=2", "a@3=4", "a@0=1"]);
}

#[test]
fn late_windows_are_refused_when_java_s_in_memory_store_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), false);
    assert_eq!(put_window(store.as_mut(), "b", 120, "7"), Put::Stored);
    let late = [19, 20, 21].map(|start| put_window(store.as_mut(), "a", start, "8"));
    assert_eq!(late, [Put::Expired, Put::Expired, Put::Stored]);
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@21=8", "b@120=7"]);
}

#[test]
fn duplicates_come_as_java_s_in_memory_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), true);
    for (key, start, value) in [("a", 0, "1"), ("a", 0, "2"), ("a", 5, "3"), ("b", 0, "4")] {
        assert_eq!(put_window(store.as_mut(), key, start, value), Put::Stored);
    }
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@0=1", "a@0=2", "b@0=4", "a@5=3"]);
    assert_eq!(windows(store.as_ref(), KeySelection::One(b"a"), Order::Backward), ["a@5=3", "a@0=2", "a@0=1"]);
}

#[test]
fn sessions_come_as_java_s_in_memory_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session(directory.path());
    for (key, start, end, value) in [("a", 0, 5, "1"), ("a", 10, 20, "2"), ("b", 3, 8, "3"), ("a", 4, 5, "4")] {
        assert_eq!(put_session(store.as_mut(), key, start, end, value), Put::Stored);
    }
    let all = ["a@4/5=4", "a@0/5=1", "b@3/8=3", "a@10/20=2"];
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Forward), all);
    let backward: Vec<&str> = all.iter().rev().copied().collect();
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Backward), backward);
    assert_eq!(sessions(store.as_ref(), KeySelection::One(b"a"), Order::Forward), ["a@4/5=4", "a@0/5=1", "a@10/20=2"]);
}

#[test]
fn late_sessions_are_refused_when_java_s_in_memory_store_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session(directory.path());
    assert_eq!(put_session(store.as_mut(), "a", 100, 121, "9"), Put::Stored);
    let late = [20, 22].map(|end| put_session(store.as_mut(), "a", 0, end, "8"));
    assert_eq!(late, [Put::Expired, Put::Stored]);
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@0/22=8", "a@100/121=9"]);
}
