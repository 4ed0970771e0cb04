//! Internal topics: the changelogs of stores and the repartition topics that an application makes for itself.
//!
//! [`plan`] is pure: from the topology and the partition counts of the topics it reads it says which internal topics there must
//! be, with Java's names, partition counts and settings. [`create`] brings that about: it makes what is missing and checks what
//! is there.

mod create;
mod error;
mod partitions;
mod plan;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::Partition;
use headwater_topology::node::{NodeKind, SourceTopics};
use headwater_topology::{SubtopologyId, Topology};

pub use self::create::{create, survey, verify};
pub use self::error::InternalTopicsError;
pub use self::plan::{InternalTopicsPlan, plan};
pub use self::settings::InternalTopicSettings;

/// What is known of the topics that exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTopics {
    /// How many partitions each has.
    pub partitions: BTreeMap<String, Partition>,
    /// The topics that match each pattern a source names, sorted.
    pub matches: BTreeMap<String, Vec<String>>,
}

impl KnownTopics {
    /// Topics with their partition counts, and no patterns.
    pub fn of<N: Into<String>>(topics: impl IntoIterator<Item = (N, Partition)>) -> Self {
        let partitions = topics.into_iter().map(|(name, partitions)| (name.into(), partitions)).collect();
        KnownTopics { partitions, matches: BTreeMap::new() }
    }
}

/// The topics that a part of a topology reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartTopics {
    pub(crate) id: SubtopologyId,
    /// Read, repartition topics among them.
    pub(crate) sources: BTreeSet<String>,
    /// Written under a name that is known.
    pub(crate) sinks: BTreeSet<String>,
}

/// The topics of all parts that have tasks.
pub(crate) fn part_topics(topology: &Topology, known: &KnownTopics) -> Vec<PartTopics> {
    let parts = topology.subtopologies().iter().filter(|part| !part.global);
    let topics = parts.map(|part| {
        let mut topics = PartTopics { id: part.id, sources: BTreeSet::new(), sinks: BTreeSet::new() };
        for node in part.nodes.iter().filter_map(|id| topology.node(*id)) {
            if let NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } = &node.kind {
                topics.sources.extend(known.matches.get(pattern).into_iter().flatten().cloned());
            }
            topics.sources.extend(node.source_topics().iter().cloned());
            topics.sinks.extend(node.sink_topic().map(str::to_owned));
        }
        topics
    });
    topics.collect()
}

#[cfg(test)]
mod tests;
