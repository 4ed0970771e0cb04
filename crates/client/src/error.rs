//! What a cluster or the way to it can do to us.

use headwater_record::{Offset, Topic, TopicPartition};

/// How a [`ClientError`] is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Passing: ask again.
    Retriable,
    /// Another took this one's place: start anew from committed state.
    Fenced,
    /// The open transaction must be aborted.
    Aborted,
    /// Asking again will not help.
    Fatal,
}

/// Why a member is none, or not now.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// `REBALANCE_IN_PROGRESS` (27): join again.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// `ILLEGAL_GENERATION` (22): the group went on without this member.
    #[error("the group has gone on to another generation")]
    IllegalGeneration,
    /// `UNKNOWN_MEMBER_ID` (25): the coordinator has removed this member.
    #[error("the coordinator does not know this member (any more)")]
    UnknownMember,
    /// `FENCED_INSTANCE_ID` (82): another process uses the same `group.instance.id`.
    #[error("another member with the same group.instance.id has taken this one's place")]
    FencedInstance,
    /// `FENCED_MEMBER_EPOCH` (110) or `STALE_MEMBER_EPOCH` (113) of a streams group.
    #[error("the member's epoch is not valid (any more)")]
    StaleEpoch,
    /// `INCONSISTENT_GROUP_PROTOCOL` (23): the group's members speak another protocol.
    #[error("the group's members speak another protocol: is another kind of application using this application.id?")]
    InconsistentProtocol,
    /// `GROUP_MAX_SIZE_REACHED` (81).
    #[error("the group has as many members as the broker allows")]
    Full,
    /// `UNSTABLE_OFFSET_COMMIT` (88): a transaction that commits these offsets is under way.
    #[error("an open transaction may still change these offsets")]
    UnstableOffsets,
    /// Nothing of the coordinator's: it was not heard of for so long that it may have given the member's place away.
    #[error(
        "the group's coordinator has not confirmed this member within session.timeout.ms; what it has not sent yet waits for that"
    )]
    Unconfirmed,
}

headwater_record::debug_as_text!(GroupError);

/// What went wrong between us and Kafka.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers.
    #[error("no Kafka broker answers at {servers}: {reason}; check bootstrap.servers and that the cluster is up")]
    Unavailable {
        /// Who was asked.
        servers: String,
        /// What the connection said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer in time to {request}")]
    TimedOut {
        /// What was asked.
        request: String,
    },
    /// There is no such topic or partition.
    #[error("topic {topic} does not exist; create it, or check its name and this client's permission to see it")]
    UnknownTopic {
        /// Which.
        topic: Topic,
    },
    /// There is one already.
    #[error("topic {topic} exists already")]
    TopicExists {
        /// Which.
        topic: Topic,
    },
    /// The position is not in the log (any more).
    #[error("offset {offset} of {partition} is not in the log (any more)")]
    OffsetOutOfRange {
        /// Where.
        partition: TopicPartition,
        /// Which offset was asked for.
        offset: Offset,
    },
    /// A record is larger than Kafka is set to take.
    #[error(
        "a record of {bytes} bytes for topic {topic} is too large; see max.request.size and the topic's max.message.bytes"
    )]
    RecordTooLarge {
        /// For which topic.
        topic: Topic,
        /// How large.
        bytes: usize,
    },
    /// Another producer or member took over.
    #[error("fenced: {0}")]
    Fenced(String),
    /// The transaction must be aborted.
    #[error("the transaction must be aborted: {0}")]
    TransactionAborted(String),
    /// About the group.
    #[error(transparent)]
    Group(GroupError),
    /// Not allowed.
    #[error("not authorised: {0}; grant the permission to the principal that this client uses")]
    NotAuthorised(String),
    /// A setting cannot be.
    #[error("{0}")]
    Config(String),
    /// Bytes from outside that do not mean anything.
    #[error("malformed bytes from {partition}: {reason}")]
    Malformed {
        /// From where.
        partition: TopicPartition,
        /// What is wrong.
        reason: String,
    },
    /// It was not sent, and will not be: see [`Producer::abandon`](crate::Producer::abandon).
    #[error("it was not sent before its task was lost")]
    Abandoned,
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
    /// Anything else that the broker or the library answered.
    #[error("{message} (Kafka error {code})")]
    Broker {
        /// Kafka's error code.
        code: i16,
        /// Its text.
        message: String,
        /// Whether asking again may help.
        retriable: bool,
    },
}

headwater_record::debug_as_text!(ClientError);

impl ClientError {
    /// How to take it. This is the only place that classifies.
    pub fn class(&self) -> ErrorClass {
        match self {
            ClientError::Unavailable { .. }
            | ClientError::TimedOut { .. }
            | ClientError::Group(
                GroupError::RebalanceInProgress | GroupError::UnstableOffsets | GroupError::Unconfirmed,
            ) => ErrorClass::Retriable,
            ClientError::Broker { retriable, .. } => {
                if *retriable {
                    ErrorClass::Retriable
                } else {
                    ErrorClass::Fatal
                }
            }
            ClientError::Group(GroupError::IllegalGeneration | GroupError::UnknownMember | GroupError::StaleEpoch)
            | ClientError::Fenced(_)
            | ClientError::Abandoned => ErrorClass::Fenced,
            ClientError::TransactionAborted(_) => ErrorClass::Aborted,
            ClientError::Group(_)
            | ClientError::UnknownTopic { .. }
            | ClientError::TopicExists { .. }
            | ClientError::OffsetOutOfRange { .. }
            | ClientError::RecordTooLarge { .. }
            | ClientError::NotAuthorised(_)
            | ClientError::Config(_)
            | ClientError::Malformed { .. }
            | ClientError::Closed => ErrorClass::Fatal,
        }
    }
}
