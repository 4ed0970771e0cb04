//! Testing a topology without a cluster: [`TopologyTestDriver`] runs it record by record, in this process and in virtual time.
//!
//! Start at [`TopologyTestDriver`]; records go in by a [`TestInputTopic`] and come out of a [`TestOutputTopic`].
//! [`MockProcessorContext`] tests one processor alone.
//!
//! **Architecture Invariant:** what runs here are the tasks of production. The driver only decides when.
#![forbid(unsafe_code)]

mod capture;
mod driver;
mod error;
mod mock;
mod record;
pub mod simulation;
mod store;
mod topic;

pub use driver::{Builder, StateOnDisk, TopologyTestDriver};
pub use error::DriverError;
pub use headwater_store_memory::MemoryStores;
pub use mock::{Forwarded, MockProcessorContext};
pub use record::TestRecord;
pub use store::{TestKeyValueStore, TestSessionStore, TestVersionedStore, TestWindowStore, VersionedRecord};
pub use topic::{Given, TestInputTopic, TestOutputTopic};
