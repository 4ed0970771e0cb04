//! Stores that cannot be opened, and what the error says.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::path::Path;

use headwater_store::{MemoryBudget, OpenContext, RowFormat, Store, StoreError, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;

fn open(directory: Option<&Path>, format: RowFormat) -> Result<Store, StoreError> {
    let spec = StoreSpec { format, ..StoreSpec::new("counts", StoreKind::KeyValue) };
    RocksDbStores::new(MemoryBudget::default()).open(&spec, OpenContext { task_directory: directory })
}

#[test]
fn stores_lie_in_the_folder_rocksdb_of_their_task() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(Some(directory.path()), RowFormat::Plain).unwrap());
    assert!(directory.path().join("rocksdb").join("CURRENT").exists());
}

#[test]
fn a_store_that_is_open_already_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(Some(directory.path()), RowFormat::Plain).unwrap();
    let error = open(Some(directory.path()), RowFormat::Plain).unwrap_err().to_string();
    assert!(error.contains("store counts"), "{error}");
    assert!(error.contains("is open in another process or by another instance"), "{error}");
}

#[test]
fn a_store_that_is_open_already_in_the_same_database_is_refused_too() {
    let directory = tempfile::tempdir().unwrap();
    let stores = RocksDbStores::new(MemoryBudget::default());
    let context = OpenContext { task_directory: Some(directory.path()) };
    let spec = StoreSpec::new("counts", StoreKind::KeyValue);
    let first = stores.open(&spec, context).unwrap();
    let error = stores.open(&spec, context).unwrap_err().to_string();
    assert!(error.contains("store counts") && error.contains("by another instance"), "{error}");
    drop(first);
    drop(stores.open(&spec, context).unwrap());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rocksdb"), "a file, no folder").unwrap();
    let error = open(Some(directory.path()), RowFormat::Plain).unwrap_err().to_string();
    assert!(error.contains("store counts") && error.contains("state.dir"), "{error}");
}

#[test]
fn without_a_state_directory_the_error_says_what_to_do() {
    let error = open(None, RowFormat::Plain).unwrap_err().to_string();
    assert!(error.contains("set state.dir"), "{error}");
}

#[test]
fn a_changed_row_format_is_told_in_words() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(Some(directory.path()), RowFormat::Plain).unwrap());
    let error = open(Some(directory.path()), RowFormat::Timestamped).unwrap_err().to_string();
    let expected = "store counts on disk is a key-value store with plain rows, the topology asks for a key-value store \
                    with timestamped rows";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rocksdb").join("counts");
    std::fs::create_dir_all(&path).unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    drop(rocksdb::DB::open_cf(&options, &path, ["default", "keyValueWithTimestamp"]).unwrap());
    match open(Some(directory.path()), RowFormat::Timestamped) {
        Err(StoreError::TypeChanged { found, .. }) => assert!(found.contains("another program"), "{found}"),
        other => panic!("it is refused, but: {other:?}"),
    }
}
