//! What a member wants done.

use std::collections::{BTreeMap, BTreeSet};

use headwater_client::{ClientError, GroupRequest, KeepAlive};
use headwater_record::{Topic, TopicPartition};
use headwater_topology::TaskId;

use crate::assignment::{CodecError, GroupView, HostPort, names};

/// What the thread is to do, in the order in which it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `GroupMembership::submit` this.
    Send(GroupRequest),
    /// `GroupMembership::keep_alive` with this.
    KeepAlive(Option<KeepAlive>),
    /// Tell the offset sums of all tasks with [`Event::TasksDescribed`](super::Event::TasksDescribed): a join is about to be sent.
    DescribeTasks,
    /// Commit the tasks of these partitions and stop them, then say [`Event::Revoked`](super::Event::Revoked). All other tasks go
    /// on. Which of the stopped tasks are closed, and which become standbys, the [`Action::Assign`] that follows says.
    Revoke {
        /// Never empty.
        partitions: BTreeSet<TopicPartition>,
    },
    /// These are the member's tasks from now on: make the new ones, close the missing ones, leave the others alone.
    Assign(Assignment),
    /// The member is one no longer: close all active tasks *without* commit; what they did since the last commit will be done by
    /// their new owners. Standby tasks stay until the next [`Action::Assign`]. The member joins again by itself.
    Lost(LostReason),
    /// This member leads: decide with [`assignment::plan`](crate::assignment::plan), then say
    /// [`Event::Planned`](super::Event::Planned). It may take until the rebalance time-out. When it cannot be decided,
    /// [`assignment::plan_error`](crate::assignment::plan_error) tells all members why.
    RunAssignor(GroupView),
    /// The member has left, or as good as. Nothing follows.
    Left,
    /// The member cannot go on: the thread closes its tasks without commit and ends with this error. Only [`Event::Close`](super::Event::Close) may follow.
    Fail(MembershipError),
}

/// The tasks of one member, as its leader decided.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Assignment {
    /// Active tasks with their input partitions.
    pub active: BTreeMap<TaskId, BTreeSet<TopicPartition>>,
    /// Standby tasks with their input partitions (the task's; a standby reads changelogs).
    pub standby: BTreeMap<TaskId, BTreeSet<TopicPartition>>,
    /// Where the active tasks of the group are, for those processes that have an `application.server`.
    pub partitions_by_host: BTreeMap<HostPort, BTreeSet<TopicPartition>>,
    /// Where its standby tasks are.
    pub standby_partitions_by_host: BTreeMap<HostPort, BTreeSet<TopicPartition>>,
}

impl Assignment {
    /// The input partitions of all active tasks.
    pub fn active_partitions(&self) -> BTreeSet<TopicPartition> {
        self.active.values().flatten().cloned().collect()
    }
}

/// Why a member lost its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// The coordinator does not know it any more.
    UnknownMember,
    /// The group has gone on without it.
    IllegalGeneration,
    /// The thread was away for longer than `max.poll.interval.ms`.
    PollIntervalExceeded,
}

impl std::fmt::Display for LostReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            LostReason::UnknownMember => "the coordinator does not know this member any more",
            LostReason::IllegalGeneration => "the group has gone on to another generation without this member",
            LostReason::PollIntervalExceeded => {
                "the thread was away for longer than max.poll.interval.ms, busy with a record perhaps; what it did since \
                 its last commit is done again: raise max.poll.interval.ms, or have records take less time"
            }
        })
    }
}

/// Why a member cannot go on.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// A request was refused in a way that asking again does not help.
    #[error("the group's coordinator refused: {0}")]
    Refused(ClientError),
    /// Assignor error 1 (Java's `MissingSourceTopicException`).
    #[error("one or more source topics were missing during the rebalance; create them before starting the application")]
    MissingSourceTopics,
    /// Assignor error 3 (Java's `TaskAssignmentException`).
    #[error("the group's leader could not assign tasks; its log says why")]
    AssignmentFailed,
    /// The leader's topology reads what this member's does not.
    #[error(
        "Assigned partitions for non-subscribed topics: the topology of the group's leader reads {}, which this instance's topology does not read: {}. All instances under one application.id run the same topology: give another application an application.id of its own; stop all instances of the old version before a new one that cannot share tasks with it is started",
        names(.assigned), reads(.subscribed)
    )]
    OtherTopology {
        /// What the leader reads.
        assigned: BTreeSet<Topic>,
        /// What the member reads.
        subscribed: BTreeSet<Topic>,
    },
    /// Assignor error 4: a member asked for the whole application to close.
    #[error("a member of the group asked for the whole application to close")]
    ShutdownRequested,
    /// The leader speaks a newer version than was offered, or bytes that mean nothing.
    #[error("the group's bytes cannot be understood: {0}")]
    Malformed(#[from] CodecError),
}

headwater_record::debug_as_text!(MembershipError);

fn reads(topics: &BTreeSet<Topic>) -> String {
    if topics.is_empty() { "it reads nothing".to_owned() } else { format!("it reads {}", names(topics)) }
}
