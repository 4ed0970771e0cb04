//! Stores that are restored by much at a time, whose rows come to disk as files of their own: they are as if restored by little.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod killed;
mod timed;

use std::collections::BTreeMap;
use std::path::Path;

use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{MemoryBudget, OpenContext, Row, RowBuf, Store, StoreKind, StoreSpec, StoreSupplier, StoreViews};
use headwater_store_rocksdb::RocksDbStores;
use tempfile::TempDir;

const VALUE_BYTES: usize = 4_000;
/// With such values, enough for a file.
const MANY: i64 = 2_300;

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

/// A changelog record: its offset is its place among all.
#[derive(Clone, Debug)]
struct Logged {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Logged {
    /// The value tells the offset.
    fn value(offset: i64) -> Vec<u8> {
        let mut value = offset.to_be_bytes().to_vec();
        value.resize(VALUE_BYTES, 0);
        value
    }
}

/// Applies the records of these offsets.
fn apply(store: &mut Store, log: &[Logged], offsets: std::ops::Range<i64>) {
    let mut records = offsets.filter_map(|offset| {
        let record = log.get(usize::try_from(offset).unwrap())?;
        Some(RawRecord {
            offset: Offset::new(offset),
            timestamp: Timestamp::from_millis(offset),
            key: Some(&record.key),
            value: record.value.as_deref(),
            headers: RawHeaders::NONE,
        })
    });
    store.state_mut().restore(&mut records).unwrap();
}

fn commit(store: &mut Store, last: i64) {
    store.state_mut().commit(Some(Offset::new(last))).unwrap();
}

fn open(directory: &Path, spec: &StoreSpec) -> Store {
    let stores = RocksDbStores::new(MemoryBudget::default());
    stores.open(spec, OpenContext { task_directory: Some(directory) }).unwrap()
}

fn key_values() -> StoreSpec {
    StoreSpec::new("s", StoreKind::KeyValue)
}

fn key_value(store: &Store) -> &dyn KeyValueBytes {
    match store {
        Store::KeyValue(store) => &**store,
        other => panic!("not a key-value store: {other:?}"),
    }
}

/// Which record wrote the row of each key.
type Content = BTreeMap<Vec<u8>, i64>;

fn content(store: &Store) -> Content {
    let mut found: Vec<Entry> = Vec::new();
    assert_eq!(key_value(store).scan(KeyRange::ALL, Order::Forward, usize::MAX, &mut found).unwrap(), Scan::Done);
    let writer = |row: &RowBuf| i64::from_be_bytes(*row.value().first_chunk().unwrap());
    found.into_iter().map(|entry| (entry.key, writer(&entry.row))).collect()
}

/// What the records before `end` leave.
fn expected(log: &[Logged], end: i64) -> Content {
    let mut content = Content::new();
    for (offset, record) in (0..end).zip(log) {
        match &record.value {
            Some(_) => content.insert(record.key.clone(), offset),
            None => content.remove(&record.key),
        };
    }
    content
}

/// Keys of several lengths, some the beginning of others, each written once or twice by `2 * MANY` and every sixth time deleted.
fn log(records: i64) -> Vec<Logged> {
    let mut dice = Dice(7);
    let record = |offset| {
        let mut key = dice.below(MANY as u64).to_be_bytes().to_vec();
        key.truncate(if dice.below(10) == 0 { 7 } else { 8 });
        key.extend(std::iter::repeat_n(0, dice.below(2) as usize));
        Logged { key, value: (dice.below(6) > 0).then(|| Logged::value(offset)) }
    };
    (0..records).map(record).collect()
}

/// How many files of rows there are, whether they came of memtables or not.
fn files(directory: &Path) -> usize {
    let names = std::fs::read_dir(directory.join("rocksdb")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".sst")).count()
}

#[test]
fn of_each_key_what_was_logged_last_is_there_in_one_commit_and_in_the_next() {
    let directory = TempDir::new().unwrap();
    let log = log(6 * MANY);
    let mut store = open(directory.path(), &key_values());
    let mut end = 0;
    // Little lies between the files too, and is older than the next of them.
    for records in [2 * MANY, 10, 3 * MANY, 100, 0] {
        apply(&mut store, &log, end..end + records);
        end += records;
        assert_eq!(store.state().committed_offset().unwrap().map_or(-1, Offset::value) < end - 1, records > 0);
        commit(&mut store, end - 1);
        assert_eq!(content(&store), expected(&log, end), "after {end}");
        let expected = expected(&log, end);
        for key in log.iter().step_by(97).map(|record| &record.key) {
            assert_eq!(key_value(&store).get(key).unwrap().is_some(), expected.contains_key(key), "{key:?}");
        }
    }
    drop(store);
    let mut store = open(directory.path(), &key_values());
    assert_eq!(store.state().committed_offset().unwrap(), Some(Offset::new(end - 1)));
    assert_eq!(content(&store), expected(&log, end));
    let Store::KeyValue(rows) = &mut store else { unreachable!() };
    rows.put(b"k", Some(Row::plain(&Logged::value(end)))).unwrap();
    commit(&mut store, end);
    assert_eq!(content(&store).get(&b"k"[..]), Some(&end));
}

