//! The stream thread: one loop that polls, processes, punctuates and commits, and takes part in the group between.
//!
//! It has no thread of the operating system and no clock: [`StreamThread::turn`] is called with the time, by `host` on a thread, or
//! by a test or a simulation by hand. Deciding is elsewhere ([`Membership`], [`tasks`](self), `assignment`); this does what was
//! decided. Restoring is done beside it by a [`RestoreWorker`], to which tasks' stores are handed over whole.

mod closing;
mod fetch;
mod group;
mod leader;
mod pace;
mod processing;
mod registry;
mod restore;
mod start;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use headwater_client::{Admin, Consumer, GroupMembership, GroupResponse, Producer, RecordBatch};
use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};
use headwater_store::cache::Budget;

pub(crate) use restore::RestoreWorker;

use crate::commit::Schedule;
use crate::config::Role;
use crate::instance::{Instance, ThreadState};
use crate::membership::{MemberSettings, Membership};
use crate::output::{OutputSettings, RecordCollector};
use crate::{Error, metric};
use leader::Leading;
use pace::{Pace, Rotation};
use registry::Registry;
use restore::RestoreLink;
use upkeep::Upkeep;

/// Where a thread stands on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody wants it to end.
    No,
    /// Its tasks are closed, and those that are elsewhere are asked back.
    Draining,
    /// It has ended.
    Done,
}

/// One stream thread.
pub(crate) struct StreamThread {
    instance: Arc<Instance>,
    number: usize,
    consumer: Box<dyn Consumer>,
    connection: Box<dyn GroupMembership>,
    admin: Box<dyn Admin>,
    output: RecordCollector,
    membership: Membership,
    registry: Registry,
    restore: RestoreLink,
    leading: Leading,
    pace: Pace,
    /// Whose records are next.
    records: Rotation,
    /// Whose punctuations are next.
    punctuations: Rotation,
    upkeep: Upkeep,
    cache: Rc<Budget>,
    batches: Vec<Box<dyn RecordBatch>>,
    /// Input partitions that are not fetched because their queues are full.
    paused: BTreeSet<TopicPartition>,
    /// Input partitions whose position is not in the log any more, with that position.
    lost_positions: BTreeMap<TopicPartition, Offset>,
    /// Where these go on is not asked before this time.
    positions_not_before: Timestamp,
    /// What the group said while something else was waited for.
    heard: VecDeque<GroupResponse>,
    commits: Schedule,
    subscribed: bool,
    /// When it was last said that the cluster does not answer.
    silence_told: Option<Timestamp>,
    /// When the group was last asked to look for a topic that had gone.
    missed_topic: Option<Timestamp>,
    /// Since when the thread would end, but for a rebalance during which nothing can be committed.
    waiting_to_end_since: Option<Timestamp>,
    /// Nothing that concerns Kafka's answers about tasks is asked before this time.
    ask_not_before: Timestamp,
    state: ThreadState,
    ending: Ending,
    told_to_shut_down: bool,
}

impl StreamThread {
    /// Thread `number` of `instance` (from 1 on), with the worker that restores for it. Both are to be driven.
    pub(crate) fn new(instance: &Arc<Instance>, number: usize, now: Timestamp) -> Result<(Self, RestoreWorker), Error> {
        let (config, environment) = (&instance.config, &instance.environment);
        let name = instance.thread_name(number);
        let clients = &environment.clients;
        let consumer = clients.consumer(&config.client(Role::MainConsumer, &format!("{name}-consumer")))?;
        let member = config.client(Role::Membership, &format!("{name}-consumer"));
        let connection = clients.membership(config.application_id(), &member)?;
        let admin = clients.admin(&config.client(Role::Admin, &format!("{name}-admin")))?;
        let producer = producer(instance, number)?;
        let (restore, worker) = restore::make(instance, &name)?;
        let clock = Arc::clone(&environment.clock);
        let output = RecordCollector::new(producer, clock, OutputSettings::of(config), instance.handlers.clone());
        let thread = StreamThread {
            number,
            consumer,
            connection,
            admin,
            output,
            membership: Membership::new(member_settings(instance, number), now),
            registry: Registry::default(),
            restore,
            leading: Leading::default(),
            pace: Pace::default(),
            records: Rotation::default(),
            punctuations: Rotation::default(),
            upkeep: Upkeep::new(now),
            cache: Rc::new(Budget::new(config.cache_bytes_per_thread())),
            batches: Vec::new(),
            paused: BTreeSet::new(),
            lost_positions: BTreeMap::new(),
            positions_not_before: now,
            heard: VecDeque::new(),
            commits: Schedule::new(config.commit_interval(), now),
            subscribed: false,
            silence_told: None,
            missed_topic: None,
            waiting_to_end_since: None,
            ask_not_before: now,
            state: ThreadState::Created,
            ending: Ending::No,
            told_to_shut_down: false,
            instance: Arc::clone(instance),
        };
        thread.instance.status.thread_is(number, ThreadState::Starting);
        Ok((StreamThread { state: ThreadState::Starting, ..thread }, worker))
    }

