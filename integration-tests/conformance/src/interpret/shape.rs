//! A topology's parts and internal topics, as the format records them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use headwater::processor::node::{Cleanup, NodeKind, SourceTopics};
use headwater::processor::{Subtopology, Topology};
use headwater::runtime::internal_topics::{InternalTopicSettings, InternalTopicsPlan, KnownTopics, plan};

use super::APPLICATION;
use crate::outcome::{self, Outcome, TopicSettings};

/// By how much the compaction lag of a versioned store's changelog is longer than its history.
const MORE_LAG_MS: u32 = 24 * 60 * 60 * 1000;

/// Reads sub-topologies and copartition groups.
pub(super) fn read(topology: &Topology, into: &mut Outcome) -> Result<()> {
    let topology = &topology.for_application(APPLICATION);
    let plan = planned(topology)?;
    for part in topology.subtopologies() {
        if part.global || topology.source_topics(part).is_empty() {
            continue;
        }
        into.subtopologies.push(subtopology(topology, &plan, part)?);
    }
    let groups = topology.copartition_groups().iter();
    let mut groups: Vec<Vec<String>> = groups.map(|group| group.iter().cloned().collect()).collect();
    for group in &mut groups {
        group.sort();
    }
    groups.sort_by_key(|group| group.join(" "));
    groups.dedup();
    into.copartition = groups;
    Ok(())
}

/// What the runtime would make of the internal topics. How many partitions the topics have is not looked at: all that the
/// program reads have as many as it fixes for the topics beside them.
fn planned(topology: &Topology) -> Result<InternalTopicsPlan> {
    let sources = topology.nodes().flat_map(|(_, node)| node.source_topics().iter().cloned());
    let external = sources.filter(|topic| !topology.is_repartition_topic(topic));
    let fixed = |topic: &String| {
        let group = topology.copartition_groups().iter().find(|group| group.contains(topic));
        group.and_then(|group| group.iter().find_map(|other| topology.fixed_partitions(other))).unwrap_or(1)
    };
    let known = external.map(|topic| {
        let partitions = fixed(&topic);
        (topic, partitions)
    });
    let mut known = KnownTopics::of(known);
    for (_, node) in topology.nodes() {
        if let NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } = &node.kind {
            // It matches one topic, whatever that is called.
            known.partitions.insert(pattern.clone(), 1);
            known.matches.insert(pattern.clone(), vec![pattern.clone()]);
        }
    }
    plan(topology, &InternalTopicSettings::default(), &known).context("internal topics")
}

fn subtopology(topology: &Topology, plan: &InternalTopicsPlan, part: &Subtopology) -> Result<outcome::Subtopology> {
    let sources: Vec<String> = topology.source_topics(part).into_iter().collect();
    let sinks: Vec<String> = topology.sink_topics(part).into_iter().collect();
    let settings: BTreeMap<&str, &BTreeMap<String, String>> =
        plan.topics().map(|topic| (topic.topic.as_str(), &topic.configs)).collect();
    let of = |topic: &String| -> Result<TopicSettings> {
        settings
            .get(topic.as_str())
            .map(|found| TopicSettings::clone(found))
            .with_context(|| format!("{topic} is not planned"))
    };
    let (mut repartition, mut changelog) = (BTreeMap::new(), BTreeMap::new());
    for topic in sources.iter().filter(|topic| topology.is_repartition_topic(topic)) {
        let mut configs = of(topic)?;
        if let Some(count) = topology.fixed_partitions(topic) {
            configs.insert("partitions".to_owned(), count.to_string());
        }
        repartition.insert(topic.clone(), configs);
    }
    for id in &part.stores {
        let (Some(store), Some(topic)) = (topology.store(*id), topology.changelog_topic(*id)) else { continue };
        // A topic of the user's that serves as changelog is listed with the settings that its own would have.
        let configs = match &store.source_changelog {
            Some(_) => serving(Cleanup::of(&store.spec)),
            None => of(&topic)?,
        };
        changelog.insert(topic, configs);
    }
    Ok(outcome::Subtopology { id: i64::from(part.id.number()), sources, sinks, repartition, changelog })
}

/// Java's settings of a changelog that is a source topic.
fn serving(cleanup: Cleanup) -> TopicSettings {
    let mut settings = TopicSettings::from([
        ("cleanup.policy".to_owned(), "compact".to_owned()),
        ("message.timestamp.type".to_owned(), "CreateTime".to_owned()),
    ]);
    if let Cleanup::CompactAfter { history } = cleanup {
        let lag = history.as_millis() + u128::from(MORE_LAG_MS);
        settings.insert("min.compaction.lag.ms".to_owned(), lag.to_string());
    }
    settings
}
