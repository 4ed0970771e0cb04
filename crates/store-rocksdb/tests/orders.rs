//! Orders of iteration and what is refused, as recorded from Java in the scenarios `processor/window-commands*` and
//! `processor/session-commands*`.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;
use std::time::Duration;

use headwater_record::{Offset, Timestamp};
use headwater_store::MemoryBudget;
use headwater_store::bytes::{KeySelection, Order, Put, SessionBytes, SessionQuery, WindowBytes, WindowQuery};
use headwater_store::{OpenContext, Row, RowBuf, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;

fn stores() -> RocksDbStores {
    RocksDbStores::new(MemoryBudget::default())
}

/// Java's `Stores`: a retention of 100 ms, and the segments that go with it.
const RETENTION: Duration = Duration::from_millis(100);

fn open(directory: &Path, kind: StoreKind) -> Store {
    stores().open(&StoreSpec::new("s", kind), OpenContext { task_directory: Some(directory) }).expect("it opens")
}

fn window(directory: &Path, retain_duplicates: bool) -> Box<dyn WindowBytes> {
    window_of(directory, retain_duplicates, false)
}

fn window_of(directory: &Path, retain_duplicates: bool, time_ordered: bool) -> Box<dyn WindowBytes> {
    let kind = StoreKind::Window {
        retention: RETENTION,
        window_size: Duration::from_millis(10),
        segment_interval: StoreKind::default_segment_interval(RETENTION),
        retain_duplicates,
        time_ordered,
        key_index: false,
    };
    match open(directory, kind) {
        Store::Window(store) => store,
        other => panic!("not a window store: {other:?}"),
    }
}

fn session(directory: &Path) -> Box<dyn SessionBytes> {
    session_of(directory, false)
}

fn session_of(directory: &Path, time_ordered: bool) -> Box<dyn SessionBytes> {
    let segment_interval = StoreKind::default_segment_interval(RETENTION);
    match open(directory, StoreKind::Session { retention: RETENTION, segment_interval, time_ordered }) {
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
    ending(store, keys, (Timestamp::ZERO, Timestamp::MAX), order)
}

fn ending(
    store: &dyn SessionBytes,
    keys: KeySelection<'_>,
    (earliest_end, latest_end): (Timestamp, Timestamp),
    order: Order,
) -> Vec<String> {
    let query = SessionQuery { keys, earliest_end, latest_end, latest_start: Timestamp::MAX };
    let mut entries = Vec::new();
    let _ = store.scan(query, order, None, 100, &mut entries).expect("it is read");
    let show = |key: &[u8], start, end, row: &RowBuf| format!("{}@{start}/{end}={}", text(key), value(row));
    entries.iter().map(|entry| show(&entry.key, entry.start, entry.end, &entry.row)).collect()
}

#[test]
fn windows_of_all_keys_come_as_java_s_persistent_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), false);
    for (key, start, value) in [("a", 0, "1"), ("a", 5, "2"), ("b", 5, "3"), ("a", 3, "4"), ("b", 4, "5")] {
        assert_eq!(put_window(store.as_mut(), key, start, value), Put::Stored);
    }
    let all = ["a@0=1", "a@3=4", "a@5=2", "b@4=5", "b@5=3"];
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), all);
    let backward: Vec<&str> = all.iter().rev().copied().collect();
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Backward), backward);
    assert_eq!(windows(store.as_ref(), KeySelection::One(b"a"), Order::Backward), ["a@5=2", "a@3=4", "a@0=1"]);
}

#[test]
fn late_windows_are_refused_when_java_s_persistent_store_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), false);
    assert_eq!(put_window(store.as_mut(), "b", 120, "7"), Put::Stored);
    let late = [19, 20, 21].map(|start| put_window(store.as_mut(), "a", start, "8"));
    assert_eq!(late, [Put::Stored, Put::Stored, Put::Stored]);
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@21=8", "b@120=7"]);
}

#[test]
fn duplicates_come_as_java_s_persistent_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), true);
    for (key, start, value) in [("a", 0, "1"), ("a", 0, "2"), ("a", 5, "3"), ("b", 0, "4")] {
        assert_eq!(put_window(store.as_mut(), key, start, value), Put::Stored);
    }
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@0=1", "a@0=2", "a@5=3", "b@0=4"]);
    assert_eq!(windows(store.as_ref(), KeySelection::One(b"a"), Order::Backward), ["a@5=3", "a@0=2", "a@0=1"]);
}

#[test]
fn of_duplicates_a_single_window_is_that_of_the_last_sequence_number() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window(directory.path(), true);
    let fetch = |store: &dyn WindowBytes, start: i64| store.fetch(b"a", start.into()).unwrap().as_ref().map(value);
    for value in ["1", "2"] {
        assert_eq!(put_window(store.as_mut(), "a", 200_000, value), Put::Stored);
    }
    assert_eq!(fetch(store.as_ref(), 200_000), Some("2".to_owned()));
    assert_eq!(store.put(b"a", 200_000.into(), None).unwrap(), Put::Stored);
    assert_eq!(fetch(store.as_ref(), 200_000), Some("2".to_owned()), "none takes no number");
    assert_eq!(put_window(store.as_mut(), "a", 1, "3"), Put::Expired);
    assert_eq!(fetch(store.as_ref(), 200_000), None, "a refused put takes one");
}

