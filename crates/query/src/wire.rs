//! The JSON that servers write and clients read. `openapi.json` describes it for other languages.
//!
//! Times are milliseconds since 1970; offsets are those of the next record; what is not known is left out.

mod position;
mod sight;

use std::collections::BTreeSet;

use headwater_record::Partition;
use headwater_runtime::query::Position;
use serde::{Deserialize, Serialize};

pub(crate) use self::position::text as position_text;
pub use self::sight::*;

/// An entry of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<V> {
    /// Its key, as the store's [`KeyText`](crate::KeyText) writes it.
    pub key: String,
    /// When its window or session starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// When its window or session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// The value's timestamp, where the store has one and the question can tell it; of a version, from when it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// Until when a version is valid, excluded; left out of the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<i64>,
    /// Its value.
    pub value: V,
}

/// Of what an answer was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Which partition; left out of a global store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// What for the instance has it.
    pub role: Role,
    /// How many offsets what was read of a copy lacks of its changelog, as Kafka told it last: within about a second, while Kafka answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// Up to which records of its input what was read has seen them; left out of what nobody knows it of: copies, and global stores. It is written
    /// as `at_least` wants it: `topic-partition:offset,...`.
    #[serde(default, skip_serializing_if = "Position::is_empty", with = "position")]
    pub position: Position,
}

/// What for an instance has a partition of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Its task processes there.
    Active,
    /// It is a copy: a standby, or a store that is being restored.
    Standby,
    /// The store is global: every instance has it whole.
    Global,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found<V> {
    /// The entry.
    pub entry: Entry<V>,
    /// Of what it was read.
    pub source: Source,
}

/// Some entries, of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<V> {
    /// The entries, in the order of the store. There may be none, and more to come all the same.
    pub entries: Vec<Entry<V>>,
    /// Of what they were read.
    pub source: Source,
    /// What to give as `after` for the next page; left out of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The stores that a server answers from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stores {
    /// By name.
    pub stores: Vec<StoreName>,
}

/// A store that a server answers from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreName {
    /// Its name.
    pub name: String,
    /// `key-value`, `window`, `session` or `versioned`.
    pub kind: String,
}

/// Where a store is in the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Its name.
    pub name: String,
    /// `key-value`, `window`, `session` or `versioned`.
    pub kind: String,
    /// Its partitions from 0 on; none when it is global.
    pub partitions: Vec<Owner>,
    /// Everybody who has some of it.
    pub hosts: BTreeSet<String>,
}

/// Who has a key or a partition, by the `host:port` of their `application.server`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The partition; left out of a global store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// The instance whose task is active; left out while nobody's is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Those that have a standby.
    pub standbys: BTreeSet<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub error: Reason,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    pub code: Code,
    /// For people: what is wrong, and what to do.
    pub message: String,
    /// Who has it (`not_here`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Of what was read that the key is not there (`unknown_key`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The question is not one: the message says why (400).
    BadRequest,
    /// Who asks may not (401).
    Unauthorized,
    /// There is nothing at this path (404).
    UnknownPath,
    /// The server answers from no store of this name (404).
    UnknownStore,
    /// The topology has no node of this name (404).
    UnknownNode,
    /// The group's metadata name no such instance (404).
    UnknownHost,
    /// The store has no such key, window, session or version (404).
    UnknownKey,
    /// Only GET is answered (405).
    MethodNotAllowed,
    /// Questions have no body (413).
    BodyRefused,
    /// Another instance has it: ask that one (421).
    NotHere,
    /// What is stored cannot be read (500).
    Data,
    /// The server failed (500).
    Internal,
    /// It is being moved or restored, or a copy lacks too much: ask again (503).
    Unavailable,
    /// Too many questions at once: ask again (503).
    Overloaded,
    /// It took too long (504).
    Timeout,
}

/// Whether the instance is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Java's name of its state, such as `RUNNING`.
    pub state: String,
    /// Starting it anew would not help.
    pub live: bool,
    /// It is live, runs, and processes all its active tasks.
    pub ready: bool,
    /// Why it is not live or not ready, a sentence each.
    pub reasons: Vec<String>,
}

/// The instances of the group that have an `application.server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// By host and port.
    pub hosts: Vec<Host>,
}

/// What an instance has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `host:port`.
    pub host: String,
    /// Stores of which it has an active partition, and global ones.
    pub stores: BTreeSet<String>,
    /// The input partitions of its active tasks, `topic-partition`.
    pub partitions: Vec<String>,
    /// Stores of which it has a standby.
    pub standby_stores: BTreeSet<String>,
    /// The input partitions of its standby tasks.
    pub standby_partitions: Vec<String>,
}

/// The stores of this instance that are brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lags {
    /// By name and partition.
    pub lags: Vec<Lag>,
}

/// How far a partition of a store is behind its changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// The store.
    pub store: String,
    /// The partition.
    pub partition: Partition,
    /// The next record of the changelog that it will apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// The next record that those who read the store do not see yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<i64>,
    /// Where the changelog ended when last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// How many offsets it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}
