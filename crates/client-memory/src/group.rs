//! The classic group coordinator, as Kafka's `ClassicGroup` and `GroupMetadataManager` are: a state machine without a clock.
//!
//! Every call is told the time; answers that are ready, also to requests that waited, are appended to [`Effects`]. Read in this
//! order: [`GroupState`], `join.rs` (from `Stable` to `CompletingRebalance`), `sync.rs` (on to `Stable`), `timer.rs` (what happens when
//! nobody calls), `offset.rs` (commits).
#![forbid(unsafe_code)]

mod join;
mod member;
mod offset;
mod sync;
mod timer;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_client::{ClientError, CommittedOffset, GroupError, GroupIdentity, GroupResponse};
use headwater_record::{Timestamp, TopicPartition};

pub(crate) use member::Member;

use crate::partition_log::ProducerId;
use offset::Pending;

/// Who waits for an answer: a connection's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) u64);

/// Answers that are ready, in order.
pub(crate) type Effects = Vec<(Token, GroupResponse)>;

/// Where a classic group stands in its rebalance (Kafka's `ClassicGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members; there may be committed offsets.
    Empty,
    /// Members are asked to join again; joins wait.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Assigned.
    Stable,
    /// There is no such group.
    Dead,
}

/// Limits of the coordinator, by the broker's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupSettings {
    pub(crate) initial_rebalance_delay: Duration,
    pub(crate) min_session_timeout: Duration,
    pub(crate) max_session_timeout: Duration,
    pub(crate) max_size: usize,
}

/// A rebalance that waits for members to join.
#[derive(Clone, Copy, Debug)]
struct Rebalance {
    deadline: Timestamp,
    /// The first rebalance of an empty group waits for more members, at most until here, as long as new ones come.
    initial_until: Option<Timestamp>,
    member_added: bool,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    id: String,
    settings: GroupSettings,
    state: GroupState,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: Option<String>,
    /// In the order in which they came.
    members: Vec<Member>,
    members_ever: u64,
    rebalance: Option<Rebalance>,
    /// Members that were told the generation and have not asked for their assignment, and how long they may take.
    pending_sync: BTreeSet<String>,
    sync_deadline: Option<Timestamp>,
    committed: BTreeMap<TopicPartition, CommittedOffset>,
    /// Offsets of open transactions.
    pending: BTreeMap<ProducerId, Pending>,
}

impl Group {
    pub(crate) fn new(id: &str, settings: GroupSettings) -> Self {
        Group {
            id: id.to_owned(),
            settings,
            state: GroupState::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: None,
            members: Vec::new(),
            members_ever: 0,
            rebalance: None,
            pending_sync: BTreeSet::new(),
            sync_deadline: None,
            committed: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    pub(crate) fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    pub(crate) fn protocol(&self) -> &str {
        &self.protocol
    }

    pub(crate) fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn committed(&self) -> &BTreeMap<TopicPartition, CommittedOffset> {
        &self.committed
    }

    fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.instance_id.as_deref() == Some(instance_id))
    }

    fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// Whether the member is one, and the one that holds its instance id.
    pub(crate) fn validate_member(&self, identity: &GroupIdentity) -> Result<(), GroupError> {
        if let Some(instance_id) = &identity.instance_id {
            match self.static_member(instance_id) {
                None => return Err(GroupError::UnknownMember),
                Some(member) if member.id != identity.member_id => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        self.member(&identity.member_id).map(|_| ()).ok_or(GroupError::UnknownMember)
    }

    /// As [`Group::validate_member`], and in its present generation.
    fn validate_generation(&self, identity: &GroupIdentity) -> Result<(), GroupError> {
        self.validate_member(identity)?;
        if identity.generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    /// The longest rebalance time-out of the members; above zero, so that a timer never fires for ever at one time.
    fn rebalance_timeout(&self) -> Duration {
        self.members
            .iter()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default()
            .max(Duration::from_millis(1))
    }

    fn identity_of(&self, member: &Member) -> GroupIdentity {
        GroupIdentity {
            group: self.id.clone(),
            member_id: member.id.clone(),
            generation: self.generation,
            instance_id: member.instance_id.clone(),
        }
    }
}

/// An error of Kafka's that has no name of its own among [`GroupError`].
fn broker_error(code: i16, message: &str) -> ClientError {
    ClientError::Broker { code, message: message.to_owned(), retriable: false }
}

#[cfg(test)]
mod tests;