    /// One round that begins at the time `now`: what the group decided, new tasks, records in, through and out, punctuations, a commit when it
    /// is due. When there was nothing to do it waits for records, no longer than `poll.ms`.
    ///
    /// # Errors
    /// What ends the thread; [`StreamThread::abandon`] is to be called then.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Result<(), Error> {
        self.hear_wishes(now)?;
        self.group_turn(now)?;
        if self.ending == Ending::No {
            self.move_tasks(now)?;
            self.fetch(Deadline::NOW)?;
            let worked = self.work(self.now());
            let worked = worked.or_else(|trouble| self.failed(trouble).map(|()| true))?;
            self.commit_if_due(self.now())?;
            self.registry.actives_mut().for_each(|task| task.tell_dropped(&self.output));
            self.upkeep_turn(self.now())?;
            self.report_state();
            if !worked {
                self.wait(self.now())?;
            }
        } else if self.ending == Ending::Draining {
            self.drain(now)?;
        }
        Ok(())
    }

    /// The time now: what went before in a turn may have taken some.
    fn now(&self) -> Timestamp {
        self.instance.environment.clock.now()
    }

    /// Whether it has ended and needs no more turns.
    pub(crate) fn has_ended(&self) -> bool {
        self.ending == Ending::Done
    }

    /// Waits for records, or for the group while that is busy, until something else is due.
    fn wait(&mut self, now: Timestamp) -> Result<(), Error> {
        let config = &self.instance.config;
        let mut until = Deadline::after(now, config.poll()).min(self.membership.wake_at());
        if self.registry.is_waiting_for_stores() || self.output.under_way() > 0 {
            until = until.min(Deadline::after(now, restore::LOOK_INTERVAL));
        }
        if self.registry.actives().any(|task| task.commit_needed()) && self.membership.may_commit() {
            until = until.min(Deadline::at(self.commits.due()));
        }
        for due in self.registry.actives().filter_map(|task| task.next_wall_clock()) {
            until = until.min(Deadline::at(due));
        }
        if self.membership.is_stable() {
            self.fetch(until)
        } else {
            // Tasks that stay go on meanwhile: look after them soon.
            let until = until.min(Deadline::after(now, restore::LOOK_INTERVAL));
            match self.connection.response(until) {
                Some(response) => self.hear(now, response),
                None => Ok(()),
            }
        }
    }

    /// Tells the application where this thread stands.
    fn report_state(&mut self) {
        let state = if !self.registry.was_assigned() {
            self.state
        } else if self.registry.is_revoked() {
            ThreadState::PartitionsRevoked
        } else if self.registry.is_complete() {
            ThreadState::Running
        } else {
            ThreadState::PartitionsAssigned
        };
        self.become_state(state);
    }

    fn become_state(&mut self, state: ThreadState) {
        if self.state != state {
            self.state = state;
            self.instance.status.thread_is(self.number, state);
            metric::thread_state(self.number, state);
        }
    }
}

/// The producer of thread `number`.
fn producer(instance: &Instance, number: usize) -> Result<Box<dyn Producer>, Error> {
    let name = format!("{}-producer", instance.thread_name(number));
    Ok(instance.environment.clients.producer(&instance.config.client(Role::Producer, &name))?)
}

/// Who the thread is to its group.
fn member_settings(instance: &Instance, number: usize) -> MemberSettings {
    let config = &instance.config;
    MemberSettings {
        instance_id: config.group_instance_id().map(|id| format!("{id}-{number}")),
        end_point: config.application_server(),
        client_tags: config.client_tags(),
        rack: config.rack().map(str::to_owned),
        session_timeout: config.session_timeout(),
        heartbeat_interval: config.heartbeat_interval(),
        max_poll_interval: config.max_poll_interval(),
        retry_backoff: config.retry_backoff(),
        request_timeout: config.request_timeout(),
        ..MemberSettings::new(config.application_id(), instance.directory.process_id())
    }
}

impl std::fmt::Debug for StreamThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamThread")
            .field("number", &self.number)
            .field("state", &self.state)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
