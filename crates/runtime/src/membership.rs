//! One member's place in its group: events in, actions out. Pure: no clock, no connection.
//!
//! The thread owns a [`Membership`] beside its `headwater_client::GroupMembership`, hands every answer to [`Membership::step`] as an
//! [`Event`] and does the [`Action`]s that come back, in order. Each turn of the thread:
//!
//! ```text
//! while let Some(response) = connection.response(Deadline::NOW) { act(membership.step(now, Event::Response(response))) }
//! act(membership.step(now, Event::Tick))
//! // when idle, wait no longer than membership.wake_at()
//! ```
//!
//! and in `act`, `Send` and `KeepAlive` go to the connection, `DescribeTasks`, `Revoke` and `RunAssignor` are done and answered with
//! another `step` (events caused by an action are told after the actions before and behind it were done), `Assign` and `Lost` change
//! the thread's tasks.
//!
//! The protocol is the classic one, cooperatively (KIP-429), as `ConsumerCoordinator` and `StreamsPartitionAssignor` do it together:
//!
//! ```text
//! Idle ─Subscribe─► Describing ─TasksDescribed─► Joining ─Join answer─► Planning (leader) ─Planned─► Syncing
//!                       ▲                                   └──────────── (others) ───────────────────► │
//!                       │                                                                          Sync answer
//!                       └── rebalance told, follow-up due, something was revoked ── Stable ◄─Revoked── Revoking
//! ```
//!
//! - Tasks that stay are never touched: processing goes on through a whole rebalance. Commits do not: see
//!   [`Membership::may_commit`].
//! - A partition that goes elsewhere is given up in one round ([`Action::Revoke`]), after which the member joins again; its next
//!   owner gets it in the round after, from the leader.
//! - A member that the coordinator has dropped ([`Action::Lost`]) joins anew by itself. A replaced static member
//!   (`FENCED_INSTANCE_ID`) and a group that speaks another protocol are errors ([`Action::Fail`]).
//! - As in Java, silence of the coordinator alone costs no task: the member asks again until it is answered, because only the
//!   coordinator knows whether the place is lost. [`Membership::is_out_of_contact`] tells when the session time-out has passed so.

mod action;
mod classic_group;
mod event;
mod received;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use headwater_client::GroupIdentity;
use headwater_record::{Deadline, Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;

pub use action::{Action, Assignment, LostReason, MembershipError};
pub use event::Event;
pub use settings::MemberSettings;

use crate::assignment::{ConsumerAssignment, LATEST_VERSION};

/// The protocol's name: that of Java's `StreamsPartitionAssignor`.
pub const PROTOCOL: &str = "stream";
/// The protocol's type.
pub const PROTOCOL_TYPE: &str = "consumer";

/// Where a member stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Has not subscribed.
    Idle,
    /// Wants to join and waits for its tasks' offset sums.
    Describing,
    /// Has sent a join.
    Joining { until: Timestamp },
    /// Leads, and the assignor runs.
    Planning,
    /// Has sent a sync.
    Syncing { until: Timestamp },
    /// Has its assignment and gives up what is not in it any more.
    Revoking { assignment: ConsumerAssignment },
    /// Has its tasks.
    Stable,
    /// Joins again at this time, after a failure.
    Pausing { until: Timestamp },
    /// Has been told to go.
    Leaving { until: Timestamp, joining: bool },
    /// Has gone, or failed.
    Ended,
}

/// One member of a group, as a state machine.
#[derive(Debug)]
pub struct Membership {
    settings: MemberSettings,
    phase: Phase,
    identity: GroupIdentity,
    topics: BTreeSet<Topic>,
    /// Partitions of active tasks, as last assigned.
    owned: BTreeSet<TopicPartition>,
    /// The version its subscriptions are written in.
    version: i32,
    unique: i8,
    shutdown: bool,
    leads: bool,
    /// Join again once this round is through, and why.
    rejoin: Option<String>,
    /// When to join again though nothing happened.
    follow_up: Option<Timestamp>,
    last_turn: Timestamp,
    kept_alive_until: Option<Timestamp>,
    silence: Option<Silence>,
    /// Answers to joins that were given up, which are not to be taken for those of later ones.
    stale_joins: u32,
    stale_syncs: u32,
}

