//! Topics: what there is, what should be there, what may go.

use std::collections::BTreeMap;

use headwater_record::{Deadline, Offset, Partition, Topic, TopicPartition};

use crate::ClientError;

/// A topic as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub topic: Topic,
    /// How many partitions it has.
    pub partitions: Partition,
}

/// A topic that should be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub topic: Topic,
    /// How many partitions it shall have.
    pub partitions: Partition,
    /// How many replicas each; -1 leaves it to the broker.
    pub replication_factor: i16,
    /// Its settings, by Kafka's names.
    pub configs: BTreeMap<String, String>,
}

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// Of the first record that is still there.
    Earliest,
    /// After the last record, or after the last stable one when reading committed records.
    Latest(Isolation),
    /// Of the first record whose timestamp (milliseconds) is this or later; the end when there is none.
    AtTimestamp(i64),
}

/// Which records are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Isolation {
    /// All.
    #[default]
    ReadUncommitted,
    /// Those of committed transactions, and those of none.
    ReadCommitted,
}

/// Asks about topics and changes them.
pub trait Admin: Send {
    /// What each topic is; `None` for one that is not there. The order is that of `topics`.
    ///
    /// # Errors
    /// [`ClientError::Unavailable`] or [`ClientError::TimedOut`] when nobody answers until `until`.
    fn describe_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError>;

    /// The names of all topics that this client may see, internal ones of the broker left out.
    ///
    /// # Errors
    /// As [`Admin::describe_topics`].
    fn list_topics(&mut self, until: Deadline) -> Result<Vec<Topic>, ClientError>;

    /// The settings of a topic that differ from the broker's defaults or were given.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`]; otherwise as [`Admin::describe_topics`].
    fn describe_configs(&mut self, topic: &Topic, until: Deadline) -> Result<BTreeMap<String, String>, ClientError>;

    /// Makes topics; the answers are in the order of `topics`, [`ClientError::TopicExists`] among them.
    ///
    /// # Errors
    /// As [`Admin::describe_topics`], when the request as a whole failed.
    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError>;

    /// Deletes topics; the answers are in the order of `topics`.
    ///
    /// # Errors
    /// As [`Admin::describe_topics`], when the request as a whole failed.
    fn delete_topics(&mut self, topics: &[Topic], until: Deadline)
    -> Result<Vec<Result<(), ClientError>>, ClientError>;

    /// Offsets of partitions, in the order of `partitions`.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`] when a partition is not there; otherwise as [`Admin::describe_topics`].
    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        until: Deadline,
    ) -> Result<Vec<Offset>, ClientError>;

    /// Removes the records before the given offsets.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], [`ClientError::OffsetOutOfRange`]; otherwise as [`Admin::describe_topics`].
    fn delete_records(&mut self, before: &[(TopicPartition, Offset)], until: Deadline) -> Result<(), ClientError>;
}
