//! When the thread commits, with which guarantee, and what is tried again.

use std::time::Duration;

use headwater_record::Timestamp;

use super::context::ThreadContext;
use crate::Error;
use crate::commit::{CommitFailure, ProcessingGuarantee, SYNC_INTERVAL, Schedule};
use crate::error::{TaskFailure, Trouble, decide};
use crate::instance::CommitMetadata;

/// How long a commit is tried that fails in a way that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Once: a later turn tries again.
    OneAttempt,
    /// As long as one request may take: there is no later turn.
    LastChance,
}

/// When the thread commits, and with which guarantee.
#[derive(Debug)]
pub(super) struct Committer {
    cx: ThreadContext,
    guarantee: ProcessingGuarantee,
    schedule: Schedule,
    /// When consumed repartition records were last deleted.
    purged: Timestamp,
    /// Whether that was asked, and there is no answer yet.
    purging: bool,
    /// When stores last brought to disk what was committed.
    synced: Timestamp,
    committed: CommitMetadata,
}

impl Committer {
    pub(super) fn new(cx: &ThreadContext, now: Timestamp) -> Self {
        let guarantee = cx.config().guarantee();
        let schedule = Schedule::new(cx.config().commit_interval(), now);
        Committer {
            cx: cx.clone(),
            guarantee,
            schedule,
            purged: now,
            purging: false,
            synced: now,
            committed: CommitMetadata::default(),
        }
    }

    pub(super) fn guarantee(&self) -> ProcessingGuarantee {
        self.guarantee
    }

    /// When the interval is over.
    pub(super) fn due(&self) -> Timestamp {
        self.schedule.due()
    }

    /// Whether to commit now; somebody may have `requested` it.
    pub(super) fn is_due(&self, now: Timestamp, requested: bool) -> bool {
        self.schedule.is_due(now, requested)
    }

    /// A commit that `began` then has just succeeded.
    pub(super) fn succeeded(&mut self, began: Timestamp) {
        if let Some(took) = self.schedule.succeeded(began, self.cx.now()) {
            tracing::warn!(
                thread = self.cx.number,
                ?took,
                interval = ?self.cx.config().commit_interval(),
                "a commit took longer than commit.interval.ms, and records wait meanwhile: raise commit.interval.ms, or see why the brokers answer late"
            );
        }
    }

    /// A commit of anything came about at `now`, and took so long.
    pub(super) fn note(&mut self, now: Timestamp, took: Duration) {
        self.committed = CommitMetadata { count: self.committed.count + 1, last: Some(now), took };
    }

    /// What was committed.
    pub(super) fn committed(&self) -> CommitMetadata {
        self.committed
    }

    /// Nothing is committed for a while: the group takes no offsets.
    pub(super) fn put_off(&mut self, now: Timestamp) {
        self.schedule.put_off(now.plus(self.cx.config().retry_backoff()));
    }

    /// What failed is tried again after a pause, unless that has gone on for too long.
    pub(super) fn failed(&mut self, trouble: Trouble, again: Timestamp, now: Timestamp) -> Result<(), Error> {
        if self.schedule.failed(now) >= self.cx.config().task_timeout() {
            return Err(Error::from(trouble).within("no commit succeeded for task.timeout.ms"));
        }
        tracing::warn!(thread = self.cx.number, error = %trouble, "a commit failed; trying again");
        self.schedule.put_off(again);
        Ok(())
    }

    /// What it needs did not come about once more: whether to go on trying.
    pub(super) fn has_patience(&mut self, now: Timestamp) -> bool {
        self.schedule.failed(now) < self.cx.config().task_timeout()
    }

    /// Whether stores are to bring to disk now what was committed since the last time.
    pub(super) fn is_to_sync(&mut self, now: Timestamp) -> bool {
        let is_due = now.since(self.synced) >= SYNC_INTERVAL;
        if is_due {
            self.synced = now;
        }
        is_due
    }

    /// When to try again at once, as long as there is the patience, what failed at `at` in a way that passes.
    pub(super) fn tries_again(&self, failure: &CommitFailure, patience: Patience, at: Timestamp) -> Option<Timestamp> {
        match failure {
            CommitFailure::Trouble(trouble) if patience == Patience::LastChance => self.passes(trouble, at),
            _ => None,
        }
    }

    /// When to try again what failed at `at`, if that passes.
    fn passes(&self, trouble: &Trouble, at: Timestamp) -> Option<Timestamp> {
        match decide(trouble, self.cx.config().retry_backoff()) {
            TaskFailure::Retry { after } => Some(at.plus(after)),
            _ => None,
        }
    }

    /// Whether to ask now for the deletion of consumed repartition records.
    pub(super) fn is_to_purge(&self, now: Timestamp) -> bool {
        !self.purging && now.since(self.purged) >= self.cx.config().repartition_purge_interval()
    }

    /// It was asked, or there was nothing to ask for.
    pub(super) fn purges(&mut self, purging: bool, now: Timestamp) {
        (self.purging, self.purged) = (purging, now);
    }
}
