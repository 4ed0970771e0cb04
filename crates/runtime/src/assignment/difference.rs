//! Whether the members of a group run the leader's topology, as far as their subscriptions show it.
//!
//! Java's leader does not look: a member that gets a partition of a topic it does not read joins again and again. Here a member is
//! never given one. In a rolling upgrade that adds topics, old and new members share what both know; a member that lacks topics of
//! the leader's and has others instead runs another application, or a version that cannot share a group with this one.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::Topic;
use headwater_topology::TaskId;

use super::{GroupView, Subscriber, TaskView};

/// What the leader's topology reads.
#[derive(Clone, Copy)]
pub struct LeaderTopics<'a> {
    /// The topics that its sources name.
    pub named: &'a BTreeSet<Topic>,
    /// Whether a source's pattern matches a topic. Members may have seen such a topic earlier or later than the leader.
    pub matches: &'a dyn Fn(&Topic) -> bool,
}

/// How one member's subscription differs from what the leader's topology reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whose.
    pub member_id: String,
    /// Topics that the leader names and the member does not read.
    pub missing: BTreeSet<Topic>,
    /// Topics that the member reads and the leader does not.
    pub foreign: BTreeSet<Topic>,
}

impl Difference {
    /// Of all members whose subscriptions differ; of those that speak a newer version, nothing is said.
    pub fn all(group: &GroupView, leader: LeaderTopics<'_>) -> Vec<Self> {
        let of_member = |member: &Subscriber| {
            let read: BTreeSet<&Topic> = member.subscription.topics.iter().collect();
            let missing = leader.named.iter().filter(|topic| !read.contains(topic)).cloned().collect();
            let is_foreign = |topic: &&Topic| !leader.named.contains(*topic) && !(leader.matches)(topic);
            let foreign = read.into_iter().filter(is_foreign).cloned().collect();
            Difference { member_id: member.member_id.clone(), missing, foreign }
        };
        let members = group.members.iter().filter(|member| !member.is_from_the_future());
        members.map(of_member).filter(|it| !it.missing.is_empty() || !it.foreign.is_empty()).collect()
    }

    /// Whether the two cannot share a group: neither is the other with topics added.
    pub fn is_another_application(&self) -> bool {
        !self.missing.is_empty() && !self.foreign.is_empty()
    }

    /// One partition of each topic that the member lacks, with a task that reads it: what it is told beside the error.
    pub(super) fn example(
        &self,
        tasks: &BTreeMap<TaskId, TaskView>,
    ) -> BTreeMap<TaskId, BTreeSet<headwater_record::TopicPartition>> {
        let mut example = BTreeMap::new();
        for topic in &self.missing {
            let read = tasks.iter().find_map(|(id, task)| {
                Some((*id, task.partitions.iter().find(|partition| partition.topic == *topic)?.clone()))
            });
            if let Some((task, partition)) = read {
                example.entry(task).or_insert_with(BTreeSet::new).insert(partition);
            }
        }
        example
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = [("does not read", &self.missing), ("reads", &self.foreign)];
        let said = said.into_iter().filter(|(_, topics)| !topics.is_empty());
        let said: Vec<String> = said.map(|(verb, topics)| format!("{verb} {}", super::names(topics))).collect();
        write!(f, "member {} {}", self.member_id, said.join(", and "))
    }
}

impl std::fmt::Debug for LeaderTopics<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaderTopics").field("named", self.named).finish_non_exhaustive()
    }
}
