//! The client traits over a real Kafka cluster.
//!
//! Everything speaks Kafka's protocol over connections of our own, which live on one thread: records are fetched ([`consumer`]) and
//! produced ([`producer`]) in record batches ([`batch`]) that are read and built where they lie; membership, committed offsets and topics
//! are requests with an answer each. What to ask whom, and what an answer means, is decided in state machines that know neither
//! sockets nor clocks; all are configured by the names of Java's settings.
//!
//! **Architecture Invariant:** per record nothing is done but to parse or append it: no lock, no wake-up, no allocation. Nobody above
//! this crate knows Kafka's protocol.
#![forbid(unsafe_code)]

mod admin;
mod batch;
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
mod offsets;
mod producer;

pub use clients::KafkaClients;
pub use clock::SystemClock;
