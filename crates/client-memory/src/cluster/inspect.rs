//! For tests, tools and examples: looking into the cluster, and writing to it without a producer.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use headwater_client::{ClientError, CommittedOffset, Isolation, NewTopic, Watermarks};
use headwater_record::{
    Headers, Offset, OwnedRecord, Partition, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition, partition_for_key,
};

use super::{Cluster, State};
use crate::group::{Group, GroupState};
use crate::partition_log::{PartitionLog, Tombstones};
use crate::payload::PayloadBuilder;
use crate::transaction::{Participant, Transaction, TransactionState};

const INVALID_CONFIG: i16 = 40;
const NON_EMPTY_GROUP: i16 = 68;

/// A topic as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    /// Its settings.
    pub configs: BTreeMap<String, String>,
    /// What each partition holds.
    pub partitions: Vec<Watermarks>,
}

/// A group as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Where it stands.
    pub state: GroupState,
    /// The last generation.
    pub generation: i32,
    /// The protocol that its members share; empty without members.
    pub protocol: String,
    /// The leader's member id.
    pub leader: Option<String>,
    /// Its members in the order in which they came.
    pub members: Vec<MemberView>,
    /// Its committed offsets.
    pub committed: BTreeMap<TopicPartition, CommittedOffset>,
}

/// A member as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its id.
    pub member_id: String,
    /// Its `group.instance.id`.
    pub instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// Its subscription bytes for the group's protocol.
    pub subscription: Vec<u8>,
    /// The assignment bytes it was given last.
    pub assignment: Vec<u8>,
}

/// A `transactional.id` as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionView {
    /// Where its transaction stands.
    pub state: TransactionState,
    /// Its producer's number.
    pub producer_id: i64,
    /// The epoch in which its producer may write.
    pub epoch: i16,
    /// Partitions that are part of the transaction.
    pub partitions: Vec<TopicPartition>,
    /// Groups that are.
    pub groups: Vec<String>,
}

impl TransactionView {
    fn of(transaction: &Transaction) -> Self {
        let (mut partitions, mut groups) = (Vec::new(), Vec::new());
        for participant in transaction.participants() {
            match participant {
                Participant::Partition(partition) => partitions.push(partition.clone()),
                Participant::Group(group) => groups.push(group.clone()),
            }
        }
        let identity = transaction.identity();
        let (producer_id, epoch) = (identity.producer.0, identity.epoch);
        TransactionView { state: transaction.state(), producer_id, epoch, partitions, groups }
    }
}

impl GroupView {
    fn of(group: &Group) -> Self {
        let members = group.members().iter().map(|member| MemberView {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            subscription: member.metadata(group.protocol()).unwrap_or_default().to_vec(),
            assignment: member.assignment.clone(),
        });
        GroupView {
            state: group.state(),
            generation: group.generation(),
            protocol: group.protocol().to_owned(),
            leader: group.leader().map(str::to_owned),
            members: members.collect(),
            committed: group.committed().clone(),
        }
    }

    /// What is told of a group that is not there, as Kafka does.
    fn dead() -> Self {
        GroupView {
            state: GroupState::Dead,
            generation: 0,
            protocol: String::new(),
            leader: None,
            members: Vec::new(),
            committed: BTreeMap::new(),
        }
    }
}