/// The coordinator does not answer heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Silence {
    since: Timestamp,
    next_probe: Timestamp,
}

impl Membership {
    /// A member that is in no group yet.
    pub fn new(settings: MemberSettings, now: Timestamp) -> Self {
        let identity = GroupIdentity {
            group: settings.group.clone(),
            member_id: String::new(),
            generation: -1,
            instance_id: settings.instance_id.clone(),
        };
        Membership {
            settings,
            phase: Phase::Idle,
            identity,
            topics: BTreeSet::new(),
            owned: BTreeSet::new(),
            version: LATEST_VERSION,
            unique: 0,
            shutdown: false,
            leads: false,
            rejoin: None,
            follow_up: None,
            last_turn: now,
            kept_alive_until: None,
            silence: None,
            stale_joins: 0,
            stale_syncs: 0,
        }
    }

    /// Who this member is to the coordinator now: with this, offsets are committed, and sent to transactions.
    pub fn identity(&self) -> &GroupIdentity {
        &self.identity
    }

    /// Whether a commit would be taken: not while a rebalance is under way (Java's `isRebalanceInProgress`), except for what
    /// [`Action::Revoke`] asks.
    pub fn may_commit(&self) -> bool {
        matches!(self.phase, Phase::Stable | Phase::Revoking { .. })
    }

    /// Whether the member has its place and its tasks, and no rebalance is under way.
    pub fn is_stable(&self) -> bool {
        self.phase == Phase::Stable
    }

    /// Whether this member leads its generation. The leader watches the numbers of partitions of the source topics and says
    /// [`Event::Rejoin`] when they change.
    pub fn is_leader(&self) -> bool {
        self.leads
    }

    /// Whether the member has left or failed.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether the coordinator has not answered for the session time-out: by now it may have given the place away.
    pub fn is_out_of_contact(&self, now: Timestamp) -> bool {
        self.silence.is_some_and(|silence| now.since(silence.since) >= self.settings.session_timeout)
    }

    /// The input partitions of the active tasks that were last assigned.
    pub fn owned(&self) -> &BTreeSet<TopicPartition> {
        &self.owned
    }

    /// When [`Event::Tick`] is due even if nothing happens.
    pub fn wake_at(&self) -> Deadline {
        let timer = match self.phase {
            Phase::Joining { until }
            | Phase::Syncing { until }
            | Phase::Pausing { until }
            | Phase::Leaving { until, .. } => Some(until),
            Phase::Stable => self.follow_up,
            Phase::Idle | Phase::Describing | Phase::Planning | Phase::Revoking { .. } | Phase::Ended => None,
        };
        let renewal = self.kept_alive_until.map(|until| renewal_of(until, &self.settings));
        let probe = self.silence.map(|silence| silence.next_probe);
        [timer, renewal, probe].into_iter().flatten().min().map_or(Deadline::NEVER, Deadline::at)
    }

    /// Takes in what happened at the time `now` and says what is to be done about it, in order.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.take(now, event, &mut out);
        out
    }

    /// The offset sums as the leader is to see them.
    fn described(&self, offset_sums: BTreeMap<TaskId, i64>) -> Vec<u8> {
        received::subscription(self, offset_sums).encode()
    }
}

/// Heartbeats that end at `until` are prolonged at this time: when half of `max.poll.interval.ms` has gone by.
fn renewal_of(until: Timestamp, settings: &MemberSettings) -> Timestamp {
    let half = i64::try_from(settings.max_poll_interval.as_millis() / 2).unwrap_or(i64::MAX);
    Timestamp::from_millis(until.millis().saturating_sub(half))
}

#[cfg(test)]
mod tests;
