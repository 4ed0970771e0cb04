//! What a thread asks of the cluster, and what that answers.

use std::collections::HashMap;

use headwater_client::{ClientError, StartAt};
use headwater_record::{Offset, Partition, Topic, TopicPartition};
use headwater_topology::node::OffsetReset;

use crate::assignment::GroupView;
use crate::internal_topics::{InternalTopicsError, KnownTopics};
use crate::task::{Committed, TaskSpec};

/// What is asked of the cluster.
#[derive(Debug)]
pub(super) enum Question {
    /// What the topics are that the topology reads.
    Topics,
    /// Who gets which task of this group.
    Plan {
        /// Which decision it is.
        number: u64,
        group: GroupView,
    },
    /// Where the inputs of these tasks begin.
    Beginnings {
        /// What the thread's tasks were then.
        epoch: u64,
        specs: Vec<TaskSpec>,
        /// What they write to, where it is not known how many partitions there are.
        outputs: Vec<Topic>,
    },
    /// How many partitions there are to write to.
    Partitions(Vec<Topic>),
    /// Where to go on in partitions whose position is not in the log any more, as their sources say.
    Resets {
        /// What the thread's tasks were then.
        epoch: u64,
        lost: Vec<(TopicPartition, Offset, Option<OffsetReset>)>,
    },
    /// To delete the records before these offsets.
    Purge(Vec<(TopicPartition, Offset)>),
}

/// What the cluster answers.
#[derive(Debug)]
pub(super) enum Answer {
    Topics(Result<KnownTopics, ClientError>),
    Plan {
        number: u64,
        plan: Result<Plan, InternalTopicsError>,
    },
    Beginnings {
        epoch: u64,
        specs: Vec<TaskSpec>,
        beginnings: Result<Beginnings, ClientError>,
        outputs: Vec<(Topic, Partition)>,
    },
    /// Of topics that are there.
    Partitions(Vec<(Topic, Partition)>),
    Resets {
        epoch: u64,
        found: Vec<(TopicPartition, Offset, Result<StartAt, ClientError>)>,
    },
    /// Or not: that it fails costs disk space, nothing else.
    Purged,
}

/// Where the input partitions of tasks begin, and what was committed there.
pub(super) type Beginnings = HashMap<TopicPartition, (StartAt, Option<Committed>)>;

/// What a leader decided.
#[derive(Debug)]
pub(super) struct Plan {
    /// For each member.
    pub(super) assignments: Vec<(String, Vec<u8>)>,
    /// By what topics.
    pub(super) decided_by: KnownTopics,
}
