//! What an error code means for a request of a transaction, as Java's `TransactionManager` 4.4 takes it.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, ErrorClass, GroupError};

use super::Ask;
use crate::error::{About, of_code};

/// What a coordinator's answer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    Done,
    /// It passes: ask again.
    Again(ClientError),
    /// Another broker is the coordinator, or none now: find it, and ask again.
    Elsewhere(ClientError),
    /// The transaction can only be aborted; [`ClientError::Group`] when it is the member's generation that is gone.
    Abort(ClientError),
    /// The producer is of no more use; [`ClientError::Fenced`] when another took its place.
    Over(ClientError),
}

impl Ask {
    /// The request's name in Kafka.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Ask::Init | Ask::Raise => "InitProducerId",
            Ask::AddPartitions => "AddPartitionsToTxn",
            Ask::AddOffsets => "AddOffsetsToTxn",
            Ask::CommitOffsets => "TxnOffsetCommit",
            Ask::End { commit: true } => "EndTxn (commit)",
            Ask::End { commit: false } => "EndTxn (abort)",
        }
    }
}

/// Whether the code says that another producer, or the transaction's time-out, took this one's place.
pub(in super::super) fn fences(code: i16) -> bool {
    // INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING, UNKNOWN_PRODUCER_ID, PRODUCER_FENCED
    matches!(code, 47 | 49 | 59 | 90)
}

/// That, as an error.
pub(in super::super) fn fenced(error: ClientError) -> ClientError {
    match error {
        ClientError::Fenced(_) => error,
        error => ClientError::Fenced(error.to_string()),
    }
}

/// What `code` means as the answer to `ask`.
pub(in super::super) fn verdict(ask: Ask, code: i16) -> Verdict {
    let Some(error) = of_code(code, About::Request(ask.name())) else { return Verdict::Done };
    let of_offsets = matches!(ask, Ask::AddOffsets | Ask::CommitOffsets);
    match code {
        // COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR; REQUEST_TIMED_OUT of a group's coordinator
        15 | 16 => Verdict::Elsewhere(error),
        7 if ask == Ask::CommitOffsets => Verdict::Elsewhere(error),
        _ if fences(code) => Verdict::Over(fenced(error)),
        // TRANSACTION_ABORTABLE
        120 => Verdict::Abort(ClientError::TransactionAborted(error.to_string())),
        // ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH, STALE_MEMBER_EPOCH
        22 | 25 | 27 | 82 | 110 | 113 if of_offsets => Verdict::Abort(error),
        // GROUP_ID_NOT_FOUND: a group that is gone has no members.
        69 if of_offsets => Verdict::Abort(GroupError::UnknownMember.into()),
        // TOPIC_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED
        29 | 30 => Verdict::Abort(error),
        // INVALID_TRANSACTION_TIMEOUT
        50 => Verdict::Over(ClientError::Config(
            "transaction.timeout.ms is longer than the brokers' transaction.max.timeout.ms allows: lower it".to_owned(),
        )),
        // CONCURRENT_TRANSACTIONS: the markers of the transaction before are being written. UNKNOWN_TOPIC_OR_PARTITION: it may just
        // have been made.
        51 | 3 => Verdict::Again(error),
        _ if error.class() == ErrorClass::Retriable => Verdict::Again(error),
        // INVALID_TXN_STATE: what it was to commit is not open any more.
        48 if ask == (Ask::End { commit: true }) => Verdict::Over(ClientError::Fenced(format!(
            "{error}: the transaction is not open any more; did it take longer than transaction.timeout.ms?"
        ))),
        // INVALID_TXN_STATE, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED
        48 | 53 | 31 => Verdict::Over(error),
        _ if ask == Ask::AddPartitions => Verdict::Abort(ClientError::TransactionAborted(error.to_string())),
        _ => Verdict::Over(error),
    }
}

/// What the codes of many partitions mean together: the one that decides. Those that were not attempted for the sake of others
/// (`OPERATION_NOT_ATTEMPTED`) decide nothing.
pub(in super::super) fn deciding(ask: Ask, codes: impl IntoIterator<Item = i16>) -> i16 {
    let weight = |code: &i16| match verdict(ask, *code) {
        Verdict::Done => 0,
        _ if *code == 55 => 1,
        Verdict::Again(_) => 2,
        Verdict::Elsewhere(_) => 3,
        Verdict::Abort(_) => 4,
        Verdict::Over(_) => 5,
    };
    codes.into_iter().max_by_key(weight).unwrap_or(0)
}