#[test]
fn what_was_restored_in_bulk_is_on_disk_with_its_offset_before_the_store_closes() {
    let directory = TempDir::new().unwrap();
    let log = log(2 * MANY);
    let mut store = open(directory.path(), &key_values());
    apply(&mut store, &log, 0..2 * MANY);
    assert_eq!(files(directory.path()), 0);
    commit(&mut store, 2 * MANY - 1);
    let is_on_disk = || {
        let path = directory.path().join("rocksdb");
        let db = rocksdb::DB::open_cf_for_read_only(&rocksdb::Options::default(), path, ["default", "s/rows"], false);
        db.is_ok_and(|db| {
            let rows = db.cf_handle("s/rows").unwrap();
            assert!(db.iterator_cf(rows, rocksdb::IteratorMode::Start).next().is_some());
            matches!(db.get("s/changelog-offset"), Ok(Some(_)))
        })
    };
    while !is_on_disk() {
        std::thread::yield_now();
    }
}

#[test]
fn files_are_put_together_when_the_store_goes_on() {
    let directory = TempDir::new().unwrap();
    let log = log(16 * MANY);
    let mut store = open(directory.path(), &key_values());
    for from in (0..16 * MANY).step_by(2 * MANY as usize) {
        apply(&mut store, &log, from..from + 2 * MANY);
        commit(&mut store, from + 2 * MANY - 1);
    }
    assert!(files(directory.path()) >= 8, "they wait");
    let Store::KeyValue(rows) = &mut store else { unreachable!() };
    rows.put(b"k", Some(Row::plain(&Logged::value(16 * MANY)))).unwrap();
    commit(&mut store, 16 * MANY);
    store.state_mut().sync().unwrap();
    while files(directory.path()) >= 8 {
        std::thread::yield_now();
    }
    let mut expected = expected(&log, 16 * MANY);
    expected.insert(b"k".to_vec(), 16 * MANY);
    assert_eq!(content(&store), expected);
}

#[test]
fn rows_that_are_later_than_the_offset_are_restored_once_more() {
    let directory = TempDir::new().unwrap();
    let log = log(5 * MANY);
    let mut store = open(directory.path(), &key_values());
    apply(&mut store, &log, 0..2 * MANY);
    commit(&mut store, 2 * MANY - 1);
    apply(&mut store, &log, 2 * MANY..4 * MANY);
    // As a process leaves it that ends between the rows and the offset.
    store.state_mut().commit(None).unwrap();
    drop(store);

    let mut store = open(directory.path(), &key_values());
    let next = store.state().committed_offset().unwrap().unwrap().next().value();
    assert_eq!(next, 2 * MANY);
    assert_ne!(content(&store), expected(&log, next), "or this tests nothing");
    apply(&mut store, &log, next..3 * MANY);
    commit(&mut store, 3 * MANY - 1);
    apply(&mut store, &log, 3 * MANY..5 * MANY);
    commit(&mut store, 5 * MANY - 1);
    assert_eq!(content(&store), expected(&log, 5 * MANY));
}

#[test]
fn what_is_not_committed_goes_with_its_offset_when_the_store_closes() {
    let directory = TempDir::new().unwrap();
    let log = log(4 * MANY);
    let mut store = open(directory.path(), &key_values());
    apply(&mut store, &log, 0..2 * MANY);
    commit(&mut store, 2 * MANY - 1);
    apply(&mut store, &log, 2 * MANY..4 * MANY);
    drop(store);
    let store = open(directory.path(), &key_values());
    assert_eq!(store.state().committed_offset().unwrap(), Some(Offset::new(2 * MANY - 1)));
    assert_eq!(content(&store), expected(&log, 2 * MANY));
}

