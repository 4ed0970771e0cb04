//! What flows through headwater: records, their headers and timestamps, where they lie in Kafka, and how bytes become types.
//!
//! Read in this order: [`Record`] (one typed record on its way), [`RawRecord`] (the same as bytes), [`Headers`],
//! [`Timestamp`], [`TopicPartition`], [`Serde`].
//!
//! **Architecture Invariant:** this crate has no clock, no thread, no socket and no knowledge of stores or topologies.
#![forbid(unsafe_code)]

mod envelope;
mod error;
mod headers;
mod nullable;
mod partition;
mod partitioner;
mod record;
pub mod serde;
mod steady;
mod time;

pub use envelope::{HeaderList, HeaderView, OwnedRecord, RawHeaders, RawRecord};
pub use error::{SerdeError, short_name, write_with_causes};
pub use headers::{Header, Headers};
pub use nullable::Nullable;
pub use partition::{Offset, Partition, Topic, TopicPartition};
pub use partitioner::{murmur2, partition_for_key};
pub use record::Record;
pub use serde::{DefaultSerde, Encoded, Serde, SharedSerde};
pub use steady::Steady;
pub use time::{Clock, Deadline, Timestamp};
