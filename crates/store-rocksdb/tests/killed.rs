//! A process that is killed: the store opens with the content of exactly the offset beside it.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use headwater_record::Offset;
use headwater_store::bytes::{KeyRange, KeyValueBytes, Order};
use headwater_store::{MemoryBudget, OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;

const DIRECTORY: &str = "HEADWATER_TEST_KILLED_DIRECTORY";
const KEYS: usize = 200;

fn open(directory: &Path) -> Box<dyn KeyValueBytes> {
    // Little room for writes, so that RocksDB flushes often while the process lives.
    open_of(
        &RocksDbStores::new(MemoryBudget { write_buffer_bytes: 1 << 20, ..MemoryBudget::default() }),
        directory,
        "counts",
    )
}

fn open_of(stores: &RocksDbStores, directory: &Path, name: &str) -> Box<dyn KeyValueBytes> {
    let spec = StoreSpec::new(name, StoreKind::KeyValue);
    match stores.open(&spec, OpenContext { task_directory: Some(directory) }).unwrap() {
        Store::KeyValue(store) => store,
        other => panic!("not a key-value store: {other:?}"),
    }
}

fn row(offset: i64) -> Vec<u8> {
    format!("{offset}{}", " ".repeat(100)).into_bytes()
}

/// Commits until it is killed: at offset `n` every key has the value `n`.
fn write_until_killed(directory: &Path) {
    let mut store = open(directory);
    let mut out = std::io::stdout();
    let first = store.committed_offset().unwrap().map_or(0, |offset| offset.next().value());
    for offset in first.. {
        for key in 0..KEYS {
            store.put(format!("{key:04}").as_bytes(), Some(Row::plain(&row(offset)))).unwrap();
        }
        store.commit(Some(Offset::new(offset))).unwrap();
        // Half of a commit that never comes.
        store.put(b"0000", Some(Row::plain(b"uncommitted"))).unwrap();
        writeln!(out, "committed {offset}").unwrap();
    }
}

#[test]
fn content_is_that_of_its_offset_after_the_process_is_killed() {
    // The same test, run by itself as another process, is the one that writes.
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        write_until_killed(Path::new(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut before = None;
    for commits in [400, 150, 700] {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "content_is_that_of_its_offset_after_the_process_is_killed", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let last = lines.filter(|line| line.starts_with("committed")).nth(commits).expect("the writer commits");
        writer.kill().unwrap();
        assert!(!writer.wait().unwrap().success(), "it was killed");

        let store = open(directory.path());
        let found = store.committed_offset().unwrap().expect("some commits were flushed").value();
        let written: i64 = last.rsplit(' ').next().unwrap().parse().unwrap();
        let mut entries = Vec::new();
        let _ = store.scan(KeyRange::ALL, Order::Forward, KEYS + 1, &mut entries).unwrap();
        assert_eq!(entries.len(), KEYS);
        for entry in entries {
            assert_eq!(entry.row.value(), row(found), "every row is of the commit whose offset is there");
        }
        assert!(found <= written + 1, "nothing is there that was not committed");
        assert!(before.replace(found) < Some(found), "this life left something as well; {written} had been committed");
    }
}

/// A few commits to two stores, those up to offset 3 brought to disk.
fn write_little(directory: &Path) -> ! {
    let stores = RocksDbStores::new(MemoryBudget::default());
    let mut both = [open_of(&stores, directory, "a"), open_of(&stores, directory, "b")];
    for offset in 0..6 {
        for store in &mut both {
            store.put(b"k", Some(Row::plain(&row(offset)))).unwrap();
            store.commit(Some(Offset::new(offset))).unwrap();
        }
        if offset == 3 {
            both[0].sync().unwrap();
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "written").unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn what_is_seldom_written_comes_to_disk_when_it_is_asked_to() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        write_little(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_is_seldom_written_comes_to_disk_when_it_is_asked_to", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line == "written").expect("the writer writes");
    // It goes on in the background. A reader sees what is on disk, and no more.
    let is_on_disk = || {
        let (options, families) = (rocksdb::Options::default(), ["default", "a/rows", "b/rows"]);
        let path = directory.path().join("rocksdb");
        let db = rocksdb::DB::open_cf_for_read_only(&options, path, families, false);
        db.is_ok_and(|db| matches!(db.get("b/changelog-offset"), Ok(Some(_))))
    };
    while !is_on_disk() {
        std::thread::yield_now();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    let stores = RocksDbStores::new(MemoryBudget::default());
    for name in ["a", "b"] {
        let store = open_of(&stores, directory.path(), name);
        let found = store.committed_offset().unwrap().expect("it came to disk").value();
        assert!(found >= 3, "{name}: {found}");
        assert_eq!(store.get(b"k").unwrap().unwrap().value(), row(found));
    }
}
