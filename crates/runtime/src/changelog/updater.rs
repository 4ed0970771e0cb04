//! Restores active tasks and keeps standbys up to date, in turns.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{Admin, ClientError, Consumer, ErrorClass, RecordBatch};
use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};
use headwater_topology::TaskId;

use super::chunk::Chunk;
use super::reader::{Applied, Fetch, Reader};
use super::{
    RestoreListener, Restoring, Silent, SourceOffsets, Standby, StandbyEnd, StandbyUpdateListener, StoreProgress,
    TaskProgress, UpdateFailure,
};
use crate::commit::SYNC_INTERVAL;
use crate::task::TaskStores;

/// How the updater works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdaterSettings {
    /// How often stores are committed, and how often it is asked how far source topics were read (`commit.interval.ms`).
    pub commit_interval: Duration,
    /// How long to wait before the cluster is asked again (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// How long a turn waits for the cluster's answer about offsets, even when it does not wait for records.
    pub request_timeout: Duration,
    /// For how long passing errors are borne (`task.timeout.ms`).
    pub task_timeout: Duration,
    /// A store that holds more than so many bytes which are not durable yet is committed out of turn; more than twice as many, while
    /// few stores are restored.
    pub pending_bytes: usize,
    /// How often stores bring to disk what was committed, however little it is.
    pub sync_interval: Duration,
}

impl Default for UpdaterSettings {
    /// Kafka's defaults, answers within 10 s, 16 MiB, and five minutes.
    fn default() -> Self {
        UpdaterSettings {
            commit_interval: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            request_timeout: Duration::from_secs(10),
            task_timeout: Duration::from_mins(5),
            pending_bytes: 16 << 20,
            sync_interval: SYNC_INTERVAL,
        }
    }
}

/// Up to so many stores are restored with twice as much that is not durable yet: what is written at once need not be put together later.
const FEW_STORES: usize = 4;

/// What became of a task.
#[derive(Debug)]
pub enum Updated {
    /// All stores of an active task are complete and committed.
    Restored(TaskStores),
    /// It cannot go on. What was applied is not committed.
    Failed {
        /// The task's stores.
        stores: TaskStores,
        /// Why.
        failure: UpdateFailure,
    },
}

/// A task that is worked on.
#[derive(Debug)]
pub(super) struct Updating {
    pub(super) active: bool,
    pub(super) stores: TaskStores,
    /// One for each of the task's changelogs; `None` until they were asked what they hold.
    pub(super) readers: Option<Vec<Reader>>,
    /// Since when the cluster gives no answer about them.
    pub(super) trouble_since: Option<Timestamp>,
}

impl Updating {
    pub(super) fn is_restoring(&self) -> bool {
        self.active && self.readers.is_some()
    }

    /// Commits what was applied since the last time.
    pub(super) fn commit(&mut self) -> Result<(), UpdateFailure> {
        let mut any = false;
        for reader in self.readers.iter_mut().flatten() {
            any |= std::mem::take(&mut reader.dirty);
        }
        if any {
            self.stores.commit()?;
        }
        for reader in self.readers.iter_mut().flatten() {
            reader.committed = reader.next;
        }
        Ok(())
    }
}

/// Restores active tasks and keeps standbys up to date. It is driven by calls of [`Updater::turn`].
///
/// While an active task is being restored, standbys wait.
pub struct Updater {
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) admin: Box<dyn Admin>,
    pub(super) source_offsets: Box<dyn SourceOffsets>,
    pub(super) settings: UpdaterSettings,
    pub(super) listener: Arc<dyn RestoreListener>,
    pub(super) standby_update_listener: Arc<dyn StandbyUpdateListener>,
    pub(super) tasks: BTreeMap<TaskId, Updating>,
    pub(super) owners: HashMap<TopicPartition, TaskId>,
    /// When new tasks are tried again.
    pub(super) retry_at: Option<Timestamp>,
    /// Since when polls fail.
    trouble_since: Option<Timestamp>,
    pub(super) next_commit: Option<Timestamp>,
    pub(super) next_limits: Option<Timestamp>,
    pub(super) next_sync: Option<Timestamp>,
    batches: Vec<Box<dyn RecordBatch>>,
    chunk: Chunk,
}

