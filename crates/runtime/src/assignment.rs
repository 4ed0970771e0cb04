//! Who gets which tasks: what members tell their leader, how it decides, and what it tells them. Pure.
//!
//! The leader's way: members' bytes are decoded into a [`GroupView`] (the membership does that), [`derive_tasks`] makes the tasks
//! from the topology and the numbers of partitions, [`plan()`] asks a [`TaskAssignor`] which process gets which task, deals each
//! process's tasks to its consumers, holds back what somebody else still owns, and encodes. The formats are Java's, versions 1 to
//! 11, so that members in Java and members here share a group.

mod assignment_info;
mod bytes;
mod consumer_protocol;
mod difference;
mod error;
mod high_availability;
mod hosts;
mod placement;
mod plan;
mod sticky;
mod subscription_info;
mod tasks;
mod threads;
mod view;

pub use assignment_info::{AssignmentInfo, NO_REBALANCE, REBALANCE_AT_ONCE};
pub use consumer_protocol::{ConsumerAssignment, ConsumerSubscription};
pub use difference::{Difference, LeaderTopics};
pub use error::{AssignorError, CodecError};
pub use high_availability::HighAvailabilityTaskAssignor;
pub use hosts::HostPort;
pub use placement::{Placement, TaskAssignor};
pub use plan::{GroupPlan, plan, plan_error};
pub use sticky::StickyAssignor;
pub use subscription_info::{LATEST_OFFSET, SubscriptionInfo, UNKNOWN_OFFSET};
pub use tasks::{SubtopologyView, TaskView, derive_tasks};
pub use view::{AssignmentSettings, ClientView, ClusterView, ConsumerView, GroupView, Subscriber};

/// Topics by name, for a message.
pub(crate) fn names<'a>(topics: impl IntoIterator<Item = &'a headwater_record::Topic>) -> String {
    topics.into_iter().map(headwater_record::Topic::as_str).collect::<Vec<_>>().join(", ")
}

/// The newest version of [`SubscriptionInfo`] and [`AssignmentInfo`] that is spoken, Java's `LATEST_SUPPORTED_VERSION`.
pub const LATEST_VERSION: i32 = 11;

#[cfg(test)]
mod tests;
