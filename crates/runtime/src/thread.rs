//! The stream thread: one loop that polls, processes, punctuates and commits, and takes part in the group between.
//!
//! It has no thread of the operating system and no clock: [`StreamThread::turn`] is called with the time, by `host` on a thread, or
//! by a test or a simulation by hand. Its parts have their own state: [`Member`] is who it is in the group, [`TaskManager`] its tasks,
//! [`Fetcher`] and [`RecordCollector`] are the ways in and out, [`Committer`] knows when to commit, [`Asker`] asks the cluster, [`Shutdown`] knows how far the end is.
//! Deciding is elsewhere (`membership`, `assignment`, `commit`); this does what was decided. Restoring is done beside it by a
//! [`RestoreWorker`], to which tasks' stores are handed over whole.

mod cluster;
mod commits;
mod committer;
mod context;
mod fetcher;
mod fetches;
mod group;
mod member;
mod pace;
mod question;
mod rebalances;
mod sampler;
mod shutdown;
mod state_updater;
mod summary;
mod task_manager;
mod upkeep;

use std::sync::Arc;

use headwater_record::{Deadline, Timestamp};

pub(crate) use state_updater::RestoreWorker;

use self::committer::Committer;
use self::context::ThreadContext;
use self::fetcher::Fetcher;
use self::member::Member;
use self::question::Question;
use self::rebalances::Rebalances;
use self::sampler::Sampler;
use self::shutdown::{Ending, Shutdown};
use self::state_updater::Asker;
use self::summary::Summary;
use self::task_manager::TaskManager;
use self::upkeep::Upkeep;
use crate::error::{TaskFailure, Trouble, decide};
use crate::instance::{Inbox, Instance, ThreadState};
use crate::output::{OutputSettings, RecordCollector};
use crate::{Error, metric};

/// One stream thread.
pub(crate) struct StreamThread {
    cx: ThreadContext,
    member: Member,
    tasks: TaskManager,
    fetcher: Fetcher,
    collector: RecordCollector,
    committer: Committer,
    asker: Asker,
    upkeep: Upkeep,
    sampler: Sampler,
    rebalances: Rebalances,
    summary: Summary,
    shutdown: Shutdown,
    state: ThreadState,
}

impl StreamThread {
    /// Thread `number` of `instance` (from 1 on), with the worker that restores for it. Both are to be driven.
    pub(crate) fn new(instance: &Arc<Instance>, number: usize, now: Timestamp) -> Result<(Self, RestoreWorker), Error> {
        let cx = ThreadContext { instance: Arc::clone(instance), number };
        let fetcher = Fetcher::new(&cx, now)?;
        let member = Member::new(&cx, now)?;
        let clock = Arc::clone(&instance.environment.clock);
        let settings = OutputSettings::of(cx.config());
        let mut collector = RecordCollector::new(cx.producer()?, clock, settings, instance.handlers.clone());
        collector.obey(member.lease());
        let (updater, asker, worker) = state_updater::make(&cx)?;
        let before = instance.threads.of(number).map(|before| before.rebalances.clone()).unwrap_or_default();
        let thread = StreamThread {
            member,
            tasks: TaskManager::new(&cx, updater, Inbox::new(fetcher.wakeup())),
            fetcher,
            collector,
            committer: Committer::new(&cx, now),
            asker,
            upkeep: Upkeep::new(now),
            sampler: Sampler::new(now),
            rebalances: Rebalances::after(before, now),
            summary: Summary::new(instance.config.log_summary_interval(), now),
            shutdown: Shutdown::new(),
            state: ThreadState::Starting,
            cx,
        };
        instance.status.thread_is(number, ThreadState::Starting);
        Ok((thread, worker))
    }