impl fmt::Debug for Updater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updater").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

impl Updater {
    /// An updater without tasks. `consumer` is its own, with `isolation.level` as the application's guarantee wants it.
    pub fn new(
        consumer: Box<dyn Consumer>,
        admin: Box<dyn Admin>,
        source_offsets: Box<dyn SourceOffsets>,
        settings: UpdaterSettings,
        listener: Arc<dyn RestoreListener>,
    ) -> Self {
        Updater {
            consumer,
            admin,
            source_offsets,
            settings,
            listener,
            standby_update_listener: Arc::new(Silent),
            tasks: BTreeMap::new(),
            owners: HashMap::new(),
            retry_at: None,
            trouble_since: None,
            next_commit: None,
            next_limits: None,
            next_sync: None,
            batches: Vec::new(),
            chunk: Chunk::default(),
        }
    }

    /// With somebody who hears about standbys.
    #[must_use]
    pub fn with_standby_update_listener(mut self, listener: Arc<dyn StandbyUpdateListener>) -> Self {
        self.standby_update_listener = listener;
        self
    }

    /// Takes over an active task, to give it back as [`Updated::Restored`].
    pub fn restore(&mut self, task: Restoring) {
        self.add(task.0, true);
    }

    /// Takes over a standby, until it is [removed](Updater::remove).
    pub fn follow(&mut self, task: Standby) {
        self.add(task.0, false);
    }

    fn add(&mut self, stores: TaskStores, active: bool) {
        self.retry_at = None;
        self.tasks.insert(stores.id, Updating { active, stores, readers: None, trouble_since: None });
    }

    /// Gives a task's stores back as they are, committed unless that fails; `end` is what its listener hears of a standby. `None` when
    /// the task is not here (any more).
    pub fn remove(&mut self, id: TaskId, end: StandbyEnd) -> Option<(TaskStores, Result<(), UpdateFailure>)> {
        let mut stores = self.release(id, end)?;
        let committed = stores.commit().map_err(UpdateFailure::from);
        Some((stores, committed))
    }

