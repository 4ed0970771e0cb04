//! Every kind of error, what the thread does about it, and what the user is told to do.

use std::time::Duration;

use headwater_client::{ClientError, GroupError};
use headwater_record::{Offset, Topic, TopicPartition};
use headwater_store::StoreError;
use headwater_topology::{FailureKind, ProcessError, TaskId};

use super::{Error, ErrorKind, TaskFailure, Trouble, decide};
use crate::changelog::UpdateFailure;
use crate::directory::DirectoryError;
use crate::task::TaskError;

const BACKOFF: Duration = Duration::from_millis(100);

fn unavailable() -> ClientError {
    ClientError::Unavailable { servers: "b:9092".into(), reason: "refused".into() }
}

fn broker(retriable: bool) -> ClientError {
    ClientError::Broker { code: 7, message: "no".into(), retriable }
}

#[test]
fn client_errors_are_retried_taken_as_migration_or_fatal() {
    let retry = TaskFailure::Retry { after: BACKOFF };
    let unknown = ClientError::UnknownTopic { topic: Topic::from("t") };
    let partition = TopicPartition::new("t", 0);
    let table: [(ClientError, TaskFailure, ErrorKind); 14] = [
        (unavailable(), retry.clone(), ErrorKind::Unavailable),
        (ClientError::TimedOut { request: "OffsetCommit".into() }, retry.clone(), ErrorKind::Unavailable),
        (GroupError::RebalanceInProgress.into(), retry.clone(), ErrorKind::Unavailable),
        (GroupError::UnstableOffsets.into(), retry.clone(), ErrorKind::Unavailable),
        (broker(true), retry, ErrorKind::Unavailable),
        (broker(false), TaskFailure::Fatal, ErrorKind::Unavailable),
        (GroupError::IllegalGeneration.into(), TaskFailure::Migrated, ErrorKind::Fenced),
        (GroupError::UnknownMember.into(), TaskFailure::Migrated, ErrorKind::Fenced),
        (ClientError::Fenced("producer".into()), TaskFailure::Migrated, ErrorKind::Fenced),
        (GroupError::FencedInstance.into(), TaskFailure::Fatal, ErrorKind::Fenced),
        (ClientError::NotAuthorised("t".into()), TaskFailure::Fatal, ErrorKind::Config),
        (unknown, TaskFailure::Fatal, ErrorKind::Topology),
        (ClientError::TransactionAborted("t".into()), TaskFailure::Aborted, ErrorKind::Unavailable),
        (ClientError::OffsetOutOfRange { partition, offset: Offset::ZERO }, TaskFailure::Fatal, ErrorKind::Data),
    ];
    for (error, failure, kind) in table {
        assert_eq!(decide(&Trouble::Client(error.clone()), BACKOFF), failure, "{error}");
        assert_eq!(Error::from(error.clone()).kind(), kind, "{error}");
    }
}

#[test]
fn a_failed_record_ends_its_task_unless_the_task_is_anothers_or_it_may_pass() {
    let task = TaskId::new(0, 0);
    let process = |error| TaskError::Process { task, error };
    let production = |error| TaskError::Production { task, topic: "out".into(), error };
    let table: [(TaskError, TaskFailure, ErrorKind); 7] = [
        (process(ProcessError::user("bug")), TaskFailure::Fatal, ErrorKind::User),
        (
            process(ProcessError::failed(FailureKind::Deserialization, "bytes", None)),
            TaskFailure::Fatal,
            ErrorKind::Data,
        ),
        (process(ProcessError::failed(FailureKind::Processing, "node", None)), TaskFailure::Fatal, ErrorKind::User),
        (production(ClientError::Fenced("p".into())), TaskFailure::Migrated, ErrorKind::Fenced),
        (production(unavailable()), TaskFailure::Unwritten { task }, ErrorKind::Unavailable),
        (production(broker(false)), TaskFailure::Fatal, ErrorKind::Unavailable),
        (TaskError::UnderWay { task, records: 1 }, TaskFailure::Retry { after: BACKOFF }, ErrorKind::Unavailable),
    ];
    for (error, failure, kind) in table {
        let text = error.to_string();
        let trouble = Trouble::Task(error);
        assert_eq!(decide(&trouble, BACKOFF), failure, "{text}");
        assert_eq!(Error::from(trouble).kind(), kind, "{text}");
    }
}

#[test]
fn state_that_does_not_go_with_its_changelog_is_restored() {
    let corrupted = UpdateFailure::Corrupted { stores: Vec::new(), reason: "cut".into() };
    assert_eq!(decide(&corrupted.into(), BACKOFF), TaskFailure::Corrupted { stores: Vec::new() });
    let io = StoreError::Io { store: "s".into(), reason: "disk full".into() };
    let error = Trouble::Update(UpdateFailure::Store(io));
    assert_eq!(decide(&error, BACKOFF), TaskFailure::Fatal);
    assert_eq!(Error::from(error).kind(), ErrorKind::Data);
}

#[test]
fn a_directory_in_use_is_anothers() {
    let error = DirectoryError::Locked { path: "state".into() };
    assert_eq!(Error::from(error).kind(), ErrorKind::Fenced);
}

#[test]
fn what_caused_an_error_is_kept() {
    let error = Error::from(unavailable());
    let source = std::error::Error::source(&error).expect("a source");
    assert!(source.downcast_ref::<ClientError>().is_some());
    assert!(error.to_string().contains("check bootstrap.servers"));
}
