//! Commits: caches, records, offsets and stores, in the order that loses nothing.
//!
//! [`tasks_of`] decides which tasks commit together, [`Commit`] does it: one way for a thread's interval, for tasks that go
//! elsewhere, for the end, and for the test driver.

mod plan;
mod schedule;

use std::time::Duration;

use headwater_client::{
    ClientError, CommittedOffset, GroupError, GroupIdentity, GroupMembership, OffsetCommit, TransactionOutcome,
};
use headwater_record::{Deadline, Timestamp, TopicPartition};

pub use plan::tasks_of;
pub(crate) use schedule::Schedule;

use crate::error::{Error, Trouble};
use crate::metric;
use crate::output::RecordCollector;
use crate::task::StreamTask;

/// A crash costs a store that is seldom written no more than this.
pub(crate) const SYNC_INTERVAL: Duration = Duration::from_mins(5);
/// How often it is looked, while records are waited for, how long that may still go on.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What holds after a crash (`processing.guarantee`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProcessingGuarantee {
    /// Everything that follows from the input is in Kafka before the input's offsets are.
    #[default]
    AtLeastOnce,
    /// What follows from the input and the input's offsets are in Kafka together, in one transaction of all tasks of a thread.
    ExactlyOnceV2,
}

/// Why nothing was committed, or not all.
#[derive(Debug, thiserror::Error)]
pub enum CommitFailure {
    /// The group does not take commits of this member, or not now. The membership is to be told.
    #[error(transparent)]
    Refused(GroupError),
    /// The transaction was not committed, or nobody knows: tasks begin anew from what is committed, with another producer.
    #[error(transparent)]
    NotCommitted(ClientError),
    /// Anything else.
    #[error(transparent)]
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for CommitFailure {
    fn from(error: E) -> Self {
        match error.into() {
            // The group was not asked.
            trouble @ Trouble::Client(ClientError::Group(GroupError::Unconfirmed)) => CommitFailure::Trouble(trouble),
            Trouble::Client(ClientError::Group(error)) => CommitFailure::Refused(error),
            trouble => CommitFailure::Trouble(trouble),
        }
    }
}

impl From<CommitFailure> for Error {
    fn from(failure: CommitFailure) -> Self {
        match failure {
            CommitFailure::Refused(error) => ClientError::Group(error).into(),
            CommitFailure::NotCommitted(error) => error.into(),
            CommitFailure::Trouble(trouble) => trouble.into(),
        }
    }
}

/// What a commit is done with.
pub struct Commit<'a> {
    /// What is to hold after a crash.
    pub guarantee: ProcessingGuarantee,
    /// Where the tasks wrote their records.
    pub collector: &'a mut RecordCollector,
    /// Where input offsets are committed.
    pub group: &'a mut dyn GroupMembership,
    /// As whom.
    pub identity: &'a GroupIdentity,
    /// How long it may take: less all of a sudden, when somebody wants to close meanwhile.
    pub until: &'a dyn Fn() -> Deadline,
}

impl Commit<'_> {
    /// Commits `tasks` together: flushes their caches, waits for all records they wrote, commits their input offsets, then their stores.
    ///
    /// A crash between two steps costs nothing: input whose offset is not committed is processed again, and a store that was not
    /// committed is restored from its changelog, which is complete.
    ///
    /// # Errors
    /// [`CommitFailure`]. No store was committed then, unless it was a store that failed.
    pub fn of(mut self, tasks: &mut [&mut StreamTask], now: Timestamp) -> Result<(), CommitFailure> {
        if tasks.is_empty() {
            return Ok(());
        }
        for task in tasks.iter_mut() {
            task.prepare_commit(self.collector, now)?;
        }
        self.flush()?;
        let mut of_tasks: Vec<Vec<(TopicPartition, CommittedOffset)>> = Vec::with_capacity(tasks.len());
        for task in tasks.iter() {
            of_tasks.push(task.offsets(self.collector)?);
        }
        let offsets: Vec<_> = of_tasks.iter().flatten().cloned().collect();
        match self.guarantee {
            ProcessingGuarantee::AtLeastOnce if offsets.is_empty() => {}
            ProcessingGuarantee::AtLeastOnce => {
                let commit = OffsetCommit { identity: self.identity.clone(), offsets };
                self.group.commit_offsets(&commit, (self.until)())?;
            }
            ProcessingGuarantee::ExactlyOnceV2 => {
                match self.collector.commit_transaction(self.identity, &offsets, (self.until)())? {
                    TransactionOutcome::Committed => {}
                    TransactionOutcome::Aborted(error)
                    | TransactionOutcome::Fenced(error)
                    | TransactionOutcome::Indefinite(error) => return Err(CommitFailure::NotCommitted(error)),
                }
            }
        }
        for (task, offsets) in tasks.iter_mut().zip(of_tasks) {
            task.post_commit(offsets, self.collector)?;
        }
        metric::committed(tasks.len());
        Ok(())
    }

    /// Waits for all records that were written.
    fn flush(&mut self) -> Result<(), ClientError> {
        loop {
            let until = (self.until)();
            let look = until.min(Deadline::after(self.collector.now(), LOOK_INTERVAL));
            match self.collector.flush(look) {
                Err(ClientError::TimedOut { .. }) if look < until && look.passed(self.collector.now()) => {}
                flushed => return flushed,
            }
        }
    }
}

impl std::fmt::Debug for Commit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit")
            .field("guarantee", &self.guarantee)
            .field("identity", &self.identity)
            .field("until", &(self.until)())
            .finish_non_exhaustive()
    }
}