    /// One round that begins at the time `now`: what the group decided, new tasks, records in, through and out, punctuations, a commit when it
    /// is due. When there was nothing to do it waits for records, no longer than `poll.ms`.
    ///
    /// # Errors
    /// What ends the thread; [`StreamThread::abandon`] is to be called then.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Result<(), Error> {
        self.rebalances.turn(self.member.is_stable(), self.state == ThreadState::Running, now);
        self.tell_if_due(now);
        self.tasks.answer_readers();
        self.check_shutdown_requested(now)?;
        self.group_turn(now)?;
        match self.shutdown.ending {
            Ending::No => self.work_turn(now),
            Ending::Draining => self.drain(now),
            Ending::Done => Ok(()),
        }
    }

    fn work_turn(&mut self, now: Timestamp) -> Result<(), Error> {
        if !self.initialise_producer(now)? {
            return self.wait(self.cx.now());
        }
        self.move_tasks(now)?;
        self.fetch(Deadline::NOW)?;
        let worked = self.work(self.cx.now());
        let worked = worked.or_else(|trouble| self.failed(trouble).map(|()| true))?;
        self.commit_if_due(self.cx.now())?;
        self.tasks.tell_dropped(&self.collector);
        let now = self.cx.now();
        self.upkeep.turn(&self.cx, now);
        self.member.look_at_topics(now, &mut self.asker);
        let outputs = self.collector.stale_topics(now);
        if !outputs.is_empty() {
            // Without room for the question, it is asked the next time.
            self.asker.ask(Question::Partitions(outputs));
        }
        self.report_state();
        if worked { Ok(()) } else { self.wait(self.cx.now()) }
    }

    /// Whether it has ended and needs no more turns.
    pub(crate) fn has_ended(&self) -> bool {
        self.shutdown.ending == Ending::Done
    }

    /// Takes back what the state updater is done with, and moves each task one step nearer to where it is wanted.
    fn move_tasks(&mut self, now: Timestamp) -> Result<(), Error> {
        self.tasks.take_reports()?;
        // A task whose inputs are others than before, because topics came or went, begins anew from what is committed.
        let changed = self.tasks.with_other_inputs();
        if !changed.is_empty() && self.member.may_commit() {
            self.commit_last(&changed, now)?;
            for task in changed {
                self.tasks.stop(task, &mut self.collector, &mut self.fetcher)?;
            }
        }
        let restored = self.tasks.advance(&mut self.collector, &mut self.fetcher)?;
        if restored.is_empty() || !self.member.may_ask(now) {
            return Ok(());
        }
        self.tasks.ask_beginnings(&restored, &mut self.collector, &mut self.asker)
    }

    /// Records and punctuations, until the turn is over. Returns whether there were any.
    fn work(&mut self, now: Timestamp) -> Result<bool, Trouble> {
        // What is made of records by who has lost its tasks is made in vain.
        if self.cx.instance.status.is_closing() || self.collector.check_confirmed().is_err() {
            return Ok(false);
        }
        if self.collector.is_full() {
            // The group, the commit and the end do not wait for room.
            self.poll_output()?;
            if self.collector.is_full() {
                return Ok(false);
            }
        }
        self.fetcher.tell_watermarks(&mut self.tasks);
        let end = self.end_of_turn(now);
        let processed = self.tasks.process(&mut self.collector, now, end)?;
        let punctuated = !self.collector.is_full() && self.tasks.punctuate(&mut self.collector, self.cx.now())?;
        // Queues also empty by records that are skipped.
        self.fetcher.resume(&mut self.tasks)?;
        self.poll_output()?;
        Ok(processed || punctuated)
    }

    /// When other things than records are due that wait for the end of a turn which begins `now`.
    fn end_of_turn(&self, now: Timestamp) -> Deadline {
        let longest = pace::LONG.min(self.cx.config().max_poll_interval() / 2);
        let commit = self.member.may_commit().then(|| self.committer.due());
        let others = self.tasks.next_wall_clocks().chain(commit).map(Deadline::at);
        others.fold(Deadline::after(now, longest).min(self.member.wake_at()), Deadline::min)
    }

    /// What passes is tried again by the next poll, or by a commit.
    fn poll_output(&mut self) -> Result<(), Trouble> {
        let backoff = self.cx.config().retry_backoff();
        match self.collector.poll(Deadline::NOW).map_err(Trouble::Client) {
            Err(trouble) if !matches!(decide(&trouble, backoff), TaskFailure::Retry { .. }) => Err(trouble),
            _ => Ok(()),
        }
    }

    /// Waits for records, or for the group while that is busy, until something else is due.
    fn wait(&mut self, now: Timestamp) -> Result<(), Error> {
        // A poll of this turn may have been woken in place of the one to come.
        if self.tasks.are_readers_waiting() {
            return Ok(());
        }
        let soon = Deadline::after(now, state_updater::LOOK_INTERVAL);
        let mut until = Deadline::after(now, self.cx.config().poll()).min(self.member.wake_at());
        if self.tasks.is_waiting_for_stores() || self.asker.is_waiting() || self.collector.under_way() > 0 {
            until = until.min(soon);
        }
        if (self.tasks.commit_needed() || self.collector.is_in_transaction()) && self.member.may_commit() {
            until = until.min(Deadline::at(self.committer.due()));
        }
        until = self.tasks.next_wall_clocks().map(Deadline::at).fold(until, Deadline::min);
        if self.member.is_stable() {
            return self.fetch(until);
        }
        // Tasks that stay go on meanwhile: look after them soon.
        match self.member.response(until.min(soon)) {
            Some(response) => self.on_response(now, response),
            None => Ok(()),
        }
    }

    /// Tells the application where this thread stands.
    fn report_state(&mut self) {
        let state = if !self.tasks.was_assigned() {
            self.state
        } else if self.tasks.is_revoked() {
            ThreadState::PartitionsRevoked
        } else if self.tasks.is_complete() {
            ThreadState::Running
        } else {
            ThreadState::PartitionsAssigned
        };
        self.become_state(state);
    }

    fn become_state(&mut self, state: ThreadState) {
        if self.state != state {
            self.state = state;
            self.cx.instance.status.thread_is(self.cx.number, state);
            metric::thread_state(self.cx.number, state);
        }
    }
}

impl std::fmt::Debug for StreamThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamThread")
            .field("number", &self.cx.number)
            .field("state", &self.state)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}