#[test]
fn what_is_restored_can_be_read_before_it_is_committed() {
    let directory = TempDir::new().unwrap();
    let log = log(3 * MANY);
    let mut store = open(directory.path(), &key_values());
    apply(&mut store, &log, 0..MANY);
    assert_eq!(content(&store), expected(&log, MANY));
    apply(&mut store, &log, MANY..2 * MANY);
    assert_eq!(content(&store), expected(&log, 2 * MANY), "after a read");
    commit(&mut store, 2 * MANY - 1);
    apply(&mut store, &log, 2 * MANY..3 * MANY);
    let key = &log.last().unwrap().key;
    let found = key_value(&store).get(key).unwrap();
    assert_eq!(found.is_some(), expected(&log, 3 * MANY).contains_key(key));
    commit(&mut store, 3 * MANY - 1);
    assert_eq!(content(&store), expected(&log, 3 * MANY));
}

#[test]
fn a_view_sees_rows_and_offset_of_one_commit() {
    let directory = TempDir::new().unwrap();
    let log = log(4 * MANY);
    let mut store = open(directory.path(), &key_values());
    let views = store.state().views().unwrap();
    let view = |views: &dyn StoreViews| views.committed().unwrap().unwrap();
    apply(&mut store, &log, 0..2 * MANY);
    commit(&mut store, 2 * MANY - 1);
    let first = view(&*views);
    apply(&mut store, &log, 2 * MANY..4 * MANY);
    let second = view(&*views);
    commit(&mut store, 4 * MANY - 1);
    let third = view(&*views);
    for (view, end) in [(&first, 2 * MANY), (&second, 2 * MANY), (&third, 4 * MANY)] {
        assert_eq!(view.changelog_offset(), Some(Offset::new(end - 1)));
        let found = view.read(|store| Ok(content(store))).unwrap();
        assert_eq!(found, expected(&log, end));
    }
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_that_names_the_place_and_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let log = log(4 * MANY);
    let mut store = open(directory.path(), &key_values());
    apply(&mut store, &log, 0..2 * MANY);
    commit(&mut store, 2 * MANY - 1);
    let in_the_way = directory.path().join("rocksdb").join("s.restored");
    std::fs::create_dir(&in_the_way).unwrap();
    apply(&mut store, &log, 2 * MANY..4 * MANY);
    let error = store.state_mut().commit(Some(Offset::new(4 * MANY - 1))).unwrap_err().to_string();
    assert!(error.contains("store s: writing failed") && error.contains("rocksdb"), "{error}");
    assert_eq!(store.state().committed_offset().unwrap(), Some(Offset::new(2 * MANY - 1)));
    drop(store);
    std::fs::remove_dir(&in_the_way).unwrap();
    let store = open(directory.path(), &key_values());
    assert_eq!(store.state().committed_offset().unwrap(), Some(Offset::new(2 * MANY - 1)));
    assert_eq!(content(&store), expected(&log, 2 * MANY));
}

#[test]
fn an_offset_is_not_written_when_its_rows_are_not_taken_in() {
    let directory = TempDir::new().unwrap();
    let log = log(4 * MANY);
    let mut store = open(directory.path(), &key_values());
    apply(&mut store, &log, 0..2 * MANY);
    commit(&mut store, 2 * MANY - 1);
    // Where the database would have its next files.
    for number in 0..200 {
        let name = directory.path().join("rocksdb").join(format!("{number:06}.sst"));
        // Where there is one, it is the database's: it may be writing one this moment.
        match std::fs::File::create_new(name) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists),
        }
    }
    apply(&mut store, &log, 2 * MANY..4 * MANY);
    let error = store.state_mut().commit(Some(Offset::new(4 * MANY - 1))).unwrap_err().to_string();
    assert!(error.contains("store s: writing failed"), "{error}");
    drop(store);
    let store = open(directory.path(), &key_values());
    assert_eq!(store.state().committed_offset().unwrap(), Some(Offset::new(2 * MANY - 1)));
    assert_eq!(content(&store), expected(&log, 2 * MANY));
    assert!(!directory.path().join("rocksdb").join("s.restored").exists());
}

#[test]
fn a_file_that_a_killed_process_had_begun_is_dropped() {
    let directory = TempDir::new().unwrap();
    let log = log(2 * MANY);
    drop(open(directory.path(), &key_values()));
    let begun = directory.path().join("rocksdb").join("s.restored");
    std::fs::write(&begun, b"half of it").unwrap();
    let mut store = open(directory.path(), &key_values());
    assert!(!begun.exists());
    apply(&mut store, &log, 0..2 * MANY);
    commit(&mut store, 2 * MANY - 1);
    assert!(!begun.exists(), "it has become one of the database");
    assert_eq!(content(&store), expected(&log, 2 * MANY));
}
