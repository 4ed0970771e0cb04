//! Bringing tasks to where they are wanted: opening, handing over to be restored, starting, closing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::StartAt;
use headwater_record::{Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;

use super::{TargetRole, TaskManager, TaskState};
use crate::changelog::{StandbyEnd, UpdateFailure};
use crate::error::{TaskFailure, Trouble, decide};
use crate::instance::Instance;
use crate::membership::{Assignment, MembershipError};
use crate::output::RecordCollector;
use crate::task::{ClosedTask, Parts, StreamTask, TaskSettings, TaskSpec, TaskStores};
use crate::thread::fetcher::Fetcher;
use crate::thread::question::{Beginnings, Question};
use crate::thread::state_updater::{Asker, Order, Report};
use crate::{Error, ErrorKind};

impl TaskManager {
    /// Takes back what the state updater is done with.
    pub(in crate::thread) fn take_reports(&mut self) -> Result<(), Error> {
        while let Some(report) = self.updater.report()? {
            let (stores, failure, state): (_, _, fn(TaskStores) -> TaskState) = match report {
                Report::Restored(stores) => (stores, None, TaskState::Restored),
                Report::Removed(stores, committed) => (stores, committed.err(), TaskState::Suspended),
                Report::Failed(stores, failure) => (stores, Some(failure), TaskState::Suspended),
            };
            let Some(entry) = self.entries.get_mut(&stores.id) else { continue };
            entry.state = match failure {
                None => state(stores),
                Some(failure) => {
                    let wanted = entry.target != TargetRole::Nothing;
                    give_up(stores, failure, wanted, self.cx.config().retry_backoff())?;
                    TaskState::Created
                }
            };
        }
        Ok(())
    }

    /// Moves each task one step nearer to where it is wanted. Those are given that only wait to be [started](TaskManager::start).
    pub(in crate::thread) fn advance(
        &mut self,
        collector: &mut RecordCollector,
        fetcher: &mut Fetcher,
    ) -> Result<Vec<TaskId>, Error> {
        let mut restored = Vec::new();
        for task in self.ids() {
            if self.move_task(task, collector, fetcher)? {
                restored.push(task);
            }
            self.tell_readers(task);
        }
        Ok(restored)
    }

    /// Lets those who read the task's stores know where it stands, if that is new.
    fn tell_readers(&mut self, task: TaskId) {
        let instance = Arc::clone(&self.cx.instance);
        let Some(entry) = self.entries.get_mut(&task) else { return };
        let stands = entry.stands();
        if entry.told.replace(stands) != Some(stands) {
            let topology = &instance.topology;
            let part = topology.subtopology(task.subtopology);
            let stores = part.iter().flat_map(|part| &part.stores).filter_map(|store| topology.store(*store));
            instance.stores.task_is(task, stands, stores.map(|store| store.spec.name.as_str()));
        }
    }

    /// One step of one task. Returns whether it only waits to be started.
    fn move_task(
        &mut self,
        task: TaskId,
        collector: &mut RecordCollector,
        fetcher: &mut Fetcher,
    ) -> Result<bool, Error> {
        let Some(entry) = self.entries.get_mut(&task) else { return Ok(false) };
        match (entry.target, &entry.state) {
            (TargetRole::Active, TaskState::Running(_) | TaskState::Updating { active: true })
            | (TargetRole::Standby, TaskState::Updating { active: false })
            | (_, TaskState::Returning) => Ok(false),
            (TargetRole::Nothing, TaskState::Created | TaskState::Suspended(_) | TaskState::Restored(_)) => {
                self.entries.remove(&task);
                tracing::debug!(%task, "closed a task");
                Ok(false)
            }
            (_, TaskState::Running(_)) => {
                self.stop(task, collector, fetcher)?;
                self.move_task(task, collector, fetcher)
            }
            (_, TaskState::Updating { .. }) => {
                self.ask_back(task);
                Ok(false)
            }
            (TargetRole::Active | TargetRole::Standby, TaskState::Created) => self.open(task, collector),
            (TargetRole::Active, TaskState::Restored(_)) => Ok(true),
            (TargetRole::Active, TaskState::Suspended(_)) => Ok(self.hand_over(task, true)),
            (TargetRole::Standby, TaskState::Suspended(_) | TaskState::Restored(_)) => Ok(self.hand_over(task, false)),
        }
    }

    /// Hands a task's stores to the state updater, as soon as that has room for it. Returns whether there is nothing to restore.
    fn hand_over(&mut self, task: TaskId, active: bool) -> bool {
        let Some(entry) = self.entries.get_mut(&task) else { return false };
        let stores = match std::mem::replace(&mut entry.state, TaskState::Updating { active }) {
            TaskState::Suspended(stores) | TaskState::Restored(stores) => stores,
            other => {
                entry.state = other;
                return false;
            }
        };
        if stores.changelogs.is_empty() {
            entry.state = TaskState::Restored(stores);
            return active;
        }
        let order = if active { Order::Restore(stores) } else { Order::Follow(stores) };
        if let Some(Order::Restore(stores) | Order::Follow(stores)) = self.updater.send(order) {
            entry.state = TaskState::Suspended(stores);
        }
        false
    }

    /// Asks the state updater for a task that it has, as soon as that has room for it.
    fn ask_back(&mut self, task: TaskId) {
        if let Some(entry) = self.entries.get_mut(&task)
            && matches!(entry.state, TaskState::Updating { .. })
        {
            let end = if entry.target == TargetRole::Active { StandbyEnd::Promoted } else { StandbyEnd::Migrated };
            if self.updater.send(Order::Remove(task, end)).is_none() {
                entry.state = TaskState::Returning;
            }
        }
    }

    /// Opens a task's stores and hands them over. Returns whether there is nothing to restore.
    fn open(&mut self, task: TaskId, collector: &RecordCollector) -> Result<bool, Error> {
        // What an earlier life of the task wrote must be in its changelogs before they are read.
        if collector.task_under_way(task) > 0 {
            return Ok(false);
        }
        let spec = self.spec(task)?;
        let instance = &self.cx.instance;
        // Another thread may still be closing it.
        let Some(claim) = instance.directory.claim(task) else { return Ok(false) };
        let choice = instance.environment.stores.choice(&instance.config);
        let stores = TaskStores::open(&instance.topology, &spec, &choice, claim).map_err(Trouble::Open)?;
        let Some(entry) = self.entries.get_mut(&task) else { return Ok(false) };
        tracing::debug!(%task, wanted = ?entry.target, "opened a task");
        instance.stores.opened(&stores, entry.stands().0, &self.inbox.asks());
        entry.told = None;
        let active = entry.target == TargetRole::Active;
        entry.state = TaskState::Suspended(stores);
        Ok(self.hand_over(task, active))
    }

    /// Starts a task whose stores are complete, where its inputs were left.
    pub(in crate::thread) fn start(
        &mut self,
        spec: TaskSpec,
        beginnings: &Beginnings,
        collector: &mut RecordCollector,
        fetcher: &mut Fetcher,
        now: Timestamp,
    ) -> Result<(), Error> {
        let id = spec.id;
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        if !matches!(entry.state, TaskState::Restored(_)) {
            return Ok(());
        }
        let TaskState::Restored(stores) = std::mem::replace(&mut entry.state, TaskState::Created) else {
            return Ok(());
        };
        let of_task =
            || spec.partitions().filter_map(|partition| Some((partition.clone(), beginnings.get(partition)?.clone())));
        let committed = of_task().filter_map(|(partition, (_, committed))| Some((partition, committed?))).collect();
        let assign: Vec<(TopicPartition, StartAt)> = of_task().map(|(partition, (at, _))| (partition, at)).collect();
        let instance = &self.cx.instance;
        let settings = TaskSettings {
            application: Arc::clone(&instance.application),
            max_task_idle: u64::try_from(instance.config.max_task_idle_ms()).ok().map(Duration::from_millis),
            emit_interval: Duration::from_secs(1),
            handlers: instance.handlers.clone(),
            cache: std::rc::Rc::clone(&self.cache),
        };
        let topology = &instance.topology;
        let parts = Parts { topology, spec, stores, globals: instance.globals.stores(), committed, settings };
        let started = StreamTask::start(parts, collector, now).map_err(Trouble::Task)?;
        tracing::debug!(task = %id, "a task processes");
        instance.stores.committed(id, started.committed_position());
        fetcher.assign(&assign)?;
        entry.state = TaskState::Running(Box::new(started));
        self.tell_readers(id);
        Ok(())
    }

    /// Asks where the inputs of these tasks begin, and how many partitions there are to write to: no record waits for that.
    pub(in crate::thread) fn ask_beginnings(
        &mut self,
        tasks: &[TaskId],
        collector: &mut RecordCollector,
        asker: &mut Asker,
    ) -> Result<(), Error> {
        if !self.asked {
            let specs = tasks.iter().map(|task| self.spec(*task)).collect::<Result<_, _>>()?;
            let topology = &self.cx.instance.topology;
            let parts: BTreeSet<_> = tasks.iter().map(|task| task.subtopology).collect();
            let parts = parts.into_iter().filter_map(|part| topology.subtopology(part));
            let outputs = collector.uncounted(parts.flat_map(|part| topology.sink_topics(part)));
            self.asked = asker.ask(Question::Beginnings { epoch: self.epoch, specs, outputs });
        }
        Ok(())
    }

    /// The answer to that is there. Whether it still says something.
    pub(in crate::thread) fn beginnings_heard(&mut self, epoch: u64) -> bool {
        self.asked = false;
        epoch == self.epoch
    }

    /// Takes a task out of processing: its partitions are read no longer, its stores are kept.
    pub(in crate::thread) fn stop(
        &mut self,
        task: TaskId,
        collector: &mut RecordCollector,
        fetcher: &mut Fetcher,
    ) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&task) else { return Ok(()) };
        if !matches!(entry.state, TaskState::Running(_)) {
            return Ok(());
        }
        let TaskState::Running(mut running) = std::mem::replace(&mut entry.state, TaskState::Created) else {
            return Ok(());
        };
        self.epoch += 1;
        running.tell_dropped(collector);
        let partitions: Vec<TopicPartition> = running.spec().partitions().cloned().collect();
        collector.release(task);
        let closed = running.close();
        let held = tell_held(&self.cx.instance, &closed);
        entry.state = TaskState::after(closed);
        fetcher.unassign(&partitions)?;
        held
    }

    /// As [`TaskManager::stop`], of a task whose last commit failed, or that is another's by now: what its stores hold beyond the last
    /// commit must not be built upon.
    pub(in crate::thread) fn stop_uncommitted(
        &mut self,
        task: TaskId,
        collector: &mut RecordCollector,
        fetcher: &mut Fetcher,
    ) -> Result<(), Error> {
        self.stop(task, collector, fetcher)?;
        if let Some(entry) = self.entries.get_mut(&task)
            && matches!(entry.state, TaskState::Restored(_) | TaskState::Suspended(_))
        {
            entry.state = TaskState::Created;
        }
        Ok(())
    }

    /// Stops all tasks for good, and asks those back that the state updater has, whose stores it commits.
    pub(in crate::thread) fn close(
        &mut self,
        collector: &mut RecordCollector,
        fetcher: &mut Fetcher,
    ) -> Result<(), Error> {
        self.want_nothing();
        for task in self.ids() {
            self.stop(task, collector, fetcher)?;
        }
        self.close_those_back();
        Ok(())
    }

    /// Of tasks that are closed for good: lets go those that are here, and asks the others back.
    pub(in crate::thread) fn close_those_back(&mut self) {
        self.entries.retain(|_, entry| matches!(entry.state, TaskState::Updating { .. } | TaskState::Returning));
        self.ids().into_iter().for_each(|task| self.ask_back(task));
    }

    /// Closes all tasks without commit. What else goes wrong now changes nothing any more.
    pub(in crate::thread) fn abandon(&mut self, collector: &mut RecordCollector, fetcher: &mut Fetcher) {
        for task in self.ids() {
            let _ = self.stop(task, collector, fetcher);
            self.entries.remove(&task);
        }
    }

    /// Whether this instance's topology has the tasks that the leader assigned, with all their inputs: what it would not read must not
    /// be left out in silence.
    pub(super) fn check(&self, assignment: &Assignment) -> Result<(), Error> {
        for (task, inputs) in assignment.active.iter().chain(&assignment.standby) {
            let spec = self.spec_of(*task, inputs)?;
            let topics = |partition: &TopicPartition| partition.topic.clone();
            let unknown = inputs.iter().filter(|partition| spec.input(partition).is_none());
            let assigned: BTreeSet<Topic> = unknown.map(topics).collect();
            if !assigned.is_empty() {
                let subscribed = spec.partitions().map(topics).collect();
                let error = MembershipError::OtherTopology { assigned, subscribed };
                return Err(Error::from(error).within(format!("task {task}")));
            }
        }
        Ok(())
    }

    /// What a task is made of, with the topics of the partitions that the leader gave it where sources name them by patterns.
    fn spec(&self, task: TaskId) -> Result<TaskSpec, Error> {
        let inputs = self.entries.get(&task).map(|entry| entry.inputs.clone()).unwrap_or_default();
        let mut spec = self.spec_of(task, &inputs)?;
        // A narrower topic has no such partition.
        spec.inputs.retain(|input| inputs.contains(&input.partition));
        Ok(spec)
    }

    fn spec_of(&self, task: TaskId, inputs: &BTreeSet<TopicPartition>) -> Result<TaskSpec, Error> {
        let instance = &self.cx.instance;
        let matching = |pattern: &str| {
            let topics = inputs.iter().map(|partition| partition.topic.as_str());
            topics.filter(|topic| instance.patterns.matches(pattern, topic)).map(str::to_owned).collect()
        };
        let spec = TaskSpec::of(&instance.topology, task, &matching);
        spec.ok_or_else(|| {
            Error::new(
                ErrorKind::Topology,
                format!("the group's leader assigned task {task}, which this instance's topology does not have: all instances of an application must run the same topology"),
            )
        })
    }
}

