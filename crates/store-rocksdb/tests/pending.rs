//! What is on disk and what is not committed yet, in a store that knows that nothing on disk is later than its last commit.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::time::Duration;

use headwater_record::{Offset, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use headwater_store::{MemoryBudget, OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;
use tempfile::TempDir;

const MINUTE: i64 = 60_000;

fn open(directory: &TempDir) -> Box<dyn WindowBytes> {
    let kind = StoreKind::Window {
        retention: Duration::from_mins(10),
        window_size: Duration::from_millis(10),
        segment_interval: Duration::from_mins(1),
        retain_duplicates: false,
        time_ordered: false,
        key_index: false,
    };
    let context = OpenContext { task_directory: Some(directory.path()) };
    match RocksDbStores::new(MemoryBudget::default()).open(&StoreSpec::new("s", kind), context).unwrap() {
        Store::Window(store) => store,
        other => panic!("not a window store: {other:?}"),
    }
}

fn put(store: &mut dyn WindowBytes, start: i64, value: Option<&str>) {
    let row = value.map(|value| Row::plain(value.as_bytes()));
    assert_eq!(store.put(b"a", Timestamp::from_millis(start), row).unwrap(), Put::Stored);
}

/// The values of `a` from `from` on, by one scan each way and one by one.
fn values(store: &dyn WindowBytes, from: i64) -> Vec<String> {
    let query = WindowQuery { keys: KeySelection::One(b"a"), from: Timestamp::from_millis(from), to: Timestamp::MAX };
    let scan = |order| {
        let mut found = Vec::new();
        assert_eq!(store.scan(query, order, None, 100, &mut found).unwrap(), Scan::Done);
        found
    };
    let forward = scan(Order::Forward);
    let values = |found: &[WindowEntry]| -> Vec<String> {
        found.iter().map(|entry| String::from_utf8(entry.row.value().to_vec()).unwrap()).collect()
    };
    let mut backward = scan(Order::Backward);
    backward.reverse();
    assert_eq!(values(&forward), values(&backward));
    for entry in &forward {
        let row = store.fetch(b"a", entry.start).unwrap().unwrap();
        assert_eq!(row.value(), entry.row.value());
    }
    values(&forward)
}

#[test]
fn rows_are_found_on_disk_and_later_than_the_last_commit() {
    let directory = TempDir::new().unwrap();
    let mut store = open(&directory);
    put(&mut *store, MINUTE, Some("1"));
    put(&mut *store, MINUTE + 20, Some("1.20"));
    assert_eq!(values(&*store, 0), ["1", "1.20"], "nothing is on disk yet");
    store.commit(Some(Offset::new(1))).unwrap();
    assert_eq!(values(&*store, 0), ["1", "1.20"]);
    for (start, value) in [(MINUTE + 10, "1.10"), (MINUTE + 30, "1.30"), (2 * MINUTE, "2")] {
        put(&mut *store, start, Some(value));
    }
    assert_eq!(values(&*store, 0), ["1", "1.10", "1.20", "1.30", "2"], "earlier and later than the commit");
    assert_eq!(values(&*store, MINUTE + 20), ["1.20", "1.30", "2"]);
    assert_eq!(values(&*store, MINUTE + 21), ["1.30", "2"]);
    put(&mut *store, MINUTE + 20, None);
    put(&mut *store, 2 * MINUTE, None);
    assert_eq!(values(&*store, 0), ["1", "1.10", "1.30"]);
    assert!(store.fetch(b"a", Timestamp::from_millis(2 * MINUTE)).unwrap().is_none());
    store.commit(Some(Offset::new(2))).unwrap();
    drop(store);
    let mut store = open(&directory);
    assert_eq!(values(&*store, 0), ["1", "1.10", "1.30"], "after a restart");
    put(&mut *store, 2 * MINUTE, Some("2 again"));
    assert_eq!(values(&*store, MINUTE + 30), ["1.30", "2 again"]);
}
