//! Runs topologies: threads, tasks, membership, changelogs, commits.
//!
//! [`KafkaStreams`] in one screen: [`KafkaStreams::builder`] takes a topology, settings and components; `start` makes threads;
//! `state` tells how they are; `close` ends them. In reading order: [`config`], [`application`], `instance` (what all threads of
//! an application share), `thread` (one loop: poll, process, punctuate, commit), [`membership`] and [`assignment`] (who has which
//! task; pure), [`task`], [`changelog`] (restoring), [`global`] (stores that every instance has whole), [`directory`],
//! [`internal_topics`], [`error`].
//!
//! Deciding and doing are apart: membership, assignment and plans are values in, values out; a `thread` and the restore worker
//! beside it are driven turn by turn. Only [`host`] has threads of the operating system, its clock and its signals, so that a
//! test drives whole applications in one thread, under a clock of its own ([`application::Driven`]).
//!
//! **Architecture Invariant:** no thread, no clock, no sleep outside `host/`; no Kafka client and no store but those of the
//! environment.
#![forbid(unsafe_code)]

pub mod application;
pub mod assignment;
pub mod changelog;
pub mod commit;
pub mod config;
pub mod directory;
pub mod environment;
pub mod error;
pub mod global;
pub mod handler;
pub mod host;
mod instance;
pub mod intake;
pub mod internal_topics;
pub mod membership;
pub mod metric;
pub mod offset_metadata;
pub mod output;
pub mod query;
pub mod task;
mod thread;

pub use application::{Builder, CloseOptions, Driven, KafkaStreams, State, UncaughtResponse};
pub use config::StreamsConfig;
pub use environment::{DefaultEnvironment, Environment, NoDefault, StoreMakers};
pub use error::{Error, ErrorKind};
pub use host::SystemClock;
