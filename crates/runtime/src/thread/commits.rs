//! Commits of the thread: at its interval, and of tasks that go elsewhere.

use std::time::Duration;

use headwater_client::{ClientError, ErrorClass, GroupError};
use headwater_record::{Deadline, Timestamp};
use headwater_topology::TaskId;

use super::StreamThread;
use super::committer::Patience;
use super::question::Question;
use super::shutdown::Ending;
use crate::commit::{Commit, CommitFailure, ProcessingGuarantee, tasks_of};
use crate::error::{TaskFailure, Trouble, decide};
use crate::membership::Event;
use crate::metric;
use crate::task::StreamTask;
use crate::{Error, ErrorKind};

/// How long a turn waits for the coordinator of transactions to settle what was left open. It is asked again.
const INITIALISING: Duration = Duration::from_secs(1);

impl StreamThread {
    /// Commits all tasks when the interval is over or one of them asks for it, unless a rebalance is under way.
    pub(super) fn commit_if_due(&mut self, now: Timestamp) -> Result<(), Error> {
        let requested = self.tasks.commit_requested()
            || self.tasks.views_wanted(self.collector.is_in_transaction())
            || self.holds_much();
        if !self.committer.is_due(now, requested) || !self.member.may_commit() {
            return Ok(());
        }
        if let Err(unconfirmed) = self.collector.check_confirmed() {
            if !self.tasks.commit_needed() {
                return Ok(());
            }
            // The coordinator is asked all the time.
            let again = now.plus(self.cx.config().heartbeat_interval());
            return self.committer.failed(unconfirmed.into(), again, now);
        }
        match self.commit(&self.tasks.ids(), Patience::OneAttempt, now) {
            Ok(()) => {
                self.committer.succeeded(now);
                let now = self.cx.now();
                self.purge_if_due(now);
                if self.committer.is_to_sync(now) {
                    self.tasks.sync();
                }
                Ok(())
            }
            Err(CommitFailure::Refused(error)) => {
                tracing::debug!(thread = self.cx.number, %error, "the group takes no commit now");
                let ended = self.cx.now();
                self.committer.put_off(ended);
                self.revive_if_exactly_once(&ClientError::Group(error).into())?;
                self.tell(ended, Event::CommitRefused(error))
            }
            Err(CommitFailure::NotCommitted(error)) if error.class() == ErrorClass::Fenced => {
                self.start_anew(&error.into())
            }
            Err(CommitFailure::NotCommitted(error)) => self.revive(&error.into()),
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
        // Records that no input led to, as of an `init`, also wait for it.
        let open = self.collector.is_in_transaction();
        let all = self.tasks.actives().map(|task| (task.id(), open || task.commit_needed()));
        let together = tasks_of(guarantee, |task| wanted.contains(&task), all);
        let mut committing: Vec<&mut StreamTask> =
            self.tasks.actives_mut().filter(|task| together.contains(&task.id())).collect();
        let is_any = !committing.is_empty();
        let (cx, shutdown) = (&self.cx, &self.shutdown);
        let (until, began) = (|| shutdown.answer_by(cx, now), cx.now());
        let mut at = now;
        let result = loop {
            let (group, identity) = self.member.group();
            let commit = Commit { guarantee, collector: &mut self.collector, group, identity, until: &until };
            let Err(failure) = commit.of(&mut committing, at) else { break Ok(()) };
            let again = self.committer.tries_again(&failure, patience, at);
            let Some(again) = again.filter(|again| !until().passed(*again)) else { break Err(failure) };
            tracing::debug!(thread = self.cx.number, error = %failure, "a last commit failed; trying again");
            at = self.member.pause(again);
        };
        if result.is_ok() {
            for task in &committing {
                cx.instance.stores.committed(task.id(), task.committed_position());
            }
        }
        if is_any {
            let ended = self.cx.now();
            metric::commit_took(self.cx.number, ended.since(began));
            if result.is_ok() {
                self.committer.note(ended, ended.since(began));
            }
        }
        result
    }

    /// Whether stores hold more that is not committed than they may (`statestore.uncommitted.max.bytes`).
    fn holds_much(&self) -> bool {
        let most = self.cx.config().uncommitted_max_bytes();
        most.is_some_and(|most| self.tasks.uncommitted_bytes() > most)
    }

    /// Lets the producer settle what others before it left open, before anything is done. Returns whether it did. There is nothing
    /// else to do then: no task processes.
    pub(super) fn initialise_producer(&mut self, now: Timestamp) -> Result<bool, Error> {
        if self.collector.is_initialised() {
            return Ok(true);
        }
        let Err(error) = self.collector.initialise(Deadline::after(now, INITIALISING)) else { return Ok(true) };
        let trouble = Trouble::Client(error);
        let now = self.cx.now();
        match decide(&trouble, self.cx.config().retry_backoff()) {
            // As in Java, brokers that are not there yet are waited for: there is no task whose time runs out.
            TaskFailure::Retry { .. } if self.tasks.is_empty() || self.committer.has_patience(now) => {
                tracing::debug!(thread = self.cx.number, error = %trouble, "the producer is not ready yet");
                Ok(false)
            }
            TaskFailure::Migrated | TaskFailure::Aborted => {
                self.collector.replace_producer(self.cx.producer()?);
                Ok(false)
            }
            _ => Err(Error::from(trouble).within("the producer could not begin its transactions")),
        }
    }

    /// The last commit of tasks that go elsewhere. That it fails costs no record: they are processed again there.
    pub(super) fn commit_last(&mut self, tasks: &[TaskId], now: Timestamp) -> Result<(), Error> {
        let Err(failure) = self.commit(tasks, Patience::LastChance, now) else { return Ok(()) };
        let decided = match &failure {
            CommitFailure::Trouble(trouble) => decide(trouble, self.cx.config().retry_backoff()),
            CommitFailure::Refused(_) | CommitFailure::NotCommitted(_) => TaskFailure::Migrated,
        };
        let failure = Error::from(failure);
        if matches!(decided, TaskFailure::Corrupted { .. } | TaskFailure::Fatal) {
            return Err(failure);
        }
        tracing::warn!(
            thread = self.cx.number,
            error = %failure,
            "tasks that go elsewhere could not be committed; what they did since the last commit is done again there"
        );
        if self.shutdown.ending != Ending::No {
            self.tell_who_closes(failure);
        }
        if self.committer.guarantee() == ProcessingGuarantee::ExactlyOnceV2 {
            return self.give_up_transaction();
        }
        if self.collector.under_way() > 0 {
            // What waits of theirs must not be written once others have counted on, and it cannot be told from what waits of the rest.
            self.collector.abandon();
            return self.stop_all_uncommitted();
        }
        for task in tasks {
            self.tasks.stop_uncommitted(*task, &mut self.collector, &mut self.fetcher)?;
        }
        Ok(())
    }

    /// Nobody decides about it any more, but whoever closes must not take it for a success; unless the tasks are another's already, who
    /// does what is left: there was nothing to commit any more.
    fn tell_who_closes(&self, failure: Error) {
        if failure.kind() == ErrorKind::Fenced {
            return;
        }
        let what = "the last commit did not come about; what was done since the one before is done again by who gets the tasks";
        self.cx.instance.status.failed(failure.within(what));
    }

    /// Begins anew what was done since the last commit, by all tasks: their transaction came to nothing. What their stores have is
    /// what was committed.
    fn revive(&mut self, trouble: &Trouble) -> Result<(), Error> {
        // What of it no broker takes, none would take the next time.
        if let Some(lasting) = self.collector.take_lasting_failure() {
            return Err(lasting.into());
        }
        tracing::warn!(thread = self.cx.number, error = %trouble, "the transaction came to nothing; going on from the last commit");
        if self.cx.instance.status.is_closing() {
            self.tell_who_closes(Error::new(ErrorKind::Unavailable, trouble.to_string()));
        }
        self.give_up_transaction()
    }

    /// As Java's `TaskCorruptedException` of a record that timed out: the task begins anew, with all of its transaction if there is one.
    fn revive_one(&mut self, task: TaskId, trouble: &Trouble) -> Result<(), Error> {
        if self.committer.guarantee() == ProcessingGuarantee::ExactlyOnceV2 {
            return self.revive(trouble);
        }
        tracing::warn!(thread = self.cx.number, %task, error = %trouble, "going on from the task's last commit");
        self.tasks.stop_uncommitted(task, &mut self.collector, &mut self.fetcher)
    }

    fn revive_if_exactly_once(&mut self, trouble: &Trouble) -> Result<(), Error> {
        match self.committer.guarantee() {
            ProcessingGuarantee::AtLeastOnce => Ok(()),
            ProcessingGuarantee::ExactlyOnceV2 => self.revive(trouble),
        }
    }

    /// Leaves the transaction to the next producer, which takes it back when it is initialised, and stops all tasks without commit.
    /// A producer is not used again after it: a request of the transaction may still be under way.
    pub(super) fn give_up_transaction(&mut self) -> Result<(), Error> {
        self.collector.replace_producer(self.cx.producer()?);
        self.stop_all_uncommitted()
    }

    /// All tasks begin anew from what is committed.
    fn stop_all_uncommitted(&mut self) -> Result<(), Error> {
        let processing: Vec<TaskId> = self.tasks.actives().map(StreamTask::id).collect();
        for task in processing {
            self.tasks.stop_uncommitted(task, &mut self.collector, &mut self.fetcher)?;
        }
        Ok(())
    }

    /// Does about trouble with tasks what was decided.
    pub(super) fn failed(&mut self, trouble: Trouble) -> Result<(), Error> {
        let now = self.cx.now();
        match decide(&trouble, self.cx.config().retry_backoff()) {
            TaskFailure::Retry { after } => self.committer.failed(trouble, now.plus(after), now),
            TaskFailure::Migrated => self.start_anew(&trouble),
            TaskFailure::Aborted => self.revive(&trouble),
            TaskFailure::Unwritten { task } => self.revive_one(task, &trouble),
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
