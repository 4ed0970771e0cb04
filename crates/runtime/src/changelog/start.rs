//! From a task that was handed over to one whose changelogs are read.

use std::collections::HashMap;
use std::time::Duration;

use headwater_client::{ClientError, ErrorClass, Isolation, OffsetSpec, StartAt};
use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};
use headwater_topology::TaskId;

use super::reader::{Fetch, Reader};
use super::updater::Updating;
use super::{LogBounds, UpdateFailure, Updated, Updater, restore_range};

/// How long a changelog may be missing: it is made before a task is assigned, but brokers hear of it one after the other.
const PATIENCE_WITH_CHANGELOGS: Duration = Duration::from_secs(10);

type Bounds = HashMap<TopicPartition, LogBounds>;

impl Updater {
    /// Asks what the changelogs of new tasks hold, and begins to read them.
    pub(super) fn start_waiting(&mut self, now: Timestamp, until: Deadline, out: &mut Vec<Updated>) {
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.retry_at = None;
        let mut waiting: Vec<TaskId> =
            self.tasks.iter().filter(|(_, task)| task.readers.is_none()).map(|(id, _)| *id).collect();
        while !waiting.is_empty() {
            match self.bounds(&waiting, until) {
                Ok(bounds) => {
                    for task in waiting {
                        self.begin(task, &bounds, out);
                    }
                    return;
                }
                Err(error) => {
                    let (concerned, others) = self.concerned(&error, waiting);
                    self.put_off(&concerned, &error, now, out);
                    waiting = others;
                }
            }
        }
    }

    /// The tasks that an error is about, and the others.
    fn concerned(&self, error: &ClientError, tasks: Vec<TaskId>) -> (Vec<TaskId>, Vec<TaskId>) {
        let ClientError::UnknownTopic { topic } = error else { return (tasks, Vec::new()) };
        let reads = |task: &TaskId| {
            self.tasks
                .get(task)
                .is_some_and(|task| task.stores.changelogs.iter().any(|changelog| changelog.partition.topic == *topic))
        };
        let (concerned, others): (Vec<_>, Vec<_>) = tasks.into_iter().partition(reads);
        // An error about nobody must not be asked for again and again.
        if concerned.is_empty() { (others, Vec::new()) } else { (concerned, others) }
    }

    /// Tries again later what may pass, and fails the tasks otherwise. A changelog that is not there may just have been made.
    fn put_off(&mut self, tasks: &[TaskId], error: &ClientError, now: Timestamp, out: &mut Vec<Updated>) {
        let task_timeout = self.settings.task_timeout;
        let patience = match error {
            ClientError::UnknownTopic { .. } => PATIENCE_WITH_CHANGELOGS.min(task_timeout),
            error if error.class() == ErrorClass::Retriable => task_timeout,
            _ => Duration::ZERO,
        };
        for id in tasks {
            let Some(task) = self.tasks.get_mut(id) else { continue };
            let is_news = task.trouble_since.is_none();
            let since = *task.trouble_since.get_or_insert(now);
            if now.since(since) < patience {
                if is_news {
                    let seconds = patience.as_secs();
                    tracing::warn!(task = %id, %error, "the changelogs of a task could not be asked for; trying again, for up to {seconds} s");
                } else {
                    tracing::debug!(task = %id, %error, "the changelogs of a task could not be asked for; trying again");
                }
                self.retry_at = Some(now.plus(self.settings.retry_backoff));
            } else {
                self.fail(*id, UpdateFailure::of(error.clone()), out);
            }
        }
    }

    fn bounds(&mut self, tasks: &[TaskId], until: Deadline) -> Result<Bounds, ClientError> {
        let changelogs = tasks.iter().filter_map(|task| self.tasks.get(task)).flat_map(|task| &task.stores.changelogs);
        let (mut partitions, mut sources) = (Vec::new(), Vec::new());
        for changelog in changelogs {
            partitions.push(changelog.partition.clone());
            if changelog.is_source {
                sources.push(changelog.partition.clone());
            }
        }
        if partitions.is_empty() {
            return Ok(Bounds::new());
        }
        let limits = self.limits(&sources, until)?;
        let earliest = self.admin.list_offsets(&partitions, OffsetSpec::Earliest, until)?;
        let end = OffsetSpec::Latest(Isolation::ReadUncommitted);
        let ends = self.admin.list_offsets(&partitions, end, until)?;
        let bounds = partitions.into_iter().zip(earliest.into_iter().zip(ends));
        let bounds = bounds.map(|(partition, (earliest, end))| {
            let limit = limits.get(&partition).copied();
            (partition, LogBounds { earliest, end, limit })
        });
        Ok(bounds.collect())
    }

    /// How far the application has read these topics: nothing where nothing was committed.
    pub(super) fn limits(
        &mut self,
        sources: &[TopicPartition],
        until: Deadline,
    ) -> Result<HashMap<TopicPartition, Offset>, ClientError> {
        if sources.is_empty() {
            return Ok(HashMap::new());
        }
        let committed = self.source_offsets.committed(sources, until)?;
        let committed = committed.into_iter().map(Option::unwrap_or_default);
        Ok(sources.iter().cloned().zip(committed).collect())
    }

    fn begin(&mut self, id: TaskId, bounds: &Bounds, out: &mut Vec<Updated>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let readers = match readers(task, bounds) {
            Ok(readers) => readers,
            Err(failure) => return self.fail(id, failure, out),
        };
        let mut assign = Vec::new();
        for (changelog, mut reader) in task.stores.changelogs.iter_mut().zip(readers) {
            reader.go_on_at(reader.range.from, changelog);
            if task.active {
                let range = reader.range;
                self.listener.on_start(&changelog.partition, &changelog.name, range.from, range.to);
            } else {
                self.standby_update_listener.on_start(&changelog.partition, &changelog.name, reader.next);
                let (store, partition, from) = (&changelog.name, &changelog.partition, reader.range.from);
                tracing::info!(task = %id, store, changelog = %partition, %from, "following the changelog of a standby");
            }
            if !task.active || !reader.is_complete() {
                assign.push((changelog.partition.clone(), StartAt::Offset(reader.next)));
                reader.fetch = Fetch::Running;
            }
            self.owners.insert(changelog.partition.clone(), id);
            task.readers.get_or_insert_default().push(reader);
        }
        task.readers.get_or_insert_default();
        task.trouble_since = None;
        if !assign.is_empty()
            && let Err(error) = self.consumer.assign(&assign)
        {
            for reader in task.readers.iter_mut().flatten() {
                reader.fetch = Fetch::None;
            }
            self.fail(id, error.into(), out);
        }
    }
}

fn readers(task: &Updating, bounds: &Bounds) -> Result<Vec<Reader>, UpdateFailure> {
    let (mut readers, mut stores, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for changelog in &task.stores.changelogs {
        let Some(log) = bounds.get(&changelog.partition) else { continue };
        match restore_range(changelog.offset, *log) {
            // An active task stops at the end it saw, a standby only where the application has not read yet.
            Ok(range) => readers.push(Reader::new(range, if task.active { Some(range.to) } else { log.limit })),
            Err(truncated) => {
                stores.push(changelog.store);
                reasons.push(format!("{}: {truncated}", changelog.partition));
            }
        }
    }
    if stores.is_empty() { Ok(readers) } else { Err(UpdateFailure::Corrupted { stores, reason: reasons.join("; ") }) }
}
