//! Bytes against Java's, tasks of a topology, plans of a leader, and what holds for any group.

mod codec;
mod differences;
mod placements;
mod planning;
mod properties;

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Timestamp, Topic, TopicPartition};
use headwater_topology::{SubtopologyId, TaskId};
use uuid::Uuid;

use super::*;

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn tp(text: &str) -> TopicPartition {
    let (topic, partition) = text.rsplit_once('-').unwrap();
    TopicPartition::new(topic, partition.parse().unwrap())
}

/// Sub-topology `number` reading `topics`.
fn part(number: i32, topics: &[&str], stateful: bool) -> SubtopologyView {
    let source_topics = topics.iter().map(|topic| Topic::from(*topic)).collect();
    SubtopologyView { id: SubtopologyId::new(number), source_topics, stateful }
}

/// The tasks of `parts`, each of whose topics has so many partitions; stateful tasks have 1000 records of changelog.
fn tasks(parts: &[(SubtopologyView, i32)]) -> BTreeMap<TaskId, TaskView> {
    let counts: BTreeMap<Topic, i32> =
        parts.iter().flat_map(|(part, count)| part.source_topics.iter().map(|topic| (topic.clone(), *count))).collect();
    let mut tasks = derive_tasks(parts.iter().map(|(part, _)| part), &counts).unwrap();
    for task in tasks.values_mut() {
        task.end_offset_sum.get_or_insert(1000);
    }
    tasks
}

/// A member's description of itself, through its bytes.
#[derive(Clone, Debug)]
struct Described {
    member_id: String,
    process: u128,
    owned: Vec<TopicPartition>,
    info: SubscriptionInfo,
}

impl Described {
    fn new(member_id: &str, process: u128) -> Self {
        let info = SubscriptionInfo::new(Uuid::from_u128(process));
        Described { member_id: member_id.to_owned(), process, owned: Vec::new(), info }
    }

    fn owning(mut self, partitions: &[&str]) -> Self {
        self.owned = partitions.iter().map(|partition| tp(partition)).collect();
        self
    }

    fn with_state(mut self, sums: &[(&str, i64)]) -> Self {
        self.info.offset_sums = sums.iter().map(|(task, sum)| (id(task), *sum)).collect();
        self
    }

    fn subscriber(&self) -> Subscriber {
        let subscription = ConsumerSubscription {
            topics: vec![Topic::from("a")],
            user_data: Some(self.info.encode()),
            owned: self.owned.clone(),
            generation: 1,
            rack: None,
        };
        Subscriber::decode(self.member_id.clone(), None, &subscription.encode()).unwrap()
    }
}

fn group(members: &[Described]) -> GroupView {
    GroupView {
        leader_process: Uuid::from_u128(members.first().map_or(0, |first| first.process)),
        members: members.iter().map(Described::subscriber).collect(),
    }
}

fn decide(members: &[Described], tasks: &BTreeMap<TaskId, TaskView>) -> BTreeMap<String, Got> {
    decoded(&plan(&group(members), tasks.clone(), &[], AssignmentSettings::default(), &StickyAssignor, Timestamp::ZERO))
}

/// What a member reads out of its bytes.
#[derive(Clone, Debug)]
struct Got {
    partitions: Vec<TopicPartition>,
    info: AssignmentInfo,
}

impl Got {
    fn active(&self) -> Vec<String> {
        self.info.active_tasks(&self.partitions).unwrap().keys().map(ToString::to_string).collect()
    }
}

fn decoded(plan: &GroupPlan) -> BTreeMap<String, Got> {
    let assignments = plan.assignments.iter().map(|(member, bytes)| {
        let assignment = ConsumerAssignment::decode(bytes).unwrap();
        let info = AssignmentInfo::decode(&assignment.user_data.unwrap()).unwrap();
        (member.clone(), Got { partitions: assignment.partitions, info })
    });
    assignments.collect()
}