    /// The tasks that are here.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.keys().copied()
    }

    /// Whether there is nothing to do until a task is handed over.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How far each task is.
    pub fn progress(&self) -> BTreeMap<TaskId, TaskProgress> {
        self.tasks.iter().map(|(id, task)| (*id, self.progress_of(task))).collect()
    }

    fn progress_of(&self, task: &Updating) -> TaskProgress {
        let store = |(index, changelog): (usize, &crate::task::ChangelogPartition)| {
            let reader = task.readers.as_ref().and_then(|readers| readers.get(index));
            let heard = self.heard_end(&changelog.partition);
            let end = reader.map(|reader| reader.range.to);
            StoreProgress {
                store: changelog.store,
                name: changelog.name.clone(),
                changelog: changelog.partition.clone(),
                position: reader.map(|reader| reader.next),
                committed: reader.map(|reader| reader.committed),
                end: if task.active { end } else { end.max(heard) },
                applied: reader.map_or(0, |reader| reader.applied),
            }
        };
        TaskProgress {
            active: task.active,
            stores: task.stores.changelogs.iter().enumerate().map(store).collect(),
            offset_sum: task.stores.offset_sum(),
        }
    }

    /// Where a changelog ended when last heard of.
    fn heard_end(&self, changelog: &TopicPartition) -> Option<Offset> {
        self.consumer.watermarks(changelog).map(|heard| heard.high)
    }

    /// Goes on with all tasks: waits for records until `until`, unless a task is ready before. `now` is the time of the same
    /// clock as `until`. Gives the tasks that are complete or have failed; they are no longer here.
    pub fn turn(&mut self, now: Timestamp, until: Deadline) -> Vec<Updated> {
        let mut out = Vec::new();
        let answer = until.max(Deadline::after(now, self.settings.request_timeout));
        self.start_waiting(now, answer, &mut out);
        self.finish(&mut out);
        if !out.is_empty() || self.tasks.is_empty() {
            return out;
        }
        self.raise_limits(now, answer, &mut out);
        self.set_pauses();
        self.poll(now, self.retry_at.map_or(until, |at| until.min(Deadline::at(at))), &mut out);
        self.follow_positions();
        self.finish(&mut out);
        self.commit_due(now, &mut out);
        self.sync_due(now);
        out
    }

    /// How much a store may hold that is not durable yet.
    fn most_pending(&self) -> usize {
        let restoring = self.tasks.values().filter(|task| task.is_restoring());
        let stores: usize = restoring.map(|task| task.stores.changelogs.len()).sum();
        self.settings.pending_bytes.saturating_mul(if (1..=FEW_STORES).contains(&stores) { 2 } else { 1 })
    }

    fn poll(&mut self, now: Timestamp, until: Deadline, out: &mut Vec<Updated>) {
        let mut batches = std::mem::take(&mut self.batches);
        let polled = self.consumer.poll(until, &mut batches);
        for batch in batches.drain(..) {
            let partition = batch.partition().clone();
            self.apply(&partition, Some(batch), out);
        }
        self.batches = batches;
        match polled {
            Ok(()) => self.trouble_since = None,
            Err(error) => self.poll_failed(error, now, out),
        }
    }

    fn poll_failed(&mut self, error: ClientError, now: Timestamp, out: &mut Vec<Updated>) {
        let about: Vec<TaskId> = match &error {
            ClientError::OffsetOutOfRange { partition, .. } => return self.out_of_range(partition, &error, out),
            ClientError::Malformed { partition, .. } => self.owners.get(partition).copied().into_iter().collect(),
            ClientError::UnknownTopic { topic } => {
                let of_topic = self.owners.iter().filter(|(partition, _)| partition.topic == *topic);
                of_topic.map(|(_, task)| *task).collect()
            }
            _ if error.class() == ErrorClass::Retriable => {
                let since = *self.trouble_since.get_or_insert(now);
                if now.since(since) < self.settings.task_timeout {
                    tracing::debug!(%error, "changelogs could not be read; trying again");
                    return;
                }
                self.tasks.keys().copied().collect()
            }
            _ => self.tasks.keys().copied().collect(),
        };
        for task in about {
            self.fail(task, UpdateFailure::of(error.clone()), out);
        }
    }

    fn out_of_range(&mut self, partition: &TopicPartition, error: &ClientError, out: &mut Vec<Updated>) {
        let Some(id) = self.owners.get(partition).copied() else { return };
        let changelogs = self.tasks.get(&id).map(|task| task.stores.changelogs.as_slice()).unwrap_or_default();
        let of_partition = changelogs.iter().filter(|changelog| changelog.partition == *partition);
        let stores = of_partition.map(|changelog| changelog.store).collect();
        self.fail(id, UpdateFailure::Corrupted { stores, reason: error.to_string() }, out);
    }

    /// Applies a batch, or what was held back, to the store whose changelog `partition` is.
    pub(super) fn apply(
        &mut self,
        partition: &TopicPartition,
        batch: Option<Box<dyn RecordBatch>>,
        out: &mut Vec<Updated>,
    ) {
        let Some(id) = self.owners.get(partition).copied() else { return };
        let most_pending = self.most_pending();
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let found = task.stores.changelogs.iter_mut().zip(task.readers.iter_mut().flatten());
        let Some((changelog, reader)) = found.into_iter().find(|(changelog, _)| changelog.partition == *partition)
        else {
            return;
        };
        let Some(store) = task.stores.stores.get_mut(&changelog.store) else { return };
        let applied = reader.take(batch, changelog, store, &mut self.chunk);
        if let Ok(Some(Applied { last, records })) = applied {
            let (partition, name) = (&changelog.partition, &changelog.name);
            if task.active {
                self.listener.on_batch(partition, name, last, records);
            } else {
                let heard = self.consumer.watermarks(partition).map(|heard| heard.high);
                self.standby_update_listener.on_batch(partition, name, id, last, records, heard);
            }
        }
        let is_full = store.state().pending_bytes() > most_pending;
        let done = applied.map(drop).and_then(|()| if is_full { task.commit() } else { Ok(()) });
        if let Err(failure) = done {
            self.fail(id, failure, out);
        }
    }

    /// Aborted records and control records are passed without ever being seen.
    fn follow_positions(&mut self) {
        for task in self.tasks.values_mut() {
            for (changelog, reader) in task.stores.changelogs.iter_mut().zip(task.readers.iter_mut().flatten()) {
                if reader.held.is_empty()
                    && reader.fetch != Fetch::None
                    && let Some(position) = self.consumer.position(&changelog.partition)
                {
                    reader.go_on_at(position, changelog);
                }
            }
        }
    }

    /// Tells the end of stores that are complete, and gives the tasks back that are complete as a whole.
    fn finish(&mut self, out: &mut Vec<Updated>) {
        let mut complete = Vec::new();
        for (id, task) in self.tasks.iter_mut().filter(|(_, task)| task.is_restoring()) {
            let readers = task.readers.iter_mut().flatten();
            for (changelog, reader) in task.stores.changelogs.iter().zip(readers) {
                if !reader.ended && reader.is_complete() {
                    reader.ended = true;
                    let (from, to) = (reader.range.from, reader.range.to);
                    let (store, partition, records) = (&changelog.name, &changelog.partition, reader.applied);
                    tracing::info!(task = %id, store, changelog = %partition, %from, %to, records, "restored a store");
                    self.listener.on_end(partition, store, records);
                }
            }
            if task.readers.iter().flatten().all(|reader| reader.ended) {
                complete.push(*id);
            }
        }
        for id in complete {
            let Some(mut stores) = self.release(id, StandbyEnd::Migrated) else { continue };
            out.push(match stores.commit() {
                Ok(()) => {
                    // Who crashes soon after must not restore it all again, nor what was followed as a standby.
                    if let Err(error) = stores.sync() {
                        tracing::warn!(task = %id, %error, "a store could not bring to disk what was restored");
                    }
                    Updated::Restored(stores)
                }
                Err(failure) => Updated::Failed { stores, failure: failure.into() },
            });
        }
    }

    pub(super) fn fail(&mut self, id: TaskId, failure: UpdateFailure, out: &mut Vec<Updated>) {
        if let Some(stores) = self.release(id, StandbyEnd::Migrated) {
            tracing::warn!(task = %id, %failure, "the stores of a task could not be brought up to date");
            out.push(Updated::Failed { stores, failure });
        }
    }

    /// Reads a task's changelogs no longer.
    fn release(&mut self, id: TaskId, end: StandbyEnd) -> Option<TaskStores> {
        let task = self.tasks.remove(&id)?;
        let mut assigned = Vec::new();
        for (changelog, mut reader) in task.stores.changelogs.iter().zip(task.readers.into_iter().flatten()) {
            self.owners.remove(&changelog.partition);
            reader.let_go();
            if reader.fetch != Fetch::None {
                assigned.push(changelog.partition.clone());
            }
            if !task.active {
                let heard = self.heard_end(&changelog.partition);
                self.standby_update_listener.on_suspended(
                    &changelog.partition,
                    &changelog.name,
                    reader.next,
                    heard,
                    end,
                );
            } else if !reader.ended {
                self.listener.on_suspended(&changelog.partition, &changelog.name, reader.applied);
            }
        }
        if !assigned.is_empty()
            && let Err(error) = self.consumer.unassign(&assigned)
        {
            tracing::warn!(task = %id, %error, "changelogs of a task that is gone could not be let go");
        }
        Some(task.stores)
    }
}
