//! The way out of a thread: at the user's wish, or after an error.

use std::time::Duration;

use headwater_record::{Deadline, Timestamp};
use headwater_topology::TaskId;

use super::registry::Place;
use super::{Ending, StreamThread};
use crate::Error;
use crate::instance::ThreadState;
use crate::membership::{Action, Event};

/// How long a closing thread waits for a rebalance to be through.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl StreamThread {
    /// Whether somebody wants this thread, or the whole application, to end.
    pub(super) fn hear_wishes(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.ending == Ending::No
            && let Some(failure) = self.instance.status.take_failure_of_listener()
        {
            return Err(failure);
        }
        if self.instance.status.application_shuts_down() && !self.told_to_shut_down {
            self.told_to_shut_down = true;
            self.tell(now, Event::ShutDownApplication)?;
        }
        if self.ending == Ending::No && self.instance.status.closing().is_some() && !self.is_better_to_wait(now) {
            self.begin_to_end(now)?;
        }
        Ok(())
    }

    /// Whether to put the end off: in the middle of a rebalance nothing can be committed, and what was done since the last commit would
    /// be done again elsewhere. It is through soon, or not for long.
    fn is_better_to_wait(&mut self, now: Timestamp) -> bool {
        let something_to_commit = self.registry.actives().any(|task| task.commit_needed());
        if !something_to_commit || self.membership.may_commit() {
            return false;
        }
        now.since(*self.waiting_to_end_since.get_or_insert(now)) < LONGEST_WAIT
    }

    /// Commits and stops all tasks, and asks those back that are with the restore worker, whose stores it commits.
    fn begin_to_end(&mut self, now: Timestamp) -> Result<(), Error> {
        tracing::info!(thread = self.number, "a stream thread closes");
        self.ending = Ending::Draining;
        self.become_state(ThreadState::PendingShutdown);
        let tasks: Vec<TaskId> = self.registry.ids();
        self.commit_before_they_go(now, &tasks)?;
        self.registry.want_nothing();
        for task in tasks {
            self.stop(task)?;
            let Some(entry) = self.registry.entry(task) else { continue };
            match entry.place {
                Place::Updating { .. } => {
                    entry.place = Place::Returning;
                    self.restore.ask_back(task);
                }
                Place::Returning => {}
                _ => {
                    self.registry.remove(task);
                }
            }
        }
        let leave = self.instance.status.closing().is_some_and(|closing| closing.leave);
        self.tell(now, Event::Close { leave })
    }

    /// Waits for the tasks that come back, and for the group's answer.
    pub(super) fn drain(&mut self, now: Timestamp) -> Result<(), Error> {
        self.take_reports()?;
        self.registry.remove_those_back();
        if self.registry.is_empty() && self.membership.is_ended() {
            self.ending = Ending::Done;
        } else {
            let until = Deadline::after(now, super::restore::LOOK_INTERVAL).min(self.membership.wake_at());
            if let Some(response) = self.connection.response(until) {
                self.hear(now, response)?;
            }
        }
        Ok(())
    }

    /// The group has taken note that this member goes.
    pub(super) fn left(&mut self) {
        tracing::debug!(thread = self.number, "left the group");
        self.connection.keep_alive(None);
    }

    /// After an error: closes all tasks without commit and leaves the group, as far as that is possible.
    pub(crate) fn abandon(&mut self, now: Timestamp) {
        self.become_state(ThreadState::PendingShutdown);
        for task in self.registry.ids() {
            // What else goes wrong now changes nothing any more.
            let _ = self.stop(task);
            self.registry.remove(task);
        }
        self.connection.keep_alive(None);
        for action in self.membership.step(now, Event::Close { leave: true }) {
            if let Action::Send(request) = action
                && self.connection.submit(request).is_ok()
            {
                let patience = self.instance.config.request_timeout().min(Duration::from_secs(3));
                let _ = self.connection.response(Deadline::after(now, patience));
            }
        }
    }
}
