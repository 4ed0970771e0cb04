//! The client traits over a real Kafka cluster.
//!
//! It is two parts (D2): librdkafka, by way of `rdkafka`, moves record batches; a connection of our own speaks to brokers and
//! group coordinators in Kafka's protocol, for membership, committed offsets and topics, because librdkafka has no
//! pluggable assignor and commits only for members of its own. Both are configured with the same settings.
//!
//! **Architecture Invariant:** unsafe code is in `native/` alone. Nobody above this crate knows librdkafka.
#![deny(unsafe_code)]

mod admin;
mod clients;
mod clock;
mod config;
mod connection;
mod consumer;
mod coordinator;
mod error;
mod io;
mod membership;
mod metadata;
mod native;
mod offsets;
mod producer;

pub use clients::KafkaClients;
pub use clock::SystemClock;
