//! Which tasks there are.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Partition, Topic, TopicPartition};
use headwater_store::Logging;
use headwater_topology::{Subtopology, SubtopologyId, TaskId, Topology};

use super::AssignorError;

/// A sub-topology that has tasks, with the real names of its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtopologyView {
    /// Its number.
    pub id: SubtopologyId,
    /// The topics it reads, repartition topics with their prefix.
    pub source_topics: BTreeSet<Topic>,
    /// Whether it has a store with a changelog (its own, or a source topic that serves as one).
    pub stateful: bool,
}

impl SubtopologyView {
    /// The parts of `topology` that have tasks, with the topics that each reads by full name, as
    /// [`InternalTopicsPlan::sources`](crate::internal_topics::InternalTopicsPlan) has them.
    pub fn all(topology: &Topology, sources: &BTreeMap<SubtopologyId, BTreeSet<String>>) -> Vec<Self> {
        let parts = topology.subtopologies().iter().filter(|part| !part.global);
        let view = |part: &Subtopology| {
            Some(SubtopologyView {
                id: part.id,
                source_topics: sources.get(&part.id)?.iter().map(|topic| Topic::from(topic.as_str())).collect(),
                stateful: part.stores.iter().filter_map(|id| topology.store(*id)).any(|store| {
                    let logged = matches!(store.spec.logging, Logging::Enabled(_)) || store.source_changelog.is_some();
                    !store.global && logged
                }),
            })
        };
        parts.filter_map(view).collect()
    }
}

/// One task, as far as assigning is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TaskView {
    /// Its input partitions. Never empty.
    pub partitions: BTreeSet<TopicPartition>,
    /// Whether it has state with a changelog.
    pub stateful: bool,
    /// The sum of the end offsets of its changelogs, `None` when unknown. A changelog that was just made counts 0, and so does
    /// everything of a stateless task.
    pub end_offset_sum: Option<i64>,
}

/// The tasks of a topology: per sub-topology, one for each partition of its widest source topic; a task reads the partition of its
/// number of each source topic that has it. The end offsets of stateful tasks are yet to be filled in.
///
/// # Errors
/// [`AssignorError::IncompleteSourceTopicMetadata`] when the number of partitions of a source topic is not in `partitions`.
pub fn derive_tasks<'a, N: Borrow<str> + Ord>(
    subtopologies: impl IntoIterator<Item = &'a SubtopologyView>,
    partitions: &BTreeMap<N, Partition>,
) -> Result<BTreeMap<TaskId, TaskView>, AssignorError> {
    let mut tasks: BTreeMap<TaskId, TaskView> = BTreeMap::new();
    for part in subtopologies {
        for topic in &part.source_topics {
            let count = *partitions.get(topic.as_str()).ok_or(AssignorError::IncompleteSourceTopicMetadata)?;
            for partition in 0..count {
                let task = tasks.entry(TaskId::new(part.id.number(), partition)).or_insert_with(|| TaskView {
                    partitions: BTreeSet::new(),
                    stateful: part.stateful,
                    end_offset_sum: (!part.stateful).then_some(0),
                });
                task.partitions.insert(TopicPartition::new(topic.clone(), partition));
            }
        }
    }
    Ok(tasks)
}
