//! The graph as plain data: nodes, what they read, write and keep.

pub mod repartition;
pub mod sink;
pub mod source;

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_store::{StoreKind, StoreSpec};

use self::repartition::Movable;
pub use self::repartition::{Given, Moves, Repartition, RepartitionNames};
use crate::port::Listener;
use crate::{MakeSource, NodeId, StoreId};

/// Which topics a source reads. Repartition topics have no prefix until the topology is bound to an application.
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
    /// Always this topic. A repartition topic has no prefix until the topology is bound to an application.
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

/// What an operator does to its records, as far as the optimiser asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that it asks for.
    #[default]
    Plain,
    /// It gives them other keys.
    ChangesKey,
    /// It gives them other values under the same keys.
    ChangesValue,
    /// It makes one stream of several.
    Merges,
}

/// A node of a topology: what is said of it as data, and what brings it and its children to life in a task.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any of them may go with any other")]
pub struct NodeSpec {
    /// Its name, unique in the topology.
    pub name: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// From where it gets records, in the order given.
    pub parents: Vec<NodeId>,
    /// The stores it uses, in the order in which they were connected.
    pub stores: Vec<StoreId>,
    /// The store that the table it makes is kept in, once there is one.
    pub keeps: Option<StoreId>,
    /// Whether it hands on old values with new ones (Java's `enableSendingOldValues`).
    pub sends_old_values: bool,
    /// Whether null keys mean something to it or to a node below it, as they do to left joins (KIP-962).
    pub keeps_null_keys: bool,
    /// Whether its table has versions where that above it has: it is made of it value by value, and kept nowhere.
    pub(crate) passes_versions: bool,
    /// Whether the table of this node counts as versioned where the streams that it is made of come from versioned tables.
    pub(crate) versions_of_streams: bool,
    /// What it does to records.
    pub effect: Effect,
    /// Set at the filter that a repartition begins with, when the optimiser may replace the repartition.
    pub(crate) movable: Option<Movable>,
    /// Its place in the order in which nodes are written: those of a smaller number come first, below their parents.
    pub(crate) priority: u32,
    /// For how long it keeps windows open after their end, if it aggregates by windows.
    pub(crate) grace: Option<Duration>,
    /// The topics that its records lie as, where these are not simply those above it.
    pub(crate) lies_as: Option<BTreeSet<String>>,
    /// Whether it is part of the operator below it, which stands for it in texts.
    pub(crate) part_of_below: bool,
    /// Its children with what brings them to life.
    pub(crate) listeners: Vec<Listener>,
    /// What brings a source to life.
    pub(crate) source: Option<MakeSource>,
    /// What its own maker finds there when a task is wired.
    pub(crate) parts: Vec<Arc<dyn Any + Send + Sync>>,
}

impl NodeSpec {
    /// A source of `topics`, which begins where `reset` says.
    pub fn source(name: impl Into<Arc<str>>, topics: SourceTopics, reset: Option<OffsetReset>) -> Self {
        Self::of(name.into(), NodeKind::Source { topics, reset }, Vec::new())
    }

    /// A processor below `parents`.
    pub fn processor(name: impl Into<Arc<str>>, parents: impl Into<Vec<NodeId>>) -> Self {
        Self::of(name.into(), NodeKind::Processor, parents.into())
    }

    /// A sink below `parents`.
    pub fn sink(name: impl Into<Arc<str>>, topic: SinkTopic, parents: impl Into<Vec<NodeId>>) -> Self {
        Self::of(name.into(), NodeKind::Sink { topic }, parents.into())
    }

    fn of(name: Arc<str>, kind: NodeKind, parents: Vec<NodeId>) -> Self {
        NodeSpec {
            name,
            kind,
            parents,
            stores: Vec::new(),
            keeps: None,
            sends_old_values: false,
            keeps_null_keys: false,
            passes_versions: false,
            versions_of_streams: false,
            effect: Effect::Plain,
            movable: None,
            priority: 0,
            grace: None,
            lies_as: None,
            part_of_below: false,
            listeners: Vec::new(),
            source: None,
            parts: Vec::new(),
        }
    }

    /// With `store` connected.
    #[must_use]
    pub fn with_store(mut self, store: StoreId) -> Self {
        self.stores.push(store);
        self
    }

    /// Its parts of type `T` ([`Draft::add_part`](crate::Draft::add_part)), in the order in which they were added.
    pub fn parts_of<T: Clone + 'static>(&self) -> Vec<T> {
        self.parts.iter().filter_map(|part| part.downcast_ref::<T>()).cloned().collect()
    }

    /// The topics that this source names; empty for other nodes and for patterns.
    pub fn source_topics(&self) -> &[String] {
        match &self.kind {
            NodeKind::Source { topics: SourceTopics::Named(topics), .. } => topics,
            _ => &[],
        }
    }

    /// The topic that this sink always writes to.
    pub fn sink_topic(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Sink { topic: SinkTopic::Named(topic) } => Some(topic),
            _ => None,
        }
    }
}

impl fmt::Debug for NodeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSpec")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("parents", &self.parents)
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}

/// A store of a topology.
#[derive(Clone, Debug)]
pub struct StoreNode {
    /// What is wanted.
    pub spec: StoreSpec,
    /// The topic that the table it keeps is read from, which can serve as its changelog.
    pub source_topic: Option<String>,
    /// The topic that serves as its changelog instead of one of its own (`reuse.ktable.source.topics`).
    pub source_changelog: Option<String>,
    /// Whether it is a global store: filled by a thread of its own on every instance.
    pub global: bool,
    /// Whether the user added it: settings for the stores of operators are not for it.
    pub own: bool,
    /// Whether its name counts as generated even if it does not look so (KIP-1111): stores given to a join of streams that has no
    /// name for its stores.
    pub unnamed: bool,
}

impl StoreNode {
    /// An operator's own store.
    pub(crate) fn of(spec: StoreSpec) -> Self {
        StoreNode { spec, source_topic: None, source_changelog: None, global: false, own: false, unnamed: false }
    }
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
    /// Everything for a time: `delete` (window stores of plain rows that retain duplicates).
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

impl Cleanup {
    /// What the changelog of such a store keeps.
    pub fn of(spec: &StoreSpec) -> Self {
        match &spec.kind {
            // Java's builders of stores with timestamps leave it as it is for other windows.
            StoreKind::Window { retention, retain_duplicates: true, .. } if !spec.format.has_timestamp() => {
                Cleanup::Delete { retention: *retention }
            }
            StoreKind::Window { retention, .. } | StoreKind::Session { retention, .. } => {
                Cleanup::CompactDelete { retention: *retention }
            }
            StoreKind::Versioned { history_retention, .. } => Cleanup::CompactAfter { history: *history_retention },
            // Key-value and LRU stores, and kinds that do not forget by themselves.
            _ => Cleanup::Compact,
        }
    }
}
