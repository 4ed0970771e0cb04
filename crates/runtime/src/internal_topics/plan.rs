//! Which internal topics an application needs.

use std::collections::{BTreeMap, BTreeSet};

use headwater_client::NewTopic;
use headwater_record::{Partition, Topic};
use headwater_store::Logging;
use headwater_topology::node::Cleanup;
use headwater_topology::{SubtopologyId, Topology};

use super::partitions::Counts;
use super::{InternalTopicSettings, InternalTopicsError, KnownTopics, PartTopics, part_topics};

/// The internal topics that an application needs, and the tasks it has with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InternalTopicsPlan {
    /// Repartition topics, by name.
    pub repartition: Vec<NewTopic>,
    /// Changelogs, by name. Those that are topics of the user are not among them.
    pub changelogs: Vec<NewTopic>,
    /// How many tasks each part has: as many as the largest topic it reads has partitions. Parts without tasks are left out.
    pub tasks: BTreeMap<SubtopologyId, Partition>,
    /// The full names of the topics that each part reads.
    pub sources: BTreeMap<SubtopologyId, BTreeSet<String>>,
    /// Partition counts of all topics that are read, repartition topics included, by full name.
    pub partitions: BTreeMap<String, Partition>,
}

impl InternalTopicsPlan {
    /// All internal topics, repartition topics first: a task that reads one must not start before it is there.
    pub fn topics(&self) -> impl Iterator<Item = &NewTopic> {
        self.repartition.iter().chain(&self.changelogs)
    }
}

/// Which internal topics `topology`, which is bound to its application, needs when its source topics are as `known`.
///
/// # Errors
/// [`InternalTopicsError::MissingSources`], [`InternalTopicsError::NotCopartitioned`], [`InternalTopicsError::FixedPartitions`],
/// [`InternalTopicsError::Unresolvable`].
pub fn plan(
    topology: &Topology,
    settings: &InternalTopicSettings,
    known: &KnownTopics,
) -> Result<InternalTopicsPlan, InternalTopicsError> {
    let parts = part_topics(topology, known);
    let mut counts = repartition_counts(topology, &parts, &known.partitions);
    check_sources(&parts, &counts)?;
    counts.resolve(&parts).map_err(|error| match error {
        InternalTopicsError::Unresolvable { topics, .. } => {
            let unmatched = known.matches.iter().filter(|(_, topics)| topics.is_empty());
            InternalTopicsError::Unresolvable {
                topics,
                patterns: unmatched.map(|(pattern, _)| pattern.clone()).collect(),
            }
        }
        other => other,
    })?;
    for group in topology.copartition_groups() {
        counts.copartition(group)?;
    }
    let mut plan = InternalTopicsPlan::default();
    for part in parts {
        let read = part.sources.iter().filter_map(|topic| Some((topic.clone(), counts.of(topic)?)));
        let read: BTreeMap<String, Partition> = read.collect();
        if let Some(tasks) = read.values().max() {
            plan.tasks.insert(part.id, *tasks);
        }
        plan.partitions.extend(read);
        plan.sources.insert(part.id, part.sources);
    }
    plan.changelogs = changelogs(topology, settings, &plan.tasks);
    let replication_factor = settings.replication_factor;
    let repartition = counts.repartition.into_iter().map(|(topic, count)| NewTopic {
        topic: Topic::from(topic),
        partitions: count.unwrap_or_default(),
        replication_factor,
        configs: settings.repartition(),
    });
    plan.repartition = repartition.collect();
    Ok(plan)
}

/// The repartition topics that the topology uses, with the counts that the program fixes.
fn repartition_counts<'a>(
    topology: &Topology,
    parts: &[PartTopics],
    external: &'a BTreeMap<String, Partition>,
) -> Counts<'a> {
    let mut counts = Counts { external, repartition: BTreeMap::new(), fixed: BTreeSet::new() };
    let nodes = topology.nodes().map(|(_, node)| node);
    let named = nodes.flat_map(|node| node.source_topics().iter().map(String::as_str).chain(node.sink_topic()));
    for topic in named.filter(|name| topology.is_repartition_topic(name)) {
        let used = parts.iter().any(|part| part.sources.contains(topic) || part.sinks.contains(topic));
        let fixed = topology.fixed_partitions(topic);
        if fixed.is_some() {
            counts.fixed.insert(topic.to_owned());
        }
        if used {
            counts.repartition.insert(topic.to_owned(), fixed);
        }
    }
    counts
}

fn check_sources(parts: &[PartTopics], counts: &Counts<'_>) -> Result<(), InternalTopicsError> {
    let sources: BTreeSet<&String> = parts.iter().flat_map(|part| &part.sources).collect();
    let is_missing = |topic: &&String| !counts.repartition.contains_key(*topic) && counts.of(topic).is_none();
    let missing: Vec<Topic> = sources.into_iter().filter(is_missing).map(|topic| Topic::from(topic.as_str())).collect();
    if missing.is_empty() { Ok(()) } else { Err(InternalTopicsError::MissingSources(missing)) }
}

fn changelogs(
    topology: &Topology,
    settings: &InternalTopicSettings,
    tasks: &BTreeMap<SubtopologyId, Partition>,
) -> Vec<NewTopic> {
    let mut topics = BTreeMap::new();
    for part in topology.subtopologies() {
        let Some(partitions) = tasks.get(&part.id) else { continue };
        for (id, store) in part.stores.iter().filter_map(|id| Some((*id, topology.store(*id)?))) {
            let Logging::Enabled(own) = &store.spec.logging else { continue };
            let Some(topic) = topology.changelog_topic(id).filter(|_| store.source_changelog.is_none()) else {
                continue;
            };
            let topic = Topic::from(topic);
            let configs = settings.changelog(Cleanup::of(&store.spec), own);
            let replication_factor = settings.replication_factor;
            topics.insert(topic.clone(), NewTopic { topic, partitions: *partitions, replication_factor, configs });
        }
    }
    topics.into_values().collect()
}
