//! Records through: the turns of tasks, punctuations, and commits when they are due.

use std::sync::Arc;

use headwater_client::GroupError;
use headwater_record::{Deadline, Timestamp};
use headwater_topology::TaskId;

use super::registry::Place;
use super::{StreamThread, pace};
use crate::commit::{Commit, CommitFailure, ProcessingGuarantee, tasks_of};
use crate::error::{TaskFailure, Trouble, decide};
use crate::membership::Event;
use crate::task::{StreamTask, Taken};
use crate::{Error, metric};

impl StreamThread {
    /// Records and punctuations, until the turn is over. Returns whether there were any.
    pub(super) fn work(&mut self, now: Timestamp) -> Result<bool, Trouble> {
        if self.instance.status.is_closing() {
            return Ok(false);
        }
        let processed = self.process(now)?;
        let punctuated = self.punctuate(self.now())?;
        // Queues also empty by records that are skipped.
        self.resume()?;
        self.poll_output()?;
        Ok(processed || punctuated)
    }

    /// When other things than records are due that wait for the end of a turn which begins `now`.
    fn end_of_turn(&self, now: Timestamp) -> Deadline {
        let longest = pace::LONG.min(self.instance.config.max_poll_interval() / 2);
        let commit = self.membership.may_commit().then(|| self.commits.due());
        let punctuations = self.registry.actives().filter_map(|task| task.next_wall_clock());
        let others = punctuations.chain(commit).map(Deadline::at);
        others.fold(Deadline::after(now, longest).min(self.membership.wake_at()), Deadline::min)
    }

    /// Gives each task its turn, as long as nothing else is due: that waits for one record at most. Returns whether there was any.
    fn process(&mut self, began: Timestamp) -> Result<bool, Trouble> {
        self.tell_watermarks();
        let (end, limit) = (self.end_of_turn(began), self.pace.limit());
        let instance = Arc::clone(&self.instance);
        let (clock, status) = (&*instance.environment.clock, &instance.status);
        let (mut now, mut taken, mut processed, mut is_over) = (began, 0, 0, false);
        for id in self.records.order(self.registry.actives().map(|task| task.id())) {
            let Some(task) = self.registry.active(id) else { continue };
            let most = taken + limit;
            task.process(&mut self.output, now, &mut |record| {
                taken += 1;
                processed += usize::from(record == Taken::Processed);
                now = now.max(clock.coarse());
                is_over = end.passed(now) || status.is_closing();
                (taken < most && !is_over).then_some(now)
            })?;
            if is_over {
                self.records.stopped_at(id);
                break;
            }
        }
        if taken > 0 {
            self.pace.took(self.now().since(began), is_over);
            metric::records_processed(processed);
        }
        Ok(taken > 0)
    }

    /// What passes is tried again by the next poll, or by a commit.
    fn poll_output(&mut self) -> Result<(), Trouble> {
        let backoff = self.instance.config.retry_backoff();
        match self.output.poll(Deadline::NOW).map_err(Trouble::Client) {
            Err(trouble) if !matches!(decide(&trouble, backoff), TaskFailure::Retry { .. }) => Err(trouble),
            _ => Ok(()),
        }
    }

    /// Fires what is due, as long as that is not too much for one turn. Returns whether anything was.
    fn punctuate(&mut self, began: Timestamp) -> Result<bool, Trouble> {
        let end = Deadline::after(began, pace::LONG);
        let instance = Arc::clone(&self.instance);
        let (mut now, mut fired) = (began, false);
        for id in self.punctuations.order(self.registry.actives().map(|task| task.id())) {
            let Some(task) = self.registry.active(id) else { continue };
            if !task.punctuate(&mut self.output, now)? {
                continue;
            }
            fired = true;
            now = now.max(instance.environment.clock.coarse());
            if end.passed(now) || instance.status.is_closing() {
                self.punctuations.stopped_at(id);
                break;
            }
        }
        Ok(fired)
    }

    /// Commits all tasks when the interval is over or one of them asks for it, unless a rebalance is under way.
    pub(super) fn commit_if_due(&mut self, now: Timestamp) -> Result<(), Error> {
        // Who asks without anything to commit, as in `init`, is heard with the first record.
        let asks = |task: &StreamTask| task.commit_requested() && task.commit_needed();
        let requested = self.registry.actives().any(asks);
        if !self.commits.is_due(now, requested) || !self.membership.may_commit() {
            return Ok(());
        }
        let tasks: Vec<TaskId> = self.registry.ids();
        let until = Deadline::after(now, self.instance.config.request_timeout());
        match self.commit(&tasks, now, until) {
            Ok(()) => {
                let ended = self.now();
                if let Some(took) = self.commits.succeeded(now, ended) {
                    tracing::warn!(
                        thread = self.number,
                        ?took,
                        interval = ?self.instance.config.commit_interval(),
                        "a commit took longer than commit.interval.ms, and records wait meanwhile: raise commit.interval.ms, or see why the brokers answer late"
                    );
                }
                self.purge_if_due(ended);
                Ok(())
            }
            Err(CommitFailure::Refused(error)) => {
                tracing::debug!(thread = self.number, %error, "the group takes no commit now");
                let ended = self.now();
                self.commits.put_off(ended.plus(self.instance.config.retry_backoff()));
                self.tell(ended, Event::CommitRefused(error))
            }
            Err(CommitFailure::NotCommitted(error)) => self.migrated(error.into()),
            Err(CommitFailure::Trouble(trouble)) => self.failed(trouble),
        }
    }

