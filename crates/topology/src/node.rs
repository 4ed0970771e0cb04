//! The graph as plain data: nodes, what they read, write and keep.

pub mod sink;
pub mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_store::{StoreKind, StoreSpec};

use crate::{NodeId, StoreId};

/// Which topics a source reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceTopics {
    /// These, in the order in which they were given.
    Named(Vec<String>),
    /// All whose whole name matches this regular expression.
    Pattern(String),
}

/// From where to read when nothing was committed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetReset {
    /// From the first record that is still there.
    Earliest,
    /// From what is written from now on.
    Latest,
    /// Nowhere: fail.
    None,
    /// From the first record of the last so much time (KIP-1106).
    ByDuration(Duration),
}

/// To where a sink writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkTopic {
    /// Always this topic.
    Named(String),
    /// The topic that a function names per record; `text` is what describes the function (Java's `toString`).
    Extracted {
        /// The function's own text.
        text: String,
    },
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Reads topics.
    Source {
        /// Which.
        topics: SourceTopics,
        /// From where at first; `None`: as `auto.offset.reset` says.
        reset: Option<OffsetReset>,
    },
    /// Works on records.
    Processor,
    /// Writes to a topic.
    Sink {
        /// Which.
        topic: SinkTopic,
    },
}

/// A node of a topology.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name, unique in the topology.
    pub name: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// From where it gets records, in the order given.
    pub parents: Vec<NodeId>,
    /// The stores it uses, in the order in which they were connected.
    pub stores: Vec<StoreId>,
}

impl NodeSpec {
    /// A processor below `parents`.
    pub fn processor(name: impl Into<Arc<str>>, parents: impl Into<Vec<NodeId>>) -> Self {
        NodeSpec { name: name.into(), kind: NodeKind::Processor, parents: parents.into(), stores: Vec::new() }
    }

    /// With `store` connected.
    #[must_use]
    pub fn with_store(mut self, store: StoreId) -> Self {
        self.stores.push(store);
        self
    }
}

/// A store of a topology.
#[derive(Clone, Debug)]
pub struct StoreNode {
    /// What is wanted.
    pub spec: StoreSpec,
    /// The topic that serves as its changelog instead of one of its own (`reuse.ktable.source.topics`).
    pub source_changelog: Option<String>,
    /// Whether it is a global store: filled by a thread of its own on every instance.
    pub global: bool,
    /// Whether the user added it: settings for the stores of operators are not for it.
    pub own: bool,
}

/// What the changelog of a store keeps, which decides its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// The last value per key: `compact`.
    Compact,
    /// The last value per key for a time: `compact,delete`.
    CompactDelete {
        /// The store's retention.
        retention: Duration,
    },
    /// Everything for a time: `delete` (the windows of stream-stream joins).
    Delete {
        /// The store's retention.
        retention: Duration,
    },
    /// The last value per key, and what is younger than the history (`min.compaction.lag.ms`).
    CompactAfter {
        /// The history's length.
        history: Duration,
    },
}

/// An internal topic, without the application's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InternalTopic {
    /// Carries records to the task that owns their key.
    Repartition {
        /// Its name without prefix, such as `counts-repartition`.
        name: String,
        /// A number of partitions that the program fixes.
        partitions: Option<i32>,
    },
    /// Keeps a store's changes.
    Changelog {
        /// The store's name; the topic is `<application id>-<store>-changelog`.
        store: String,
        /// What it keeps.
        cleanup: Cleanup,
        /// Settings of the program over the usual ones.
        configs: BTreeMap<String, String>,
    },
}

impl Cleanup {
    /// What the changelog of a store of this kind keeps.
    pub fn of(kind: &StoreKind) -> Self {
        match kind {
            StoreKind::Window { retention, retain_duplicates: true, .. } => Cleanup::Delete { retention: *retention },
            StoreKind::Window { retention, .. } | StoreKind::Session { retention, .. } => {
                Cleanup::CompactDelete { retention: *retention }
            }
            StoreKind::Versioned { history_retention, .. } => Cleanup::CompactAfter { history: *history_retention },
            // Key-value and LRU stores, and kinds that do not forget by themselves.
            _ => Cleanup::Compact,
        }
    }
}
