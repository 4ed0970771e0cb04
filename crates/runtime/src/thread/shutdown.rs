//! The way out of a thread: at the user's wish, or after an error.

use std::cell::Cell;
use std::time::Duration;

use headwater_record::{Deadline, Timestamp};

use super::context::ThreadContext;
use super::{StreamThread, state_updater};
use crate::Error;
use crate::instance::{Closing, ThreadState};
use crate::membership::{Action, Event};

/// How long a closing thread waits for a rebalance to be through.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Where a thread stands on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody wants it to end.
    No,
    /// Its tasks are closed, and those that are elsewhere are asked back.
    Draining,
    /// It has ended.
    Done,
}

/// Whether a thread ends, and how far it is with that.
#[derive(Debug)]
pub(super) struct Shutdown {
    pub(super) ending: Ending,
    /// When the thread heard that it is to end. What it was busy with before, as with a record that takes long, is no step of closing.
    heard: Cell<Option<Timestamp>>,
    /// Whether the group was told that the whole application is to close.
    told_group: bool,
}

impl Shutdown {
    pub(super) fn new() -> Self {
        Shutdown { ending: Ending::No, heard: Cell::new(None), told_group: false }
    }

    /// Whether to put the end off once more: `commit_is_held_up` by a rebalance, and what was done since the last commit would be done
    /// again elsewhere. It is through soon, or not for long.
    fn waits(&self, commit_is_held_up: bool, closing: Closing, now: Timestamp) -> bool {
        commit_is_held_up && now.since(self.heard(now)) < LONGEST_WAIT.min(closing.timeout / 2)
    }

    /// Until when the answers of a commit that `began` then are waited for. It is asked while they are waited for: who closes has less time.
    pub(super) fn answer_by(&self, cx: &ThreadContext, began: Timestamp) -> Deadline {
        let closing = cx.instance.status.closing();
        let by = closing.map(|closing| Deadline::after(self.heard(cx.now()), closing.timeout * 3 / 4));
        by.into_iter().fold(cx.answer_by(began), Deadline::min)
    }

    /// Whether the group's answer is waited for no longer.
    fn has_waited(&self, closing: Closing, now: Timestamp) -> bool {
        now.since(self.heard(now)) >= closing.timeout * 7 / 8
    }

    fn heard(&self, now: Timestamp) -> Timestamp {
        let heard = self.heard.get().unwrap_or(now);
        self.heard.set(Some(heard));
        heard
    }
}

impl StreamThread {
    /// Whether somebody wants this thread, or the whole application, to end.
    pub(super) fn check_shutdown_requested(&mut self, now: Timestamp) -> Result<(), Error> {
        let instance = std::sync::Arc::clone(&self.cx.instance);
        let status = &instance.status;
        let lives = self.shutdown.ending == Ending::No;
        if lives && let Some(failure) = status.take_failure_of_listener() {
            return Err(failure);
        }
        if status.application_shuts_down() && !self.shutdown.told_group {
            self.shutdown.told_group = true;
            self.tell(now, Event::ShutDownApplication)?;
        }
        let held_up = self.tasks.commit_needed() && !self.member.may_commit();
        if lives
            && let Some(closing) = status.closing()
            && !self.shutdown.waits(held_up, closing, now)
        {
            self.begin_to_end(closing.leave, now)?;
        }
        Ok(())
    }

    /// Commits and stops all tasks, and asks those back that are with the state updater.
    fn begin_to_end(&mut self, leave: bool, now: Timestamp) -> Result<(), Error> {
        tracing::info!(thread = self.cx.number, "a stream thread closes");
        self.shutdown.ending = Ending::Draining;
        self.become_state(ThreadState::PendingShutdown);
        let watch = &self.cx.instance.watch;
        watch.waits_for(self.cx.number, "brokers that do not answer to its last commit");
        self.commit_last(&self.tasks.ids(), now)?;
        self.tasks.close(&mut self.collector, &mut self.fetcher)?;
        self.tell(now, Event::Close { leave })
    }

    /// Waits for the tasks that come back, and for the group's answer.
    pub(super) fn drain(&mut self, now: Timestamp) -> Result<(), Error> {
        self.tasks.take_reports()?;
        self.tasks.close_those_back();
        let closing = self.cx.instance.status.closing();
        let has_waited = closing.is_some_and(|closing| self.shutdown.has_waited(closing, now));
        let waits_for = if self.tasks.is_empty() {
            "the group's coordinator, which has not answered that it leaves"
        } else {
            "stores that are being restored or followed, to be closed"
        };
        self.cx.instance.watch.waits_for(self.cx.number, waits_for);
        if self.tasks.is_empty() && (self.member.is_ended() || has_waited) {
            self.shutdown.ending = Ending::Done;
        } else {
            let until = Deadline::after(now, state_updater::LOOK_INTERVAL).min(self.member.wake_at());
            if let Some(response) = self.member.response(until) {
                self.on_response(now, response)?;
            }
        }
        Ok(())
    }

    /// After an error: closes all tasks without commit and leaves the group, as far as that is possible.
    pub(crate) fn abandon(&mut self, now: Timestamp) {
        self.become_state(ThreadState::PendingShutdown);
        self.tasks.abandon(&mut self.collector, &mut self.fetcher);
        // Readers of committed records wait for no time-out then.
        let patience = self.cx.config().request_timeout().min(Duration::from_secs(3));
        if let Err(error) = self.collector.abort_transaction(Deadline::after(now, patience)) {
            tracing::warn!(thread = self.cx.number, %error, "the transaction is left to its time-out");
        }
        self.member.connection().keep_alive(None);
        for action in self.member.step(now, Event::Close { leave: true }) {
            if let Action::Send(request) = action
                && self.member.connection().submit(request).is_ok()
            {
                let patience = self.cx.config().request_timeout().min(Duration::from_secs(3));
                let _ = self.member.connection().response(Deadline::after(now, patience));
            }
        }
    }
}
