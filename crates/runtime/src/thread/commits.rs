//! Commits of the thread: at its interval, and of tasks that go elsewhere.

use headwater_client::GroupError;
use headwater_record::Timestamp;
use headwater_topology::TaskId;

use super::StreamThread;
use super::committer::Patience;
use super::question::Question;
use crate::Error;
use crate::commit::{Commit, CommitFailure, tasks_of};
use crate::error::{TaskFailure, Trouble, decide};
use crate::membership::Event;
use crate::task::StreamTask;

impl StreamThread {
    /// Commits all tasks when the interval is over or one of them asks for it, unless a rebalance is under way.
    pub(super) fn commit_if_due(&mut self, now: Timestamp) -> Result<(), Error> {
        if !self.committer.is_due(now, self.tasks.commit_requested()) || !self.member.may_commit() {
            return Ok(());
        }
        match self.commit(&self.tasks.ids(), Patience::OneAttempt, now) {
            Ok(()) => {
                self.committer.succeeded(now);
                self.purge_if_due(self.cx.now());
                Ok(())
            }
            Err(CommitFailure::Refused(error)) => {
                tracing::debug!(thread = self.cx.number, %error, "the group takes no commit now");
                let ended = self.cx.now();
                self.committer.put_off(ended);
                self.tell(ended, Event::CommitRefused(error))
            }
            Err(CommitFailure::NotCommitted(error)) => self.start_anew(&error.into()),
            Err(CommitFailure::Trouble(trouble)) => self.failed(trouble),
        }
    }

    /// Has consumed repartition records deleted now and then: those before committed offsets only.
    fn purge_if_due(&mut self, now: Timestamp) {
        if self.committer.is_to_purge(now) {
            let before = self.tasks.purgeable();
            let is_asked = !before.is_empty() && self.asker.ask(Question::Purge(before));
            self.committer.purges(is_asked, now);
        }
    }

    /// Commits those of these tasks that have something to commit, with what must go with them: the one way for all commits of the thread.
    fn commit(&mut self, wanted: &[TaskId], patience: Patience, now: Timestamp) -> Result<(), CommitFailure> {
        let guarantee = self.committer.guarantee();
        let all = self.tasks.actives().map(|task| (task.id(), task.commit_needed()));
        let together = tasks_of(guarantee, |task| wanted.contains(&task), all);
        let mut committing: Vec<&mut StreamTask> =
            self.tasks.actives_mut().filter(|task| together.contains(&task.id())).collect();
        let until = self.cx.answer_by(now);
        let mut at = now;
        loop {
            let (group, identity) = self.member.group();
            let commit = Commit { guarantee, collector: &mut self.collector, group, identity, until };
            let Err(failure) = commit.of(&mut committing, at) else { return Ok(()) };
            let again = self.committer.tries_again(&failure, patience, at);
            let Some(again) = again.filter(|again| !until.passed(*again)) else { return Err(failure) };
            tracing::debug!(thread = self.cx.number, error = %failure, "a last commit failed; trying again");
            at = self.member.pause(again);
        }
    }

    /// The last commit of tasks that go elsewhere. That it fails costs no record: they are processed again there.
    pub(super) fn commit_last(&mut self, tasks: &[TaskId], now: Timestamp) -> Result<(), Error> {
        let Err(failure) = self.commit(tasks, Patience::LastChance, now) else { return Ok(()) };
        let decided = match &failure {
            CommitFailure::Trouble(trouble) => decide(trouble, self.cx.config().retry_backoff()),
            CommitFailure::Refused(_) | CommitFailure::NotCommitted(_) => TaskFailure::Migrated,
        };
        if matches!(decided, TaskFailure::Corrupted { .. } | TaskFailure::Fatal) {
            return Err(failure.into());
        }
        tracing::warn!(
            thread = self.cx.number,
            error = %failure,
            "tasks that go elsewhere could not be committed; what they did since the last commit is done again there"
        );
        for task in tasks {
            self.tasks.stop_uncommitted(*task, &mut self.collector, &mut self.fetcher)?;
        }
        Ok(())
    }

    /// Does about trouble with tasks what was decided.
    pub(super) fn failed(&mut self, trouble: Trouble) -> Result<(), Error> {
        let now = self.cx.now();
        match decide(&trouble, self.cx.config().retry_backoff()) {
            TaskFailure::Retry { after } => self.committer.failed(trouble, now.plus(after), now),
            TaskFailure::Migrated => self.start_anew(&trouble),
            TaskFailure::Corrupted { .. } | TaskFailure::Fatal => Err(trouble.into()),
        }
    }

    /// What was done since the last commit is another's by now, or came to nothing: gives all tasks up and takes part anew.
    fn start_anew(&mut self, trouble: &Trouble) -> Result<(), Error> {
        tracing::warn!(thread = self.cx.number, error = %trouble, "starting anew from what is committed");
        self.collector.replace_producer(self.cx.producer()?);
        self.tell(self.cx.now(), Event::CommitRefused(GroupError::IllegalGeneration))
    }
}
