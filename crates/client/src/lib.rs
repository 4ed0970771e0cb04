//! What headwater asks of Kafka: a [`Consumer`], a [`Producer`], an [`Admin`] and a place in a group ([`GroupMembership`]).
//!
//! Two crates implement these traits: `client-kafka` over a real cluster and `client-memory` over one in this process. Nothing
//! crosses the traits per record but a borrowed view (`RawRecord`): a fetch hands out [`RecordBatch`]es that own the memory
//! their records lie in, a producer encodes into per-partition batches, and acknowledgements ([`BatchAck`]) are per batch.
//!
//! Group membership is requests and responses as plain values, because deciding is not done here.
//!
//! **Architecture Invariant:** this crate has no clock, no thread and no socket; it does not know what the bytes mean.
#![forbid(unsafe_code)]

mod admin;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod consumer;
mod error;
mod lease;
mod membership;
mod producer;
mod supplier;
mod transaction;

pub use admin::{Admin, Isolation, NewTopic, OffsetSpec, TopicDescription};
pub use config::ClientConfig;
pub use consumer::{Consumer, RecordBatch, StartAt, Wakeup, Watermarks};
pub use error::{ClientError, ErrorClass, GroupError};
pub use lease::Lease;
pub use membership::{
    CommittedOffset, GroupIdentity, GroupMembership, GroupRequest, GroupResponse, JoinRequest, Joined, KeepAlive,
    OffsetCommit,
};
pub use producer::{Appended, BatchAck, PartitionRef, Producer};
pub use supplier::{ClientKind, ClientSupplier};
pub use transaction::{TransactionOutcome, Transactional};
