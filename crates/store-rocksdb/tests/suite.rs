//! The suite that every make of store passes.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use headwater_store::{MemoryBudget, conformance};
use headwater_store_rocksdb::RocksDbStores;

#[test]
fn key_value_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::key_value(&RocksDbStores::new(MemoryBudget::default()), directory.path());
}

#[test]
fn window_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::window(&RocksDbStores::new(MemoryBudget::default()), directory.path());
}

#[test]
fn session_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::session(&RocksDbStores::new(MemoryBudget::default()), directory.path());
}

#[test]
fn versioned_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::versioned(&RocksDbStores::new(MemoryBudget::default()), directory.path());
}
