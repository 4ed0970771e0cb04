//! What a member hears: answers, the thread's doings, wishes.

use std::collections::{BTreeMap, BTreeSet};

use headwater_client::{GroupError, GroupResponse};
use headwater_record::Topic;
use headwater_topology::TaskId;

/// What happened. See [`Membership::step`](super::Membership::step).
#[derive(Debug)]
pub enum Event {
    /// Take part in the group, reading these topics; also when the set of topics changed.
    Subscribe {
        /// All source topics of the topology, repartition topics among them, topics of global stores not.
        topics: BTreeSet<Topic>,
    },
    /// The coordinator answered.
    Response(GroupResponse),
    /// Nothing but time passed. To be told in each turn of the thread, and at [`Membership::wake_at`](super::Membership::wake_at)
    /// at the latest.
    Tick,
    /// The answer to [`Action::DescribeTasks`](super::Action::DescribeTasks): per stateful task that has state here, its offset sum
    /// (Java's `getTaskOffsetSums`): [`LATEST_OFFSET`](crate::assignment::LATEST_OFFSET) for a running active task, else the sum
    /// over its changelogs of the offsets up to which the state is restored. Stateless tasks are left out.
    TasksDescribed {
        /// By task.
        offset_sums: BTreeMap<TaskId, i64>,
    },
    /// The answer to [`Action::Revoke`](super::Action::Revoke): the tasks of those partitions are committed and stand still.
    Revoked,
    /// The answer to [`Action::RunAssignor`](super::Action::RunAssignor): what each member gets, by member id, as
    /// [`GroupPlan::assignments`](crate::assignment::GroupPlan) has it.
    Planned {
        /// Member ids and their bytes.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// A commit was refused because of the membership; under exactly-once, sending offsets to the transaction was.
    CommitRefused(GroupError),
    /// Another rebalance is wanted: the leader saw the partitions of a topic change, or tasks were found corrupted.
    Rejoin {
        /// Why, for the broker's log.
        reason: String,
    },
    /// The whole application is to close: tell all members (Java's `SHUTDOWN_APPLICATION`).
    ShutDownApplication,
    /// This thread ends. Its tasks are committed and closed.
    Close {
        /// Leave the group, so that the others take over at once; else they wait out the session time-out.
        leave: bool,
    },
}
