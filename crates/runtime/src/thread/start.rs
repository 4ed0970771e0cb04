//! Bringing tasks to where they are wanted: opening, handing over to be restored, starting, closing.

use std::collections::{BTreeSet, HashMap};

use headwater_client::{ClientError, ErrorClass, OffsetSpec, StartAt};
use headwater_record::{Deadline, Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;
use headwater_topology::node::OffsetReset;

use super::StreamThread;
use super::registry::{Place, Wanted};
use super::restore::Report;
use crate::changelog::UpdateFailure;
use crate::error::{TaskFailure, Trouble, decide};
use crate::membership::{Assignment, MembershipError};
use crate::task::{Committed, Parts, StreamTask, TaskInput, TaskSettings, TaskSpec, TaskStores};
use crate::{Error, ErrorKind};

/// Where the input partitions of tasks begin.
type Beginnings = HashMap<TopicPartition, (StartAt, Option<Committed>)>;

impl StreamThread {
    /// Takes back what the restore worker is done with, and moves each task one step nearer to where it is wanted.
    pub(super) fn move_tasks(&mut self, now: Timestamp) -> Result<(), Error> {
        self.take_reports()?;
        self.stop_those_with_other_inputs(now)?;
        let mut complete = Vec::new();
        for task in self.registry.ids() {
            if self.move_task(task)? {
                complete.push(task);
            }
        }
        if !complete.is_empty() && now >= self.ask_not_before {
            self.start(&complete, now)?;
        }
        Ok(())
    }

    pub(super) fn take_reports(&mut self) -> Result<(), Error> {
        while let Some(report) = self.restore.report()? {
            let task = match &report {
                Report::Restored(stores) | Report::Removed(stores, _) | Report::Failed(stores, _) => stores.id,
            };
            let Some(entry) = self.registry.entry(task) else { continue };
            entry.place = match report {
                Report::Restored(stores) => Place::Complete(stores),
                Report::Removed(stores, Ok(())) => Place::Stopped(stores),
                Report::Removed(stores, Err(failure)) | Report::Failed(stores, failure) => {
                    let trouble = Trouble::Update(failure);
                    match decide(&trouble, self.instance.config.retry_backoff()) {
                        TaskFailure::Corrupted { .. } => {
                            tracing::warn!(%task, error = %trouble, "local state is deleted and restored from its changelogs");
                            stores.wipe().map_err(UpdateFailure::from).map_err(Trouble::Update)?;
                            Place::Nowhere
                        }
                        _ if entry.wanted == Wanted::Nothing => Place::Nowhere,
                        _ => return Err(trouble.into()),
                    }
                }
            };
        }
        Ok(())
    }

    /// A task whose inputs are others than before, because topics came or went, begins anew from what is committed.
    fn stop_those_with_other_inputs(&mut self, now: Timestamp) -> Result<(), Error> {
        let changed = self.registry.with_other_inputs();
        if changed.is_empty() || !self.membership.may_commit() {
            return Ok(());
        }
        self.commit_before_they_go(now, &changed)?;
        changed.into_iter().try_for_each(|task| self.stop(task))
    }

    /// One step of one task. Returns whether it only waits to be started.
    fn move_task(&mut self, task: TaskId) -> Result<bool, Error> {
        let Some(entry) = self.registry.entry(task) else { return Ok(false) };
        match (entry.wanted, &entry.place) {
            (Wanted::Active, Place::Active(_) | Place::Updating { active: true })
            | (Wanted::Standby, Place::Updating { active: false })
            | (_, Place::Returning) => Ok(false),
            (Wanted::Nothing, Place::Nowhere | Place::Stopped(_) | Place::Complete(_)) => {
                self.registry.remove(task);
                tracing::debug!(%task, "closed a task");
                Ok(false)
            }
            (_, Place::Active(_)) => {
                self.stop(task)?;
                self.move_task(task)
            }
            (_, Place::Updating { .. }) => {
                entry.place = Place::Returning;
                self.restore.ask_back(task);
                Ok(false)
            }
            (Wanted::Active | Wanted::Standby, Place::Nowhere) => self.open(task),
            (Wanted::Active, Place::Complete(_)) => Ok(true),
            (Wanted::Active, Place::Stopped(_)) => Ok(self.hand_over(task, true)),
            (Wanted::Standby, Place::Stopped(_) | Place::Complete(_)) => Ok(self.hand_over(task, false)),
        }
    }

    /// Hands a task's stores to the restore worker. Returns whether there is nothing to restore.
    fn hand_over(&mut self, task: TaskId, active: bool) -> bool {
        let Some(entry) = self.registry.entry(task) else { return false };
        let stores = match std::mem::replace(&mut entry.place, Place::Updating { active }) {
            Place::Stopped(stores) | Place::Complete(stores) => stores,
            other => {
                entry.place = other;
                return false;
            }
        };
        if stores.changelogs.is_empty() {
            entry.place = Place::Complete(stores);
            return active;
        }
        if active {
            self.restore.restore(stores);
        } else {
            self.restore.follow(stores);
        }
        false
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
    pub(super) fn spec(&mut self, task: TaskId) -> Result<TaskSpec, Error> {
        let inputs = self.registry.entry(task).map(|entry| entry.inputs.clone()).unwrap_or_default();
        let mut spec = self.spec_of(task, &inputs)?;
        // A narrower topic has no such partition.
        spec.inputs.retain(|input| inputs.contains(&input.partition));
        Ok(spec)
    }

    fn spec_of(&self, task: TaskId, inputs: &BTreeSet<TopicPartition>) -> Result<TaskSpec, Error> {
        let instance = &self.instance;
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

    /// Opens a task's stores and hands them over. Returns whether there is nothing to restore.
    fn open(&mut self, task: TaskId) -> Result<bool, Error> {
        // What an earlier life of the task wrote must be in its changelogs before they are read.
        if self.output.task_under_way(task) > 0 {
            return Ok(false);
        }
        let spec = self.spec(task)?;
        // Another thread may still be closing it.
        let Some(claim) = self.instance.directory.claim(task) else { return Ok(false) };
        let choice = self.instance.environment.stores.choice(&self.instance.config);
        let stores = TaskStores::open(&self.instance.topology, &spec, &choice, claim).map_err(Trouble::Open)?;
        let Some(entry) = self.registry.entry(task) else { return Ok(false) };
        tracing::debug!(%task, wanted = ?entry.wanted, "opened a task");
        let active = entry.wanted == Wanted::Active;
        entry.place = Place::Stopped(stores);
        Ok(self.hand_over(task, active))
    }

    /// Starts tasks whose stores are complete, where their inputs were left.
    fn start(&mut self, tasks: &[TaskId], now: Timestamp) -> Result<(), Error> {
        let mut specs = Vec::new();
        for task in tasks {
            specs.push(self.spec(*task)?);
        }
        let beginnings = match self.beginnings(&specs, now) {
            Ok(beginnings) => beginnings,
            Err(Trouble::Client(error)) if error.class() == ErrorClass::Retriable => return self.ask_later(error),
            Err(trouble) => return Err(trouble.into()),
        };
        for spec in specs {
            self.start_one(spec, &beginnings, now)?;
        }
        Ok(())
    }

    fn start_one(&mut self, spec: TaskSpec, beginnings: &Beginnings, now: Timestamp) -> Result<(), Error> {
        let Some(entry) = self.registry.entry(spec.id) else { return Ok(()) };
        if !matches!(entry.place, Place::Complete(_)) {
            return Ok(());
        }
        let Place::Complete(stores) = std::mem::replace(&mut entry.place, Place::Nowhere) else { return Ok(()) };
        let id = spec.id;
        let of_task =
            || spec.partitions().filter_map(|partition| Some((partition.clone(), beginnings.get(partition)?.clone())));
        let committed = of_task().filter_map(|(partition, (_, committed))| Some((partition, committed?))).collect();
        let assign: Vec<(TopicPartition, StartAt)> = of_task().map(|(partition, (at, _))| (partition, at)).collect();
        let idle = self.instance.config.max_task_idle_ms();
        let settings = TaskSettings {
            max_task_idle: u64::try_from(idle).ok().map(std::time::Duration::from_millis),
            emit_interval: std::time::Duration::from_secs(1),
            handlers: self.instance.handlers.clone(),
            cache: std::rc::Rc::clone(&self.cache),
        };
        let topology = &self.instance.topology;
        let parts = Parts { topology, spec, stores, globals: self.instance.globals.stores(), committed, settings };
        let started = StreamTask::start(parts, &mut self.output, now).map_err(Trouble::Task)?;
        tracing::debug!(task = %id, "a task processes");
        self.consumer.assign(&assign)?;
        if let Some(entry) = self.registry.entry(id) {
            entry.place = Place::Active(Box::new(started));
        }
        Ok(())
    }

    /// Where the inputs of these tasks begin: at what was committed, else as their sources or `auto.offset.reset` say.
    fn beginnings(&mut self, specs: &[TaskSpec], now: Timestamp) -> Result<Beginnings, Trouble> {
        let inputs: Vec<&TaskInput> = specs.iter().flat_map(|spec| &spec.inputs).collect();
        let partitions: Vec<TopicPartition> = inputs.iter().map(|input| input.partition.clone()).collect();
        let until = Deadline::after(now, self.instance.config.request_timeout());
        let group = self.instance.config.application_id();
        let committed = self.connection.committed_offsets(group, &partitions, true, until)?;
        let mut beginnings = Beginnings::new();
        for (input, committed) in inputs.into_iter().zip(committed) {
            let beginning = match committed {
                Some(committed) => (StartAt::Offset(committed.offset), Some(Committed::of(&committed))),
                None => (self.reset(&input.partition, input.reset, now)?, None),
            };
            beginnings.insert(input.partition.clone(), beginning);
        }
        Ok(beginnings)
    }

    /// Where to read a partition of which nothing was committed, or whose position is not in the log any more.
    pub(super) fn reset(
        &mut self,
        partition: &TopicPartition,
        of_source: Option<OffsetReset>,
        now: Timestamp,
    ) -> Result<StartAt, ClientError> {
        // A repartition topic is the application's own: everything in it counts.
        let internal = self.is_repartition(partition);
        let reset =
            if internal { OffsetReset::Earliest } else { of_source.unwrap_or(self.instance.config.offset_reset()) };
        match reset {
            OffsetReset::Earliest => Ok(StartAt::Beginning),
            OffsetReset::Latest => Ok(StartAt::End),
            OffsetReset::ByDuration(duration) => {
                let since = now.millis().saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
                let until = Deadline::after(now, self.instance.config.request_timeout());
                let spec = OffsetSpec::AtTimestamp(since.max(0));
                let offsets = self.admin.list_offsets(std::slice::from_ref(partition), spec, until)?;
                Ok(offsets.first().map_or(StartAt::End, |offset| StartAt::Offset(*offset)))
            }
            _ => Err(ClientError::Config(format!(
                "no offset is committed for {partition}, or it is not in the log any more, and auto.offset.reset is none: set it to earliest or latest, or commit an offset"
            ))),
        }
    }

    pub(super) fn is_repartition(&self, partition: &TopicPartition) -> bool {
        self.instance.topology.is_repartition_topic(partition.topic.as_str())
    }

    /// The cluster did not answer about tasks: asks again after a pause what may be asked again.
    pub(super) fn ask_later(&mut self, error: ClientError) -> Result<(), Error> {
        match decide(&Trouble::Client(error.clone()), self.instance.config.retry_backoff()) {
            TaskFailure::Retry { after } => {
                tracing::warn!(thread = self.number, %error, "the cluster does not answer; trying again");
                self.ask_not_before = self.now().plus(after);
                Ok(())
            }
            _ => Err(error.into()),
        }
    }
}
