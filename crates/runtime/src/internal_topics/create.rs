//! Bringing about what was planned, and checking what is there.

use std::collections::BTreeSet;

use headwater_client::{Admin, ClientError, NewTopic, TopicDescription};
use headwater_record::{Deadline, Topic};
use headwater_topology::Topology;
use headwater_topology::node::{NodeKind, SourceTopics};

use super::{InternalTopicsError, InternalTopicsPlan, KnownTopics};

/// Asks how many partitions the topics have that `topology` reads and does not make itself; `matches` says whether the pattern
/// of a source (the first text) matches a topic (the second). Topics that do not exist are left out.
///
/// # Errors
/// [`ClientError`] when the cluster does not answer.
pub fn survey(
    admin: &mut dyn Admin,
    topology: &Topology,
    matches: &dyn Fn(&str, &str) -> bool,
    until: Deadline,
) -> Result<KnownTopics, ClientError> {
    let mut known = KnownTopics::default();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut listed: Option<Vec<Topic>> = None;
    for (_, node) in topology.nodes() {
        wanted.extend(node.source_topics().iter().filter(|topic| !topology.is_repartition_topic(topic)).cloned());
        if let NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } = &node.kind {
            let all = match &mut listed {
                Some(all) => all,
                none => none.insert(admin.list_topics(until)?),
            };
            let found = all.iter().map(Topic::as_str).filter(|topic| matches(pattern, topic));
            let found: BTreeSet<String> = found.map(str::to_owned).collect();
            wanted.extend(found.iter().cloned());
            known.matches.insert(pattern.clone(), found.into_iter().collect());
        }
    }
    let wanted: Vec<Topic> = wanted.into_iter().map(Topic::from).collect();
    let described = admin.describe_topics(&wanted, until)?;
    known.partitions =
        described.into_iter().flatten().map(|found| (found.topic.as_str().to_owned(), found.partitions)).collect();
    Ok(known)
}

/// Makes the internal topics of `plan` that are not there, and checks those that are. Another member may be doing the same: that
/// a topic appears meanwhile is fine. The topics that were made are given.
///
/// Nothing is asked twice: an error that [is retriable](InternalTopicsError::is_retriable) is for the caller to try again later.
///
/// # Errors
/// [`InternalTopicsError::PartitionsChanged`], [`InternalTopicsError::Create`], [`InternalTopicsError::NotVisibleYet`], or what
/// the cluster answers.
pub fn create(
    admin: &mut dyn Admin,
    plan: &InternalTopicsPlan,
    until: Deadline,
) -> Result<Vec<Topic>, InternalTopicsError> {
    let planned: Vec<&NewTopic> = plan.topics().collect();
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<Topic> = planned.iter().map(|topic| topic.topic.clone()).collect();
    let found = admin.describe_topics(&names, until)?;
    verify(&planned, &found)?;
    let missing: Vec<NewTopic> = (planned.iter().zip(&found))
        .filter(|(_, found)| found.is_none())
        .map(|(topic, _)| NewTopic::clone(topic))
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    for (topic, answer) in missing.iter().zip(admin.create_topics(&missing, until)?) {
        match answer {
            Ok(()) => {
                tracing::info!(topic = %topic.topic, partitions = topic.partitions, "created an internal topic");
                made.push(topic.topic.clone());
            }
            Err(ClientError::TopicExists { .. }) => {}
            Err(error) => return Err(InternalTopicsError::Create { topic: topic.topic.clone(), error }),
        }
    }
    let found = admin.describe_topics(&names, until)?;
    verify(&planned, &found)?;
    match planned.iter().zip(&found).find(|(_, found)| found.is_none()) {
        Some((topic, _)) => Err(InternalTopicsError::NotVisibleYet(topic.topic.clone())),
        None => Ok(made),
    }
}

/// Checks the topics that were found, in the order of `planned`, `None` for those that are not there.
///
/// # Errors
/// [`InternalTopicsError::PartitionsChanged`] for the first with another number of partitions.
pub fn verify(planned: &[&NewTopic], found: &[Option<TopicDescription>]) -> Result<(), InternalTopicsError> {
    for (topic, found) in planned.iter().zip(found) {
        if let Some(found) = found
            && found.partitions != topic.partitions
        {
            return Err(InternalTopicsError::PartitionsChanged {
                topic: topic.topic.clone(),
                expected: topic.partitions,
                found: found.partitions,
            });
        }
    }
    Ok(())
}
