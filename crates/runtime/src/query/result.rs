//! What partitions answer.

use std::collections::BTreeMap;
use std::fmt;

use headwater_record::Partition;

use super::Position;

/// Why a partition has no answer (Java's `FailureReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureReason {
    /// A store of this kind does not know such queries.
    UnknownQueryType,
    /// Its task does not process here, and that was required.
    NotActive,
    /// It has not seen enough of its input yet: ask again, or somebody else.
    NotUpToBound,
    /// It is not here, or cannot be read just now: ask again, or somebody else.
    NotPresent,
    /// The store has no such partition anywhere.
    DoesNotExist,
    /// The store, or the serdes of what it holds, failed.
    StoreException,
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureReason::UnknownQueryType => "UNKNOWN_QUERY_TYPE",
            FailureReason::NotActive => "NOT_ACTIVE",
            FailureReason::NotUpToBound => "NOT_UP_TO_BOUND",
            FailureReason::NotPresent => "NOT_PRESENT",
            FailureReason::DoesNotExist => "DOES_NOT_EXIST",
            FailureReason::StoreException => "STORE_EXCEPTION",
        })
    }
}

/// That a partition has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct QueryFailure {
    /// Why.
    pub reason: FailureReason,
    /// The same in words.
    pub message: String,
}

/// What one partition answers (Java's `QueryResult`).
#[derive(Debug)]
pub struct QueryResult<R> {
    /// The answer.
    pub result: Result<R, QueryFailure>,
    /// How much of its input what was read has seen; empty where that is not known, as of standbys.
    pub position: Position,
    /// How it came about, when [`enable_execution_info`](super::StateQueryRequest::enable_execution_info) asks for that.
    pub execution_info: Vec<String>,
}

impl<R> QueryResult<R> {
    pub(super) fn failed(reason: FailureReason, message: impl Into<String>) -> Self {
        let failure = QueryFailure { reason, message: message.into() };
        QueryResult { result: Err(failure), position: Position::default(), execution_info: Vec::new() }
    }
}

/// What all partitions answer (Java's `StateQueryResult`).
#[derive(Debug)]
pub struct StateQueryResult<R> {
    /// By partition.
    pub partition_results: BTreeMap<Partition, QueryResult<R>>,
    /// Of a global store, which has no partitions.
    pub global_result: Option<QueryResult<R>>,
}

impl<R> StateQueryResult<R> {
    /// How much of their input those have seen that answered, together: a bound for who reads next, so that he sees no less.
    pub fn position(&self) -> Position {
        let all = self.partition_results.values().chain(&self.global_result);
        all.fold(Position::default(), |all, result| all.merge(&result.position))
    }
}

impl<T> StateQueryResult<Option<T>> {
    /// The one answer that is there: of a key that one partition has, for one (Java's `getOnlyPartitionResult`, which also leaves out those
    /// that have nothing). `None`: nobody has one.
    ///
    /// # Errors
    /// The failure of a partition, when no other has an answer: it may be the one that would.
    pub fn only_partition_result(self) -> Result<Option<T>, QueryFailure> {
        let mut failure = None;
        for result in self.partition_results.into_values().chain(self.global_result) {
            match result.result {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(failed) => failure = Some(failed),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}
