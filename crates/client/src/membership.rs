//! A place in a group: the coordinator's requests and responses as values.
//!
//! Deciding when to send which is the caller's. Responses come in the order in which they are ready; a join waits at the
//! coordinator for the other members and must not hold up commits, so an implementation keeps two connections.

use std::time::Duration;

use headwater_record::{Deadline, Offset, TopicPartition};

use crate::{ClientError, GroupError, Lease};

/// Who a member is to its coordinator: everything that a commit or a transaction needs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GroupIdentity {
    /// The group's id.
    pub group: String,
    /// The id the coordinator gave, empty before.
    pub member_id: String,
    /// The classic generation, or the member epoch of a streams group; -1 before.
    pub generation: i32,
    /// The static member's own name (`group.instance.id`).
    pub instance_id: Option<String>,
}

/// `JoinGroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Who asks; the member id is empty the first time.
    pub identity: GroupIdentity,
    /// Without a heartbeat for so long a member is removed.
    pub session_timeout: Duration,
    /// How long the coordinator waits for the others to join.
    pub rebalance_timeout: Duration,
    /// `consumer` for all of Kafka's own.
    pub protocol_type: String,
    /// Protocols by preference: name and subscription bytes.
    pub protocols: Vec<(String, Vec<u8>)>,
    /// Why, for the broker's log.
    pub reason: Option<String>,
}

/// The answer to a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// With the member id and generation that are now valid.
    pub identity: GroupIdentity,
    /// The leader's member id.
    pub leader: String,
    /// The protocol that all share.
    pub protocol: String,
    /// For the leader: every member's id, instance id and subscription bytes. Empty for others.
    pub members: Vec<(String, Option<String>, Vec<u8>)>,
    /// For a static leader that came back: the group's assignment stands and must not be made anew (KIP-814).
    pub skip_assignment: bool,
}

impl Joined {
    /// Whether this member is the leader.
    pub fn is_leader(&self) -> bool {
        self.leader == self.identity.member_id
    }
}

/// What a member says to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRequest {
    /// Take part in the next generation. An implementation repeats the join by itself when told `MEMBER_ID_REQUIRED`.
    Join(JoinRequest),
    /// Hand in (as leader) and get the assignment.
    Sync {
        /// Who.
        identity: GroupIdentity,
        /// `consumer`.
        protocol_type: String,
        /// The protocol of the join's answer.
        protocol: String,
        /// Member ids and their assignment bytes; empty unless leader.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// Still here.
    Heartbeat(GroupIdentity),
    /// Gone.
    Leave {
        /// Who.
        identity: GroupIdentity,
        /// Why, for the broker's log.
        reason: String,
    },
}

/// What the coordinator answers.
#[derive(Debug)]
pub enum GroupResponse {
    /// To [`GroupRequest::Join`].
    Join(Result<Joined, ClientError>),
    /// To [`GroupRequest::Sync`]: the member's assignment bytes.
    Sync(Result<Vec<u8>, ClientError>),
    /// To [`GroupRequest::Heartbeat`], and, for those of [`KeepAlive`], whenever one failed.
    Heartbeat(Result<(), ClientError>),
    /// To [`GroupRequest::Leave`].
    Leave(Result<(), ClientError>),
}

/// Heartbeats that the client sends by itself, so that a long turn of the caller costs no membership. Where nothing but `until` changes,
/// those that are sent already go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// For whom.
    pub identity: GroupIdentity,
    /// How often.
    pub interval: Duration,
    /// Not beyond this time: the caller hangs (`max.poll.interval.ms`).
    pub until: Deadline,
}

/// An offset with what is committed beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: Offset,
    /// Text of the committer.
    pub metadata: String,
}

/// `OffsetCommit` of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommit {
    /// Who commits. An empty member id with generation -1 is accepted only while the group is empty.
    pub identity: GroupIdentity,
    /// What.
    pub offsets: Vec<(TopicPartition, CommittedOffset)>,
}

/// A connection to the coordinator of one group.
///
/// Implementations find the coordinator, and find it again when it moves. While a join or a sync of a member waits, they ask by
/// themselves whether the member's place is kept, so that its [lease](GroupMembership::lease) goes on.
pub trait GroupMembership: Send {
    /// Sends a request. Does not wait.
    ///
    /// # Errors
    /// [`ClientError::Closed`] when the connection was closed for good.
    fn submit(&mut self, request: GroupRequest) -> Result<(), ClientError>;

    /// The next response that has come, waiting until `until` for one.
    fn response(&mut self, until: Deadline) -> Option<GroupResponse>;

    /// For how long the member's place is surely its own, as all answers to this connection say. Giving it up
    /// ([`GroupRequest::Leave`]) ends it at once.
    fn lease(&self) -> Lease;

    /// Heartbeats by the client itself from now on, or none. Only failures are reported, as [`GroupResponse::Heartbeat`].
    fn keep_alive(&mut self, heartbeats: Option<KeepAlive>);

    /// Commits offsets and waits for the answer. Asking again what may be asked again is the caller's.
    ///
    /// # Errors
    /// [`ClientError::Group`] when the member is no longer one ([`GroupError`] says how), [`ClientError::TimedOut`],
    /// [`ClientError::Unavailable`]. The first partition that failed speaks for all.
    fn commit_offsets(&mut self, commit: &OffsetCommit, until: Deadline) -> Result<(), ClientError>;

    /// The committed offsets, in the order of `partitions`, `None` where nothing was committed. With `require_stable`,
    /// offsets that an open transaction may still change are [`GroupError::UnstableOffsets`].
    ///
    /// # Errors
    /// As [`GroupMembership::commit_offsets`].
    fn committed_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
        until: Deadline,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError>;
}

impl From<GroupError> for ClientError {
    fn from(error: GroupError) -> Self {
        ClientError::Group(error)
    }
}
