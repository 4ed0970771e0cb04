//! The stores of a task, which share one database.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;

use headwater_record::Offset;
use headwater_store::bytes::{KeyRange, KeyValueBytes, Order};
use headwater_store::{MemoryBudget, OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;

fn open(stores: &RocksDbStores, task: &Path, name: &str) -> Box<dyn KeyValueBytes> {
    let spec = StoreSpec::new(name, StoreKind::KeyValue);
    match stores.open(&spec, OpenContext { task_directory: Some(task) }).unwrap() {
        Store::KeyValue(store) => store,
        other => panic!("not a key-value store: {other:?}"),
    }
}

fn rows(store: &dyn KeyValueBytes) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    let _ = store.scan(KeyRange::ALL, Order::Forward, 100, &mut entries).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    entries.iter().map(|entry| (text(&entry.key), text(entry.row.value()))).collect()
}

fn row(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn each_store_has_rows_and_offset_of_its_own() {
    let task = tempfile::tempdir().unwrap();
    let stores = RocksDbStores::new(MemoryBudget::default());
    // One name begins with another, and one is that of RocksDB's own family.
    let names = ["a", "a.b", "default"];
    let mut open_stores: Vec<_> = names.iter().map(|name| open(&stores, task.path(), name)).collect();
    for (number, store) in open_stores.iter_mut().enumerate() {
        store.put(b"k", Some(Row::plain(names[number].as_bytes()))).unwrap();
        store.put(names[number].as_bytes(), Some(Row::plain(b"own"))).unwrap();
        store.commit(Some(Offset::new(number as i64))).unwrap();
    }
    // The database stays open for the others, and one that comes back finds its rows.
    drop(open_stores.remove(1));
    assert_eq!(rows(open_stores[0].as_ref()), [row("a", "own"), row("k", "a")]);
    let again = open(&stores, task.path(), "a.b");
    assert_eq!(rows(again.as_ref()), [row("a.b", "own"), row("k", "a.b")]);
    drop((again, open_stores));
    // Opened by another make, in another order, with one store less and one that is new.
    let stores = RocksDbStores::new(MemoryBudget::default());
    for (name, offset) in [("default", Some(2)), ("new", None), ("a", Some(0))] {
        let store = open(&stores, task.path(), name);
        assert_eq!(store.committed_offset().unwrap(), offset.map(Offset::new), "{name}");
        assert_eq!(rows(store.as_ref()).len(), offset.map_or(0, |_| 2), "{name}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn many_stores_have_few_files_open() {
    let task = tempfile::tempdir().unwrap();
    let stores = RocksDbStores::new(MemoryBudget::default());
    let mut open_stores: Vec<_> = (0..50).map(|number| open(&stores, task.path(), &format!("s{number}"))).collect();
    for store in &mut open_stores {
        store.put(b"k", Some(Row::plain(b"v"))).unwrap();
        store.commit(Some(Offset::ZERO)).unwrap();
    }
    let here = task.path().canonicalize().unwrap();
    let links =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let files = links.filter(|file| file.starts_with(&here)).count();
    // The task's folder for each column family, and log, lock and manifest once.
    assert!((1..=60).contains(&files), "{files} files are open for 50 stores");
}

#[test]
fn a_task_may_be_opened_by_another_thread_as_soon_as_it_is_closed() {
    let task = tempfile::tempdir().unwrap();
    let stores = RocksDbStores::new(MemoryBudget::default());
    for round in 0..20 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut store = open(&stores, task.path(), "s");
                assert_eq!(store.committed_offset().unwrap(), (round > 0).then(|| Offset::new(round - 1)));
                store.put(b"k", Some(Row::plain(b"v"))).unwrap();
                store.commit(Some(Offset::new(round))).unwrap();
            });
        });
    }
}
