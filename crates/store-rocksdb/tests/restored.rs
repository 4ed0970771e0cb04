//! A large store is restored in several commits, and goes on as any other.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp};
use headwater_store::{MemoryBudget, OpenContext, Row, RowBuf, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;
use tempfile::TempDir;

/// With their keys more than ten mebibytes a round, so that files wait for each other.
const ROWS: u32 = 10_000;
const ROUNDS: u8 = 6;

fn value(round: u8) -> Vec<u8> {
    vec![round; 1_100]
}

#[test]
fn a_store_that_was_restored_in_bulk_has_what_was_logged_last_and_takes_more() {
    let directory = TempDir::new().unwrap();
    let open = || {
        let context = OpenContext { task_directory: Some(directory.path()) };
        let stores = RocksDbStores::new(MemoryBudget::default());
        match stores.open(&StoreSpec::new("s", StoreKind::KeyValue), context).unwrap() {
            Store::KeyValue(store) => store,
            other => panic!("not a key-value store: {other:?}"),
        }
    };
    let mut store = open();
    for round in 1..=ROUNDS {
        let value = value(round);
        // Each round leaves one more of ten keys as it was.
        let keys: Vec<[u8; 4]> = (0..ROWS).filter(|n| n % 10 >= u32::from(round) - 1).map(u32::to_be_bytes).collect();
        let mut records = keys.iter().map(|key| RawRecord {
            offset: Offset::new(i64::from(round)),
            timestamp: Timestamp::from_millis(1),
            key: Some(key.as_slice()),
            value: Some(&value),
            headers: RawHeaders::NONE,
        });
        store.restore(&mut records).unwrap();
        store.commit(Some(Offset::new(i64::from(round)))).unwrap();
    }
    let expected = |n: u32| value(ROUNDS.min((n % 10) as u8 + 1));
    let found = |store: &dyn headwater_store::bytes::KeyValueBytes, n: u32| {
        store.get(&n.to_be_bytes()).unwrap().as_ref().map(RowBuf::value).map(<[u8]>::to_vec)
    };
    (0..ROWS).for_each(|n| assert_eq!(found(&*store, n), Some(expected(n)), "{n}"));

    let put = Row { value: b"processed", timestamp: Timestamp::from_millis(2), headers: RawHeaders::NONE };
    store.put(&7u32.to_be_bytes(), Some(put)).unwrap();
    store.commit(Some(Offset::new(100))).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.committed_offset().unwrap(), Some(Offset::new(100)));
    assert_eq!(found(&*store, 7), Some(b"processed".to_vec()));
    (8..ROWS).for_each(|n| assert_eq!(found(&*store, n), Some(expected(n)), "{n}"));
}
