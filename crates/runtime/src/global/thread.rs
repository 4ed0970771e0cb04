//! The global thread: asks what the topics hold, fills the stores, follows the topics, and begins anew where it must.
//!
//! As a stream thread it has no thread of the operating system and no clock: [`GlobalThread::turn`] is called with the time.

mod ask;
mod lost;

use std::sync::Arc;
use std::time::Duration;

use headwater_client::{Admin, ClientError, Consumer, ErrorClass, Isolation, RecordBatch};
use headwater_record::{Deadline, Timestamp, TopicPartition};

use super::fill::Fill;
use super::{GlobalPart, GlobalProgress};
use crate::config::Role;
use crate::directory::GlobalClaim;
use crate::instance::{GlobalThreadState, Instance};
use crate::output::{OutputSettings, RecordCollector};
use crate::task::NO_TASK;
use crate::{Error, ErrorKind, metric};

/// How often the log tells how far the filling is.
const TELL_INTERVAL: Duration = Duration::from_secs(5);
/// How long a thread that failed waits for its dead letters to be written.
const LAST_LETTERS: Duration = Duration::from_secs(3);
/// How soon a thread that has nothing to do looks again.
const IDLE: Duration = Duration::from_millis(100);

/// What the thread is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The cluster is asked what the topics hold. `anew`: what the stores contain does not count.
    Asking { anew: bool },
    /// The stores are brought to where the topics ended.
    Filling,
    /// The topics are followed.
    Following,
    /// The consumer says that a topic is gone; `confirmed` when the cluster said so too. `filling`: so was the thread.
    Lost { confirmed: bool, filling: bool },
    /// It failed; its stores are open as long as tasks may read them.
    Failed,
    /// It has ended.
    Ended,
}

/// Fills the global stores of one instance.
pub(crate) struct GlobalThread {
    instance: Arc<Instance>,
    parts: Vec<GlobalPart>,
    consumer: Box<dyn Consumer>,
    admin: Box<dyn Admin>,
    output: RecordCollector,
    claim: GlobalClaim,
    isolation: Isolation,
    phase: Phase,
    fill: Option<Fill>,
    assigned: Vec<TopicPartition>,
    /// Since when the cluster gives no answer, or not the one that is needed.
    trouble_since: Option<Timestamp>,
    /// Nothing is done before this time.
    not_before: Timestamp,
    began: Timestamp,
    next_commit: Timestamp,
    /// When the topics are next looked at for more partitions.
    next_look: Timestamp,
    next_tell: Timestamp,
    told_dropped: u64,
    told_dead_letters: u64,
    batches: Vec<Box<dyn RecordBatch>>,
}

