//! Committed rows that are still in memory, those on disk and those that wait for a commit are one store, whatever is where.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::BTreeMap;

use headwater_record::Offset;
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{MemoryBudget, OpenContext, Row, RowBuf, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;
use tempfile::TempDir;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn stores(committed_bytes: usize) -> RocksDbStores {
    RocksDbStores::new(MemoryBudget { committed_bytes, ..MemoryBudget::default() })
}

fn open(stores: &RocksDbStores, directory: &TempDir) -> Box<dyn KeyValueBytes> {
    let context = OpenContext { task_directory: Some(directory.path()) };
    match stores.open(&StoreSpec::new("s", StoreKind::KeyValue), context).unwrap() {
        Store::KeyValue(store) => store,
        other => panic!("not a key-value store: {other:?}"),
    }
}

fn scanned(store: &dyn KeyValueBytes, order: Order) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    assert_eq!(store.scan(KeyRange::ALL, order, 1000, &mut found).unwrap(), Scan::Done);
    found.into_iter().map(|Entry { key, row }| (key, row.value().to_vec())).collect()
}

/// Compares all that can be read of `keys`.
fn same(store: &dyn KeyValueBytes, model: &Model, keys: &[Vec<u8>], scan: bool) {
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let together = store.multi_get(&keys).unwrap();
    for (key, of_all) in keys.iter().zip(together) {
        let row = store.get(key).unwrap();
        let (row, of_all) = (row.as_ref().map(RowBuf::value), of_all.as_ref().map(RowBuf::value));
        assert_eq!(row, model.get(*key).map(Vec::as_slice), "{key:?}");
        assert_eq!(row, of_all, "{key:?}");
    }
    if scan {
        let mut rows: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(scanned(store, Order::Forward), rows);
        rows.reverse();
        assert_eq!(scanned(store, Order::Backward), rows);
    }
}

#[test]
fn a_store_is_one_whatever_is_in_memory() {
    let keys: Vec<Vec<u8>> = (0..60u8).map(|key| vec![key / 7, key % 7]).collect();
    for (seed, committed_bytes) in (1..=24).zip([0, 500, 2000, 1 << 20].into_iter().cycle()) {
        let directory = TempDir::new().unwrap();
        let (stores, mut dice) = (stores(committed_bytes), Dice(seed));
        let mut store = open(&stores, &directory);
        let (mut now, mut committed) = (Model::new(), Model::new());
        for step in 0..400 {
            let key = &keys[dice.below(60) as usize];
            match dice.below(20) {
                0 => {
                    store.commit(Some(Offset::new(step))).unwrap();
                    assert!(stores.committed_bytes() <= committed_bytes);
                    committed.clone_from(&now);
                }
                1 if dice.below(4) == 0 => {
                    // What was not committed came to nothing.
                    drop(store);
                    assert_eq!(stores.committed_bytes(), 0);
                    store = open(&stores, &directory);
                    now.clone_from(&committed);
                }
                2..=5 => {
                    store.put(key, None).unwrap();
                    now.remove(key);
                }
                _ => {
                    let value = vec![step as u8; dice.below(40) as usize];
                    store.put(key, Some(Row::plain(&value))).unwrap();
                    now.insert(key.clone(), value);
                }
            }
            // Some are only scanned at first.
            let by_key: &[Vec<u8>] = if seed % 3 == 0 && step < 200 { &[] } else { &keys };
            let scan = by_key.is_empty() || dice.below(5) == 0;
            same(&*store, &now, by_key, scan);
        }
    }
}

#[test]
fn rows_that_are_only_scanned_are_not_kept_in_memory() {
    let directory = TempDir::new().unwrap();
    let stores = stores(1 << 20);
    let mut store = open(&stores, &directory);
    let put = |store: &mut Box<dyn KeyValueBytes>| store.put(b"a", Some(Row::plain(b"1"))).unwrap();
    put(&mut store);
    store.commit(Some(Offset::new(1))).unwrap();
    assert_eq!(scanned(&*store, Order::Forward), [(b"a".to_vec(), b"1".to_vec())]);
    assert_eq!(stores.committed_bytes(), 0);
    store.get(b"a").unwrap();
    put(&mut store);
    store.commit(Some(Offset::new(2))).unwrap();
    assert!(stores.committed_bytes() > 0);
    drop(store);
    assert_eq!(stores.committed_bytes(), 0);
}
