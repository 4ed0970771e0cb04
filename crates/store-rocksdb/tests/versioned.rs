//! What versioned stores leave on disk and in memory.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;
use std::time::Duration;

use headwater_record::{Offset, Timestamp};
use headwater_store::bytes::{VersionedBytes, VersionedPut};
use headwater_store::{MemoryBudget, OpenContext, Store, StoreError, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;

fn try_open(directory: &Path, segment_ms: u64) -> Result<Store, StoreError> {
    let kind = StoreKind::Versioned {
        history_retention: Duration::from_millis(100),
        segment_interval: Duration::from_millis(segment_ms),
    };
    let context = OpenContext { task_directory: Some(directory) };
    RocksDbStores::new(MemoryBudget::default()).open(&StoreSpec::new("s", kind), context)
}

fn open(directory: &Path) -> Box<dyn VersionedBytes> {
    match try_open(directory, 25).unwrap() {
        Store::Versioned(store) => store,
        other => panic!("not a versioned store: {other:?}"),
    }
}

/// Ten keys in turn, every seventh put a tombstone.
fn put_until(store: &mut dyn VersionedBytes, times: std::ops::Range<i64>) {
    for time in times {
        let key = [u8::try_from(time % 10).unwrap()];
        let value = (time % 7 > 0).then_some(&b"a value"[..]);
        assert_eq!(store.put(&key, value, Timestamp::from_millis(time)).unwrap(), VersionedPut::Latest);
    }
}

/// Rows that the closed store has on disk.
fn rows_on_disk(directory: &Path) -> usize {
    let options = rocksdb::Options::default();
    let families = ["default", "s/rows"];
    let db = rocksdb::DB::open_cf_for_read_only(&options, directory.join("rocksdb"), families, false).unwrap();
    db.iterator_cf(db.cf_handle("s/rows").unwrap(), rocksdb::IteratorMode::Start).count()
}

#[test]
fn expired_history_takes_no_room_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut counts = Vec::new();
    for round in 0..5 {
        let mut store = open(directory.path());
        for part in 0..20 {
            let begin = (round * 20 + part) * 100;
            put_until(store.as_mut(), begin..begin + 100);
            store.commit(Some(Offset::new(begin))).unwrap();
        }
        drop(store);
        counts.push(rows_on_disk(directory.path()));
    }
    // A hundred milliseconds of history, at most a segment more, and the latest version of ten keys.
    assert!(counts.iter().all(|count| (100..=135).contains(count)), "{counts:?}");

    let mut store = open(directory.path());
    for key in 0..10 {
        assert_eq!(store.put(&[key], None, Timestamp::from_millis(10_000)).unwrap(), VersionedPut::Latest);
    }
    let _ = store.put(b"other", Some(b"v"), Timestamp::from_millis(20_000)).unwrap();
    store.commit(Some(Offset::new(10_001))).unwrap();
    drop(store);
    assert_eq!(rows_on_disk(directory.path()), 1, "of deleted keys nothing is left");
}

#[test]
fn expired_history_takes_no_memory_before_it_is_committed() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    put_until(store.as_mut(), 0..1000);
    let pending = store.pending_bytes();
    put_until(store.as_mut(), 1000..10_000);
    assert!(store.pending_bytes() < pending + pending / 5, "{} bytes after {pending}", store.pending_bytes());
}

#[test]
fn a_store_with_another_segment_interval_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    match try_open(directory.path(), 50) {
        Err(StoreError::TypeChanged { expected, found, .. }) => {
            assert_eq!(expected, "a versioned store (segments of 50 ms) with timestamped rows");
            assert_eq!(found, "a versioned store (segments of 25 ms) with timestamped rows");
        }
        other => panic!("it is refused, but: {other:?}"),
    }
}