    /// Commits those of `tasks` that process and have something to commit.
    fn commit(&mut self, tasks: &[TaskId], now: Timestamp, until: Deadline) -> Result<(), CommitFailure> {
        let guarantee = ProcessingGuarantee::AtLeastOnce;
        let all = self.registry.actives().map(|task| (task.id(), task.commit_needed()));
        let together = tasks_of(guarantee, |task| tasks.contains(&task), all);
        let mut committing: Vec<&mut StreamTask> =
            self.registry.actives_mut().filter(|task| together.contains(&task.id())).collect();
        let commit = Commit {
            guarantee,
            collector: &mut self.output,
            group: self.connection.as_mut(),
            identity: self.membership.identity(),
            until,
        };
        commit.of(&mut committing, now)
    }

    /// Does about trouble with tasks what was decided.
    pub(super) fn failed(&mut self, trouble: Trouble) -> Result<(), Error> {
        let now = self.now();
        let config = &self.instance.config;
        match decide(&trouble, config.retry_backoff()) {
            TaskFailure::Retry { after } => {
                if self.commits.failed(now) >= config.task_timeout() {
                    return Err(Error::from(trouble).within("no commit succeeded for task.timeout.ms"));
                }
                tracing::warn!(thread = self.number, error = %trouble, "a commit failed; trying again");
                self.commits.put_off(now.plus(after));
                Ok(())
            }
            TaskFailure::Migrated => self.migrated(trouble),
            TaskFailure::Corrupted { .. } | TaskFailure::Fatal => Err(trouble.into()),
        }
    }

    /// What was done since the last commit is another's by now, or came to nothing: gives all tasks up and takes part anew.
    fn migrated(&mut self, trouble: Trouble) -> Result<(), Error> {
        tracing::warn!(thread = self.number, error = %trouble, "starting anew from what is committed");
        self.output.replace_producer(super::producer(&self.instance, self.number)?);
        self.tell(self.now(), Event::CommitRefused(GroupError::IllegalGeneration))
    }

    /// The last commit of tasks that go elsewhere, tried as long as one request may take. That it fails costs no record: they are
    /// processed again there.
    pub(super) fn commit_before_they_go(&mut self, now: Timestamp, tasks: &[TaskId]) -> Result<(), Error> {
        let backoff = self.instance.config.retry_backoff();
        let until = Deadline::after(now, self.instance.config.request_timeout());
        let mut at = now;
        let failed = loop {
            match self.commit(tasks, at, until) {
                Ok(()) => return Ok(()),
                Err(CommitFailure::Refused(error)) => break error.to_string(),
                Err(CommitFailure::NotCommitted(error)) => break error.to_string(),
                Err(CommitFailure::Trouble(trouble)) => match decide(&trouble, backoff) {
                    TaskFailure::Retry { after } if !until.passed(at.plus(after)) => {
                        tracing::debug!(thread = self.number, error = %trouble, "a last commit failed; trying again");
                        at = self.pause(at.plus(after));
                    }
                    TaskFailure::Retry { .. } | TaskFailure::Migrated => break trouble.to_string(),
                    TaskFailure::Corrupted { .. } | TaskFailure::Fatal => return Err(trouble.into()),
                },
            }
        };
        tracing::warn!(
            thread = self.number,
            error = failed,
            "tasks that go elsewhere could not be committed; what they did since the last commit is done again there"
        );
        for task in tasks {
            // What the stores hold beyond the last commit must not be handed on as if it were committed.
            self.stop(*task)?;
            if let Some(entry) = self.registry.entry(*task)
                && matches!(entry.place, Place::Complete(_) | Place::Stopped(_))
            {
                entry.place = Place::Nowhere;
            }
        }
        Ok(())
    }

    /// Waits for the time `end`, in the middle of a turn, and gives the time then. What the group says meanwhile is heard afterwards.
    /// Where time stands still, as in a simulation's turn, it goes on as if that had come.
    fn pause(&mut self, end: Timestamp) -> Timestamp {
        loop {
            match self.connection.response(Deadline::at(end)) {
                Some(response) => self.heard.push_back(response),
                None => return end.max(self.now()),
            }
        }
    }
}