impl Cluster {
    /// Makes a topic with `partitions` partitions and no settings of its own.
    ///
    /// # Errors
    /// [`ClientError::TopicExists`], or [`ClientError::Broker`] for what cannot be.
    pub fn create_topic(&self, topic: impl Into<Topic>, partitions: Partition) -> Result<(), ClientError> {
        let configs = BTreeMap::new();
        self.create_topic_with(&NewTopic { topic: topic.into(), partitions, replication_factor: 1, configs })
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// As [`Cluster::create_topic`].
    pub fn create_topic_with(&self, topic: &NewTopic) -> Result<(), ClientError> {
        let created = self.shared.lock().create_topic(topic);
        self.shared.notify();
        created
    }

    /// Adds empty partitions to a topic, so that it has `count`: what `kafka-topics.sh --alter --partitions` does.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], or [`ClientError::Broker`] when it has as many already.
    pub fn add_partitions(&self, topic: &Topic, count: Partition) -> Result<(), ClientError> {
        let added = self.shared.lock().topic_for_client(topic).and_then(|state| state.widen(count));
        self.shared.notify();
        added
    }

    /// The names of all topics, sorted.
    pub fn topics(&self) -> Vec<Topic> {
        self.shared.lock().topics.keys().cloned().collect()
    }

    /// A topic, if there is one of this name.
    pub fn topic(&self, topic: &Topic) -> Option<TopicView> {
        let state = self.now();
        let topic = state.topics.get(topic)?;
        let partitions = topic.partitions.iter().map(crate::partition_log::PartitionLog::watermarks).collect();
        Some(TopicView { configs: topic.configs.clone(), partitions })
    }

    /// Copies of all records of a topic, by partition and offset, those of open and aborted transactions among them. There are none
    /// when there is no such topic.
    pub fn records(&self, topic: &Topic) -> Vec<(Partition, OwnedRecord)> {
        self.records_seen(topic, Isolation::ReadUncommitted)
    }

    /// As [`Cluster::records`], but only what a reader of committed records sees.
    pub fn committed_records(&self, topic: &Topic) -> Vec<(Partition, OwnedRecord)> {
        self.records_seen(topic, Isolation::ReadCommitted)
    }

    fn records_seen(&self, topic: &Topic, isolation: Isolation) -> Vec<(Partition, OwnedRecord)> {
        let state = self.now();
        let partitions = state.topics.get(topic).map(|topic| topic.partitions.as_slice()).unwrap_or_default();
        let records = |(log, partition): (&PartitionLog, Partition)| {
            log.records(isolation).into_iter().map(move |record| (partition, record))
        };
        partitions.iter().zip(0..).flat_map(records).collect()
    }

    /// Whether a reader of committed records finds any in `partition` at `from` or later.
    pub fn has_committed_records(&self, partition: &TopicPartition, from: Offset) -> bool {
        self.now().log(partition).is_ok_and(|log| log.has_records(from, Isolation::ReadCommitted))
    }

    /// The offset after the last record of `partition`, those of open transactions among them.
    pub fn end_offset(&self, partition: &TopicPartition) -> Option<Offset> {
        self.now().log(partition).ok().map(PartitionLog::high_watermark)
    }

    /// What a `transactional.id` is about, if it was ever used.
    pub fn transaction(&self, transactional_id: &str) -> Option<TransactionView> {
        self.now().coordinator.transactions.get(transactional_id).map(TransactionView::of)
    }

    /// The state, with everything that was due.
    fn now(&self) -> MutexGuard<'_, State> {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.advance(now);
        state
    }

    /// A group, and of a group that is not there that it is [`GroupState::Dead`].
    pub fn group(&self, group: &str) -> GroupView {
        self.now().groups.get(group).map_or_else(GroupView::dead, GroupView::of)
    }

    /// The ids of all groups, sorted.
    pub fn groups(&self) -> Vec<String> {
        self.shared.lock().groups.keys().cloned().collect()
    }

    /// Deletes a group with its committed offsets.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with `NON_EMPTY_GROUP` (68) while it has members.
    pub fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        let mut state = self.now();
        if state.groups.get(group).is_some_and(|group| !group.members().is_empty()) {
            return Err(crate::topic::refused(NON_EMPTY_GROUP, format!("group {group} has members")));
        }
        state.groups.remove(group);
        Ok(())
    }

    /// Writes one record: to the partition of its key, or, without a key, to the partitions in turn.
    ///
    /// # Errors
    /// As the broker refuses it: [`ClientError::UnknownTopic`], [`ClientError::RecordTooLarge`].
    pub fn produce(
        &self,
        topic: &Topic,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(Partition, Offset), ClientError> {
        let partition = {
            let mut state = self.shared.lock();
            let topic = state.topic_for_client(topic)?;
            let count = topic.partition_count();
            key.map_or_else(
                || {
                    topic.turn = (topic.turn + 1) % count;
                    topic.turn
                },
                |key| partition_for_key(key, count),
            )
        };
        let to = TopicPartition { topic: topic.clone(), partition };
        let offset = self.produce_to(&to, key, value, timestamp, headers)?;
        Ok((partition, offset))
    }

    /// Writes one record to a partition. A timestamp below zero becomes the cluster's time.
    ///
    /// # Errors
    /// As [`Cluster::produce`].
    pub fn produce_to(
        &self,
        to: &TopicPartition,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<Offset, ClientError> {
        let now = self.shared.clock.now();
        let timestamp = if timestamp.is_known() { timestamp } else { now };
        let headers = headers.to_vec();
        let record = RawRecord { offset: Offset::UNKNOWN, timestamp, key, value, headers: RawHeaders::of(&headers) };
        let mut builder = PayloadBuilder::with_capacity(record.payload_len(), 1);
        builder.push(&record, timestamp);
        let payload = builder.finish();
        let appended =
            self.shared.lock().topic_for_client(&to.topic)?.append(&to.topic, to.partition, &payload, now, None);
        self.shared.notify();
        appended
    }

    /// Compacts a topic now: of each key only the last record stays.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`]; `INVALID_CONFIG` (40) when the topic's `cleanup.policy` is not to compact.
    pub fn compact(&self, topic: &Topic, tombstones: Tombstones) -> Result<(), ClientError> {
        let mut state = self.shared.lock();
        let found = state.topics.get_mut(topic).ok_or_else(|| ClientError::UnknownTopic { topic: topic.clone() })?;
        if !found.is_compacted() {
            let message = format!("topic {topic} is not compacted: its cleanup.policy does not say so");
            return Err(crate::topic::refused(INVALID_CONFIG, message));
        }
        for log in &mut found.partitions {
            log.compact(tombstones);
        }
        Ok(())
    }
}
