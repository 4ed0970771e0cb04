//! Records through: the turns of tasks, punctuations, and commits when they are due.

use headwater_client::GroupError;
use headwater_record::{Deadline, Timestamp};
use headwater_topology::TaskId;

use super::StreamThread;
use super::registry::Place;
use crate::commit::{self, CommitFailure};
use crate::error::{TaskFailure, Trouble, decide};
use crate::membership::Event;
use crate::{Error, metric};

impl StreamThread {
    /// Records and punctuations. Returns whether there were any.
    pub(super) fn work(&mut self, now: Timestamp) -> Result<bool, Trouble> {
        let processed = self.process(now)?;
        let ended = self.now();
        if processed > 0 {
            self.pace.took(ended.since(now));
        }
        Ok(self.punctuate(ended)? || processed > 0)
    }

    /// Gives each task its turn. Returns how many records were processed.
    fn process(&mut self, now: Timestamp) -> Result<usize, Trouble> {
        self.tell_watermarks();
        let limit = self.pace.limit();
        let mut processed = 0;
        for task in self.registry.actives_mut() {
            if task.running.is_processable(now) {
                processed += task.running.process(&mut self.output, now, limit)?;
            }
        }
        if processed > 0 {
            metric::records_processed(processed);
        }
        // Queues also empty by records that are skipped.
        self.resume()?;
        self.poll_output()?;
        Ok(processed)
    }

    /// What passes is tried again by the next poll, or by a commit.
    fn poll_output(&mut self) -> Result<(), Trouble> {
        let backoff = self.instance.config.retry_backoff();
        match self.output.poll(Deadline::NOW).map_err(Trouble::Client) {
            Err(trouble) if !matches!(decide(&trouble, backoff), TaskFailure::Retry { .. }) => Err(trouble),
            _ => Ok(()),
        }
    }

    /// Fires what is due. Returns whether anything did.
    fn punctuate(&mut self, now: Timestamp) -> Result<bool, Trouble> {
        let mut fired = false;
        for task in self.registry.actives_mut() {
            fired |= task.running.punctuate(&mut self.output, now)?;
        }
        Ok(fired)
    }

    /// Commits all tasks when the interval is over or one of them asks for it, unless a rebalance is under way.
    pub(super) fn commit_if_due(&mut self, now: Timestamp) -> Result<(), Error> {
        let requested = self.registry.actives().any(|task| task.running.commit_requested());
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
            Err(CommitFailure::Trouble(trouble)) => self.failed(trouble),
        }
    }

    /// Commits those of `tasks` that process and have something to commit.
    fn commit(&mut self, tasks: &[TaskId], now: Timestamp, until: Deadline) -> Result<(), CommitFailure> {
        let identity = self.membership.identity().clone();
        let mut committing: Vec<&mut super::ActiveTask> = Vec::new();
        for task in self.registry.actives_mut() {
            if tasks.contains(&task.running.id()) && task.running.commit_needed() {
                committing.push(task);
            }
        }
        commit::at_least_once(&mut committing, &mut self.output, self.connection.as_mut(), &identity, now, until)
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
            TaskFailure::Migrated => {
                tracing::warn!(thread = self.number, error = %trouble, "another took over; starting anew from what is committed");
                self.output.replace_producer(super::producer(&self.instance, self.number)?);
                self.tell(now, Event::CommitRefused(GroupError::IllegalGeneration))
            }
            TaskFailure::Corrupted { .. } | TaskFailure::Fatal => Err(trouble.into()),
        }
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
