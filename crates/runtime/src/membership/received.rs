//! What a member writes to its leader, and how it reads what it gets.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;

use super::{Assignment, MemberSettings, Membership, MembershipError};
use crate::assignment::{
    AssignmentInfo, AssignorError, CodecError, ConsumerAssignment, ConsumerSubscription, LATEST_VERSION, NO_REBALANCE,
    REBALANCE_AT_ONCE, SubscriptionInfo,
};

/// The first version with which a leader can tell what versions the group speaks.
const EARLIEST_PROBEABLE_VERSION: i32 = 3;

/// Whether the member is to join again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowUp {
    None,
    At(Timestamp),
    /// Once the other members have had the time to hear of this round.
    Soon,
    Now(&'static str),
}

/// The metadata of the next join.
pub(super) fn subscription(member: &Membership, offset_sums: BTreeMap<TaskId, i64>) -> ConsumerSubscription {
    let settings = &member.settings;
    let info = SubscriptionInfo {
        version: member.version,
        end_point: settings.end_point.as_ref().map(ToString::to_string).unwrap_or_default(),
        offset_sums,
        unique: member.unique.wrapping_add(1),
        error_code: if member.shutdown { AssignorError::ShutdownRequested.code() } else { 0 },
        client_tags: settings.client_tags.clone(),
        ..SubscriptionInfo::new(settings.process_id)
    };
    let subscribed = |partition: &&TopicPartition| member.topics.contains(&partition.topic);
    ConsumerSubscription {
        topics: member.topics.iter().cloned().collect(),
        user_data: Some(info.encode()),
        owned: member.owned.iter().filter(subscribed).cloned().collect(),
        generation: member.identity.generation,
        rack: settings.rack.clone(),
    }
}

/// The error that a leader told.
pub(super) fn error(error: AssignorError, info: &AssignmentInfo, subscribed: &BTreeSet<Topic>) -> MembershipError {
    match error {
        AssignorError::AssignmentError if !info.standby.is_empty() => {
            let partitions = info.standby.values().flatten();
            let assigned = partitions.map(|partition| partition.topic.clone()).collect();
            MembershipError::OtherTopology { assigned, subscribed: subscribed.clone() }
        }
        AssignorError::IncompleteSourceTopicMetadata => MembershipError::MissingSourceTopics,
        AssignorError::ShutdownRequested => MembershipError::ShutdownRequested,
        AssignorError::AssignmentError | AssignorError::VersionProbing => MembershipError::AssignmentFailed,
    }
}

/// Java's `onAssignment`: the tasks, and whether to come back.
pub(super) fn interpret(
    settings: &MemberSettings,
    version: &mut i32,
    assignment: &ConsumerAssignment,
    info: AssignmentInfo,
) -> Result<(Assignment, FollowUp), CodecError> {
    let active = info.active_tasks(&assignment.partitions)?;
    let follow_up = if negotiate(version, &info)? {
        FollowUp::Now("the version of the group's metadata changed")
    } else if !info.partitions_by_host.is_empty()
        && settings.end_point.as_ref().is_some_and(|own| !info.partitions_by_host.contains_key(own))
    {
        FollowUp::Now("this member's application.server is not among the group's hosts")
    } else if info.next_rebalance_ms == REBALANCE_AT_ONCE {
        FollowUp::Soon
    } else if info.next_rebalance_ms < NO_REBALANCE {
        FollowUp::At(Timestamp::from_millis(info.next_rebalance_ms))
    } else {
        FollowUp::None
    };
    let mut standby = info.standby;
    standby.retain(|task, _| {
        let twice = active.contains_key(task);
        if twice {
            tracing::warn!(%task, "the group's leader assigned a task as active and as standby; it is taken as active");
        }
        !twice
    });
    let tasks = Assignment {
        active,
        standby,
        partitions_by_host: info.partitions_by_host,
        standby_partitions_by_host: info.standby_partitions_by_host,
    };
    Ok((tasks, follow_up))
}

/// Java's `maybeUpdateSubscriptionVersion`: whether the next subscription is of another version.
fn negotiate(version: &mut i32, info: &AssignmentInfo) -> Result<bool, CodecError> {
    let newer = |version| CodecError::Version { what: "AssignmentInfo", version, newest: LATEST_VERSION };
    if info.version > *version {
        return Err(newer(info.version));
    }
    if info.common_version > LATEST_VERSION {
        return Err(newer(info.common_version));
    }
    let probeable = info.version >= EARLIEST_PROBEABLE_VERSION;
    let changed = probeable && (info.common_version > *version || info.version < *version);
    if changed {
        *version = info.common_version;
    }
    Ok(changed)
}