/// The stores of a task could not be brought up to date. Those that do not go with their changelogs are deleted, to be restored
/// anew; any other failure of a task that is `wanted` is the thread's.
fn give_up(stores: TaskStores, failure: UpdateFailure, wanted: bool, backoff: Duration) -> Result<(), Error> {
    let (task, trouble) = (stores.id, Trouble::Update(failure));
    match decide(&trouble, backoff) {
        TaskFailure::Corrupted { .. } => {
            tracing::warn!(%task, error = %trouble, "local state is deleted and restored from its changelogs");
            stores.wipe()?;
            Ok(())
        }
        _ if wanted => Err(trouble.into()),
        _ => Ok(()),
    }
}

/// Says what something still holds of a task that has closed: it stays open, and no task of this process can open it again. To a test
/// that is an error.
fn tell_held(instance: &Instance, closed: &ClosedTask) -> Result<(), Error> {
    let names = closed.held.iter().filter_map(|store| instance.topology.store(*store));
    let told = names.map(|store| {
        let (task, store) = (closed.stores.id, &store.spec.name);
        let message = format!(
            "store {store} of task {task} is still held after its task has closed: keep states only in the processor that opened them"
        );
        tracing::error!(%task, store, "{message}");
        Error::new(ErrorKind::User, message)
    });
    // All are said, the first is the error.
    let told: Vec<Error> = told.collect();
    told.into_iter().next().filter(|_| instance.is_driven).map_or(Ok(()), Err)
}
