//! The suite that every make of store passes.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use headwater_store::conformance;
use headwater_store_memory::MemoryStores;

#[test]
fn key_value_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::key_value(&MemoryStores::new(), directory.path());
}

#[test]
fn window_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::window(&MemoryStores::new(), directory.path());
}

#[test]
fn session_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::session(&MemoryStores::new(), directory.path());
}

#[test]
fn versioned_stores_behave_as_the_suite_says() {
    let directory = tempfile::tempdir().unwrap();
    conformance::versioned(&MemoryStores::new(), directory.path());
}
