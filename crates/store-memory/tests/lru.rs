//! Stores that keep the keys used last.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use headwater_record::{Offset, OwnedRecord, Timestamp};
use headwater_store::bytes::{KeyRange, KeyValueBytes, Order};
use headwater_store::{OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;

fn lru(max_entries: usize) -> Box<dyn KeyValueBytes> {
    let spec = StoreSpec::new("lru", StoreKind::Lru { max_entries });
    match MemoryStores::new().open(&spec, OpenContext { task_directory: None }).unwrap() {
        Store::KeyValue(store) => store,
        other => panic!("an LRU store is a key-value store, not {other:?}"),
    }
}

fn put(store: &mut dyn KeyValueBytes, key: &str) {
    store.put(key.as_bytes(), Some(Row::plain(b"v"))).unwrap();
}

fn keys(store: &dyn KeyValueBytes) -> Vec<String> {
    let mut entries = Vec::new();
    let _ = store.scan(KeyRange::ALL, Order::Forward, 100, &mut entries).unwrap();
    entries.into_iter().map(|entry| String::from_utf8(entry.key).unwrap()).collect()
}

#[test]
fn the_key_used_longest_ago_is_dropped_and_told_once() {
    let mut store = lru(2);
    put(store.as_mut(), "a");
    put(store.as_mut(), "b");
    assert!(store.take_evicted().is_empty());
    put(store.as_mut(), "c");
    assert_eq!(keys(store.as_ref()), ["b", "c"]);
    assert_eq!(store.take_evicted(), [b"a".to_vec()]);
    assert!(store.take_evicted().is_empty());
}

#[test]
fn getting_and_putting_a_key_uses_it_and_scanning_does_not() {
    let mut store = lru(3);
    for key in ["a", "b", "c"] {
        put(store.as_mut(), key);
    }
    assert!(store.get(b"a").unwrap().is_some());
    put(store.as_mut(), "b");
    assert_eq!(keys(store.as_ref()).len(), 3);
    put(store.as_mut(), "d");
    put(store.as_mut(), "e");
    assert_eq!(store.take_evicted(), [b"c".to_vec(), b"a".to_vec()]);
    assert_eq!(keys(store.as_ref()), ["b", "d", "e"]);
}

#[test]
fn a_deleted_key_makes_room() {
    let mut store = lru(2);
    put(store.as_mut(), "a");
    put(store.as_mut(), "b");
    store.put(b"a", None).unwrap();
    put(store.as_mut(), "c");
    assert!(store.take_evicted().is_empty());
    assert_eq!(keys(store.as_ref()), ["b", "c"]);
    assert_eq!(store.approximate_len(), 2);
}

#[test]
fn keys_dropped_while_restoring_are_not_told() {
    let mut store = lru(1);
    let record = |key: &'static str| OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::ZERO,
        key: Some(key.into()),
        value: Some("v".into()),
        headers: Vec::new(),
    };
    let records = [record("a"), record("b")];
    store.restore(&mut records.iter().map(OwnedRecord::view)).unwrap();
    assert_eq!(keys(store.as_ref()), ["b"]);
    assert!(store.take_evicted().is_empty());
}
