//! A Kafka cluster in this process: the log of the test driver, the cluster of simulations, and the first thing a new user runs.
//!
//! Start at [`Cluster`]. It implements `ClientSupplier`, so whatever runs on real Kafka runs on it: partition logs with offsets,
//! idempotent and transactional producers, topics with settings, compaction, `DeleteRecords`, committed offsets, the classic group
//! coordinator, the transaction coordinator under both protocols, and faults on demand ([`Faults`]).
//!
//! A record is copied once, into the batch that its producer fills. The log keeps the batch, and consumers share it.
//!
//! **Architecture Invariant:** this crate has no thread and no clock of its own. With a virtual clock nothing here ever waits,
//! and the same calls give the same answers.
#![forbid(unsafe_code)]

mod admin;
mod batch;
mod client;
mod clock;
mod cluster;
mod consumer;
mod fault;
mod group;
mod leases;
mod membership;
mod partition_log;
mod payload;
mod producer;
mod topic;
mod transaction;

pub use clock::ManualClock;
pub use cluster::{Cluster, ClusterConfig, GroupView, MemberView, TopicView, TransactionView, Waiting};
pub use fault::{Api, Faults};
pub use group::GroupState;
pub use partition_log::Tombstones;
pub use transaction::{TransactionEnd, TransactionProtocol, TransactionState};