#[test]
fn sessions_come_as_java_s_persistent_store_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session(directory.path());
    for (key, start, end, value) in [("a", 0, 5, "1"), ("a", 10, 20, "2"), ("b", 3, 8, "3"), ("a", 4, 5, "4")] {
        assert_eq!(put_session(store.as_mut(), key, start, end, value), Put::Stored);
    }
    let all = ["a@0/5=1", "a@4/5=4", "a@10/20=2", "b@3/8=3"];
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Forward), all);
    let backward: Vec<&str> = all.iter().rev().copied().collect();
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Backward), backward);
    assert_eq!(sessions(store.as_ref(), KeySelection::One(b"a"), Order::Forward), ["a@0/5=1", "a@4/5=4", "a@10/20=2"]);
}

#[test]
fn late_sessions_are_refused_when_java_s_persistent_store_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session(directory.path());
    assert_eq!(put_session(store.as_mut(), "a", 100, 121, "9"), Put::Stored);
    let late = [20, 22].map(|end| put_session(store.as_mut(), "a", 0, end, "8"));
    assert_eq!(late, [Put::Stored, Put::Stored]);
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@0/22=8", "a@100/121=9"]);
}

#[test]
fn sessions_are_found_from_a_time_before_zero_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session(directory.path());
    assert_eq!(put_session(store.as_mut(), "a", 0, 5, "1"), Put::Stored);
    // As a record at 5 with a gap of 10 looks for them.
    let from = (Timestamp::from_millis(-5), Timestamp::MAX);
    assert_eq!(ending(store.as_ref(), KeySelection::One(b"a"), from, Order::Forward), ["a@0/5=1"]);
}

#[test]
fn a_window_without_grace_is_still_there_when_it_closes() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = window_of(directory.path(), false, true);
    for start in [0, 1, 101] {
        assert_eq!(put_window(store.as_mut(), "a", start, "1"), Put::Stored);
    }
    assert_eq!(windows(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@1=1", "a@101=1"]);
    assert!(store.fetch(b"a", 0.into()).unwrap().is_none());
    assert!(store.fetch(b"a", 1.into()).unwrap().is_some());
}

#[test]
fn sessions_that_closed_are_found_by_their_ends_after_their_retention() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session_of(directory.path(), true);
    for (key, start, end) in [("b", 0, 7), ("a", 3, 8), ("a", 200, 300)] {
        assert_eq!(put_session(store.as_mut(), key, start, end, "1"), Put::Stored);
    }
    let closed = (Timestamp::ZERO, Timestamp::from_millis(199));
    assert_eq!(ending(store.as_ref(), KeySelection::ALL, closed, Order::Forward), ["b@0/7=1", "a@3/8=1"]);
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Forward), ["a@200/300=1"]);
    // Forgotten with its segment, in the index too.
    assert_eq!(put_session(store.as_mut(), "a", 190_000, 190_000, "1"), Put::Stored);
    assert!(ending(store.as_ref(), KeySelection::ALL, closed, Order::Forward).is_empty());
}

#[test]
fn a_session_that_was_forgotten_does_not_come_back_from_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session_of(directory.path(), true);
    for (key, start, end) in [("a", 0, 5), ("b", 0, 6)] {
        assert_eq!(put_session(store.as_mut(), key, start, end, "1"), Put::Stored);
    }
    store.commit(Some(Offset::new(1))).unwrap();
    // `a` grows, and then so much time goes by that the store forgets both; nothing of it is committed.
    let _ = store.put(b"a", 0.into(), 5.into(), None).unwrap();
    assert_eq!(put_session(store.as_mut(), "a", 0, 9, "2"), Put::Stored);
    assert_eq!(put_session(store.as_mut(), "a", 190_000, 190_000, "1"), Put::Stored);
    let closed = (Timestamp::ZERO, Timestamp::from_millis(189_999));
    assert_eq!(ending(store.as_ref(), KeySelection::ALL, closed, Order::Forward), [""; 0]);
    store.commit(Some(Offset::new(2))).unwrap();
    assert_eq!(ending(store.as_ref(), KeySelection::ALL, closed, Order::Forward), [""; 0]);
}

#[test]
fn sessions_of_a_time_ordered_store_come_by_key_unless_a_latest_end_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = session_of(directory.path(), true);
    for (key, start, end) in [("b", 0, 7), ("a", 3, 8), ("b", 1, 20), ("a", 40, 41), ("ab", 5, 5)] {
        assert_eq!(put_session(store.as_mut(), key, start, end, "1"), Put::Stored);
    }
    let _ = store.put(b"ab", 5.into(), 5.into(), None).unwrap();
    let by_key = ["a@3/8=1", "a@40/41=1", "b@0/7=1", "b@1/20=1"];
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Forward), by_key);
    let backward: Vec<&str> = by_key.iter().rev().copied().collect();
    assert_eq!(sessions(store.as_ref(), KeySelection::ALL, Order::Backward), backward);
    assert_eq!(sessions(store.as_ref(), KeySelection::Between(None, Some(b"a")), Order::Forward), by_key[..2]);
    assert_eq!(sessions(store.as_ref(), KeySelection::One(b"b"), Order::Forward), by_key[2..]);
    let closed = (Timestamp::ZERO, Timestamp::from_millis(40));
    let by_time = ["b@0/7=1", "a@3/8=1", "b@1/20=1"];
    assert_eq!(ending(store.as_ref(), KeySelection::ALL, closed, Order::Forward), by_time);
    let backward: Vec<&str> = by_time.iter().rev().copied().collect();
    assert_eq!(ending(store.as_ref(), KeySelection::ALL, closed, Order::Backward), backward);
}