impl GlobalThread {
    /// The global thread of `instance`, which has global stores.
    ///
    /// # Errors
    /// When its clients cannot be made.
    pub(crate) fn new(instance: &Arc<Instance>, now: Timestamp) -> Result<Self, Error> {
        let (config, environment) = (&instance.config, &instance.environment);
        let (client, name) = (instance.client_id(), instance.global_thread_name());
        let of_consumer = config.client(Role::GlobalConsumer, &format!("{client}-global-consumer"));
        let producer = config.client(Role::Producer, &format!("{name}-producer"));
        let isolation = match of_consumer.value("isolation.level") {
            Some("read_committed") => Isolation::ReadCommitted,
            _ => Isolation::ReadUncommitted,
        };
        let settings = OutputSettings::of(config);
        let producer = environment.clients.producer(&producer)?;
        let output =
            RecordCollector::new(producer, Arc::clone(&environment.clock), settings, instance.handlers.clone());
        let claim = instance.directory.claim_global().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "the directory of global stores has another owner in this process")
        })?;
        instance.status.global_is(GlobalThreadState::Filling);
        Ok(GlobalThread {
            parts: GlobalPart::all(&instance.topology),
            consumer: environment.clients.consumer(&of_consumer)?,
            admin: environment.clients.admin(&config.client(Role::Admin, &format!("{name}-admin")))?,
            output,
            claim,
            isolation,
            phase: Phase::Asking { anew: false },
            fill: None,
            assigned: Vec::new(),
            trouble_since: None,
            not_before: now,
            began: now,
            next_commit: now.plus(config.commit_interval()),
            next_look: now.plus(config.metadata_max_age()),
            next_tell: now.plus(TELL_INTERVAL),
            told_dropped: 0,
            told_dead_letters: 0,
            batches: Vec::new(),
            instance: Arc::clone(instance),
        })
    }

    /// One round at the time `now`; it waits for records until `until`. Returns for how long there is nothing to do.
    ///
    /// # Errors
    /// What ends the thread: [`GlobalThread::give_up`], or another takes its place.
    pub(crate) fn turn(&mut self, now: Timestamp, until: Deadline) -> Result<Option<Duration>, Error> {
        if self.phase != Phase::Ended && self.is_to_end() {
            self.end(now)?;
            return Ok(None);
        }
        if now < self.not_before {
            return Ok(Some(self.not_before.since(now).min(IDLE)));
        }
        match self.phase {
            Phase::Asking { anew } => self.ask(now, anew)?,
            Phase::Filling | Phase::Following => self.read(now, until)?,
            Phase::Lost { .. } => self.look_for_lost(now)?,
            Phase::Failed | Phase::Ended => return Ok(Some(IDLE)),
        }
        Ok(None)
    }

    /// Whether it has ended and needs no more turns.
    pub(crate) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// After an error that nobody replaces it for: its stores stay open until the tasks that read them are gone. Nothing is
    /// committed, but dead letters are still sent.
    pub(crate) fn give_up(&mut self, now: Timestamp) {
        if self.output.under_way() > 0
            && let Err(error) = self.output.flush(Deadline::after(now, LAST_LETTERS))
        {
            tracing::warn!(%error, "dead letters of the global thread that failed could not be sent");
        }
        if let Some(fill) = self.fill.take() {
            fill.close();
        }
        self.phase = Phase::Failed;
    }

    /// The stream threads read the stores until they have ended, and do not begin before the stores are filled.
    fn is_to_end(&self) -> bool {
        let status = &self.instance.status;
        let is_closing = status.closing().is_some();
        if self.instance.globals.is_filled() && self.instance.stream_threads() > 0 {
            status.stream_threads_ended()
        } else {
            is_closing
        }
    }

    fn end(&mut self, now: Timestamp) -> Result<(), Error> {
        self.instance.status.global_is(GlobalThreadState::PendingShutdown);
        let committed = if self.fill.is_some() { self.commit(now) } else { Ok(()) };
        if let Some(fill) = self.fill.take() {
            fill.close();
        }
        self.instance.globals.close();
        self.phase = Phase::Ended;
        tracing::info!("the global thread has ended");
        committed
    }

    fn read(&mut self, now: Timestamp, until: Deadline) -> Result<(), Error> {
        let mut batches = std::mem::take(&mut self.batches);
        let polled = self.consumer.poll(until, &mut batches);
        let applied = batches.drain(..).try_for_each(|mut batch| self.apply(batch.as_mut(), now));
        self.batches = batches;
        applied?;
        match polled {
            Ok(()) => self.trouble_since = None,
            Err(error) => self.poll_failed(error, now)?,
        }
        self.follow_positions();
        self.tell(now);
        if self.phase == Phase::Filling && self.fill.as_ref().is_some_and(Fill::is_complete) {
            self.filled(now)?;
        }
        if now >= self.next_commit || self.fill.as_ref().is_some_and(Fill::is_full) {
            self.commit(now)?;
            self.next_commit = now.plus(self.instance.config.commit_interval());
        }
        if now >= self.next_look && self.phase == Phase::Following {
            self.next_look = now.plus(self.instance.config.metadata_max_age());
            self.look_for_partitions(now)?;
        }
        Ok(())
    }

    fn apply(&mut self, batch: &mut dyn RecordBatch, now: Timestamp) -> Result<(), Error> {
        let partition = batch.partition().clone();
        let part = self.parts.iter().find(|part| part.topic == partition.topic);
        let Some((part, fill)) = part.zip(self.fill.as_mut()) else { return Ok(()) };
        let is_filling = self.phase == Phase::Filling;
        let records = fill.apply(batch, part, is_filling && part.is_table, &mut self.output, now)?;
        metric::global_records(records);
        if let Some(reading) = fill.readings.get(&partition).filter(|_| is_filling && records > 0) {
            let last = headwater_record::Offset::new(reading.next.value() - 1);
            self.instance.restore_listener.on_batch(&partition, &part.name, last, records);
        }
        Ok(())
    }

    fn poll_failed(&mut self, error: ClientError, now: Timestamp) -> Result<(), Error> {
        match &error {
            ClientError::OffsetOutOfRange { .. } => {
                self.begin_anew(now, &error.to_string());
                Ok(())
            }
            ClientError::UnknownTopic { .. } => {
                self.topic_lost(&error, now);
                Ok(())
            }
            _ => self.bear(error, now),
        }
    }

    /// Bears what may pass: for `task.timeout.ms` while nobody can go on without the stores, else as long as it takes.
    fn bear(&mut self, error: ClientError, now: Timestamp) -> Result<(), Error> {
        if error.class() != ErrorClass::Retriable {
            return Err(error.into());
        }
        self.put_off(error, now, self.instance.config.task_timeout())
    }

    /// Tries again after a pause; stores that tasks have not seen complete yet bear `patience` of it.
    fn put_off(&mut self, error: ClientError, now: Timestamp, patience: Duration) -> Result<(), Error> {
        let is_news = self.trouble_since.is_none();
        let since = *self.trouble_since.get_or_insert(now);
        if !self.instance.globals.is_filled() && now.since(since) >= patience {
            return Err(self.in_words(error));
        }
        if is_news {
            tracing::warn!(%error, "the topics of global stores cannot be read; trying again");
        } else {
            tracing::debug!(%error, "the topics of global stores cannot be read; trying again");
        }
        self.not_before = now.plus(self.instance.config.retry_backoff());
        Ok(())
    }

    fn in_words(&self, error: ClientError) -> Error {
        let ClientError::UnknownTopic { topic } = &error else { return error.into() };
        let store = self.parts.iter().find(|part| part.topic == *topic).map_or("", |part| part.name.as_str());
        let message = format!(
            "There are no partitions available for topic {topic} when initializing global store {store}: the topic does not exist. Create it before the application starts, or check its name and this client's permission to see it"
        );
        Error::new(ErrorKind::Topology, message).with_source(error)
    }

    /// What the stores contain does not go with the log: they are filled anew.
    fn begin_anew(&mut self, now: Timestamp, reason: &str) {
        tracing::warn!(reason, "global stores are filled anew: what they contain does not go with their topics");
        self.let_go();
        if let Some(fill) = self.fill.take() {
            fill.close();
        }
        self.phase = Phase::Asking { anew: true };
        self.began = now;
        self.not_before = now.plus(self.instance.config.retry_backoff());
    }

    fn let_go(&mut self) {
        let assigned = std::mem::take(&mut self.assigned);
        if !assigned.is_empty()
            && let Err(error) = self.consumer.unassign(&assigned)
        {
            tracing::warn!(%error, "the topics of global stores could not be let go");
        }
    }

    /// Aborted records and control records are passed without ever being seen.
    fn follow_positions(&mut self) {
        let Some(fill) = &mut self.fill else { return };
        for partition in &self.assigned {
            if let Some(position) = self.consumer.position(partition) {
                fill.go_on_at(partition, position);
            }
        }
    }

    /// Everything that was there at the start is applied: tasks may read.
    fn filled(&mut self, now: Timestamp) -> Result<(), Error> {
        self.flush(now)?;
        let Some(mut fill) = self.fill.take() else { return Ok(()) };
        fill.commit(&self.parts)?;
        let instance = &self.instance;
        if fill.place == crate::directory::GlobalPlace::Beside {
            let places = instance.globals.places();
            fill = fill.move_to(instance, &self.claim, &self.parts, places, &mut self.output, now)?;
        }
        let (mut records, millis) = (0, now.since(self.began).as_millis());
        for (partition, reading) in &fill.readings {
            records += reading.applied;
            let part = self.parts.iter().find(|part| part.topic == partition.topic);
            let store = part.map_or("", |part| part.name.as_str());
            instance.restore_listener.on_end(partition, store, reading.applied);
        }
        tracing::info!(records, millis, stores = self.parts.len(), "global stores are filled");
        self.fill = Some(fill);
        self.phase = Phase::Following;
        instance.globals.set_filled();
        instance.status.global_is(GlobalThreadState::Running);
        Ok(())
    }

    /// Dead letters come before the marks that say their records are done with.
    fn flush(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(fill) = &mut self.fill else { return Ok(()) };
        fill.flush(&mut self.output, now)?;
        if self.output.under_way() > 0 {
            self.output.flush(Deadline::after(now, self.instance.config.request_timeout()))?;
        }
        // What could not be written is told now.
        fill.flush(&mut self.output, now)
    }

    fn commit(&mut self, now: Timestamp) -> Result<(), Error> {
        self.flush(now)?;
        self.fill.as_mut().map_or(Ok(()), |fill| fill.commit(&self.parts))
    }

    /// Tells how far the stores are: to whoever asks, as a gauge, and while they are filled now and then to the log.
    fn tell(&mut self, now: Timestamp) {
        let Some(fill) = &self.fill else { return };
        let progress = fill.readings.iter().filter_map(|(partition, reading)| {
            let part = self.parts.iter().find(|part| part.topic == partition.topic)?;
            let heard = self.consumer.watermarks(partition).map(|heard| heard.high);
            let end = heard.map_or(reading.range.to, |heard| heard.max(reading.range.to)).max(reading.next);
            Some(GlobalProgress { store: part.name.clone(), partition: partition.clone(), position: reading.next, end })
        });
        let progress: Vec<GlobalProgress> = progress.collect();
        if self.instance.globals.progress() != progress {
            for one in &progress {
                metric::global_lag(&one.partition, one.lag());
            }
            self.instance.globals.set_progress(progress);
        }
        let dropped = fill.dropped();
        if dropped > self.told_dropped {
            metric::records_dropped(NO_TASK, dropped - self.told_dropped);
        }
        self.told_dropped = dropped;
        let letters = fill.dead_letters();
        if letters > self.told_dead_letters {
            metric::dead_letters(NO_TASK, letters - self.told_dead_letters);
        }
        self.told_dead_letters = letters;
        if self.phase == Phase::Filling && now >= self.next_tell {
            self.next_tell = now.plus(TELL_INTERVAL);
            let records: u64 = fill.readings.values().map(|reading| reading.applied).sum();
            let left = |reading: &super::fill::Reading| reading.range.to.value().saturating_sub(reading.next.value());
            let remaining: i64 = fill.readings.values().map(|reading| left(reading).max(0)).sum();
            let millis = u64::try_from(now.since(self.began).as_millis()).unwrap_or(u64::MAX).max(1);
            let per_second = records.saturating_mul(1000) / millis;
            tracing::info!(records, per_second, remaining, "global stores are being filled");
        }
    }
}

impl std::fmt::Debug for GlobalThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GlobalThread").field("phase", &self.phase).field("fill", &self.fill).finish_non_exhaustive()
    }
}
