//! The consumer: positions, and reads of shared batches.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, Consumer, Isolation, RecordBatch, StartAt, Wakeup, Watermarks};
use headwater_record::{Deadline, Offset, TopicPartition};

use crate::client::{Client, number};
use crate::cluster::{Shared, State};
use crate::fault::{Api, Verdict, lost};
use crate::partition_log::{PartitionLog, ReadLimit};

/// Pause before an unreachable cluster is asked again: Kafka's default of `retry.backoff.ms`.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// One partition that is read.
#[derive(Debug)]
struct Assigned {
    start: StartAt,
    /// Where to read next; `None` until the partition's log was seen.
    position: Option<Offset>,
    heard: Option<Watermarks>,
    paused: bool,
    /// An error was reported; a seek helps, or that a missing topic appears.
    failed: Option<ClientError>,
}

/// How much one poll gives.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// `max.poll.records`.
    records: usize,
    /// `fetch.max.bytes`.
    bytes: usize,
    /// `max.partition.fetch.bytes`.
    partition_bytes: usize,
}

/// [`Consumer`] of the in-process cluster.
#[derive(Debug)]
pub(crate) struct MemoryConsumer {
    client: Client,
    limits: Limits,
    isolation: Isolation,
    assigned: BTreeMap<TopicPartition, Assigned>,
    /// The partition that is served first by the next poll, so that a full one does not starve the others.
    turn: Option<TopicPartition>,
    /// Whether somebody wants the poll to end.
    woken: Arc<AtomicBool>,
}

impl MemoryConsumer {
    pub(crate) fn new(shared: Arc<Shared>, config: &ClientConfig) -> Result<Self, ClientError> {
        let isolation = match config.value("isolation.level") {
            None | Some("read_uncommitted") => Isolation::ReadUncommitted,
            Some("read_committed") => Isolation::ReadCommitted,
            Some(other) => {
                let message = format!("isolation.level: {other:?} is neither read_uncommitted nor read_committed");
                return Err(ClientError::Config(message));
            }
        };
        let limits = Limits {
            records: number(config, "max.poll.records", 500, 1)?,
            bytes: number(config, "fetch.max.bytes", 50 << 20, 0)?,
            partition_bytes: number(config, "max.partition.fetch.bytes", 1 << 20, 0)?,
        };
        let client = Client::new(shared, config, "consumer");
        Ok(MemoryConsumer { client, limits, isolation, assigned: BTreeMap::new(), turn: None, woken: Arc::default() })
    }

    fn assigned_mut(&mut self, partition: &TopicPartition) -> Result<&mut Assigned, ClientError> {
        self.assigned.get_mut(partition).ok_or_else(|| not_assigned(partition))
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<(), ClientError> {
        for partition in partitions {
            self.assigned_mut(partition)?.paused = paused;
        }
        Ok(())
    }
}

impl Consumer for MemoryConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        if let Some((partition, _)) = partitions.iter().find(|(partition, _)| self.assigned.contains_key(partition)) {
            return Err(ClientError::Config(format!("{partition} is assigned already")));
        }
        let mut state = self.client.shared.lock();
        for (partition, start) in partitions {
            // Only to make the topic where that is allowed; that there is none is said by `poll`.
            let _ = state.topic_for_client(&partition.topic);
            let mut assigned = Assigned { start: *start, position: None, heard: None, paused: false, failed: None };
            if let Ok(log) = state.log(partition) {
                assigned.locate(log, self.isolation);
            }
            self.assigned.insert(partition.clone(), assigned);
        }
        Ok(())
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        if let Some(partition) = partitions.iter().find(|partition| !self.assigned.contains_key(partition)) {
            return Err(not_assigned(partition));
        }
        for partition in partitions {
            self.assigned.remove(partition);
        }
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        let isolation = self.isolation;
        let shared = Arc::clone(&self.client.shared);
        let assigned = self.assigned_mut(partition)?;
        assigned.start = to;
        assigned.position = None;
        assigned.failed = None;
        if let Ok(log) = shared.lock().log(partition) {
            assigned.locate(log, isolation);
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, true)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.set_paused(partitions, false)
    }

    fn poll(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        let MemoryConsumer { client, limits, isolation, assigned, turn, woken } = self;
        let shared = Arc::clone(&client.shared);
        let attempt = |state: &mut State, _| match state.faults.verdict(Api::Fetch, &client.id) {
            Verdict::Pass | Verdict::Repeat(_) => {
                let mut fetch =
                    Fetch { state, limits: *limits, isolation: *isolation, into: &mut *into, full_at: None };
                let before = fetch.into.len();
                let error = fetch.all(assigned, turn.as_ref());
                match error {
                    Some(error) => Ok(Err(error)),
                    None if fetch.into.len() == before && !woken.swap(false, Ordering::AcqRel) => Err(None),
                    None => {
                        *turn = fetch.full_at;
                        Ok(Ok(()))
                    }
                }
            }
            Verdict::Fail(error) => Ok(Err(error)),
            Verdict::LoseResponse | Verdict::Delay(_) => Ok(Err(lost(Api::Fetch))),
        };
        let result = shared.wait_for(until, attempt).unwrap_or(Ok(()));
        if matches!(result, Err(ClientError::Unavailable { .. })) {
            // Who asks again at once would only spin.
            shared.pause(until, RETRY_BACKOFF);
        }
        result
    }

    fn wakeup(&self) -> Wakeup {
        let (woken, shared) = (Arc::clone(&self.woken), Arc::clone(&self.client.shared));
        Arc::new(move || {
            woken.store(true, Ordering::Release);
            // Who has just looked waits by now.
            drop(shared.lock());
            shared.notify();
        })
    }

    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.assigned.get(partition)?.position
    }

    fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.assigned.get(partition)?.heard
    }
}

impl Assigned {
    /// Turns "the beginning" and "the end" into an offset.
    fn locate(&mut self, log: &PartitionLog, isolation: Isolation) -> Offset {
        let readable = readable(log, isolation);
        *self.position.get_or_insert(match self.start {
            StartAt::Offset(offset) => offset,
            StartAt::Beginning => readable.low,
            StartAt::End => readable.high,
        })
    }
}

/// One poll under way.
struct Fetch<'a> {
    state: &'a State,
    limits: Limits,
    isolation: Isolation,
    into: &'a mut Vec<Box<dyn RecordBatch>>,
    /// Where the limit was reached.
    full_at: Option<TopicPartition>,
}

impl Fetch<'_> {
    /// Reads all partitions, those from `turn` on first. The first error is given, after all others were read.
    fn all(
        &mut self,
        assigned: &mut BTreeMap<TopicPartition, Assigned>,
        turn: Option<&TopicPartition>,
    ) -> Option<ClientError> {
        let mut first_error = None;
        let (from, up_to) = match turn {
            Some(turn) => (Bound::Excluded(turn), Some(Bound::Included(turn))),
            None => (Bound::Unbounded, None),
        };
        for (partition, assigned) in assigned.range_mut::<TopicPartition, _>((from, Bound::Unbounded)) {
            self.one(partition, assigned, &mut first_error);
        }
        if let Some(up_to) = up_to {
            for (partition, assigned) in assigned.range_mut::<TopicPartition, _>((Bound::Unbounded, up_to)) {
                self.one(partition, assigned, &mut first_error);
            }
        }
        first_error
    }

    fn one(&mut self, partition: &TopicPartition, assigned: &mut Assigned, first_error: &mut Option<ClientError>) {
        if assigned.paused || self.full_at.is_some() {
            return;
        }
        match self.read(partition, assigned) {
            Ok(()) => assigned.failed = None,
            // It was told; from here on only a seek, or that the topic appears, changes anything.
            Err(error) if assigned.failed.as_ref() == Some(&error) => {}
            // The next poll tells this one.
            Err(_) if first_error.is_some() => {}
            Err(error) => {
                assigned.failed = Some(error.clone());
                *first_error = Some(error);
            }
        }
    }

    fn read(&mut self, partition: &TopicPartition, assigned: &mut Assigned) -> Result<(), ClientError> {
        let log = self.state.log(partition)?;
        let position = assigned.locate(log, self.isolation);
        let readable = readable(log, self.isolation);
        assigned.heard = Some(readable);
        if position == readable.high {
            return Ok(());
        }
        if let Some(error @ ClientError::OffsetOutOfRange { .. }) = &assigned.failed {
            return Err(error.clone());
        }
        if !log.contains(position) {
            return Err(ClientError::OffsetOutOfRange { partition: partition.clone(), offset: position });
        }
        let limit =
            ReadLimit { records: self.limits.records, bytes: self.limits.partition_bytes.min(self.limits.bytes) };
        let read = log.read(partition, position, self.isolation, limit);
        assigned.position = Some(read.next);
        self.limits.records -= read.records.min(self.limits.records);
        self.limits.bytes -= read.bytes.min(self.limits.bytes);
        if let Some(batch) = read.batch {
            self.into.push(Box::new(batch));
        }
        if self.limits.records == 0 || self.limits.bytes == 0 {
            self.full_at = Some(partition.clone());
        }
        Ok(())
    }
}

/// What this reader may see of a log.
fn readable(log: &PartitionLog, isolation: Isolation) -> Watermarks {
    match isolation {
        Isolation::ReadCommitted => log.watermarks(),
        Isolation::ReadUncommitted => Watermarks { high: log.high_watermark(), ..log.watermarks() },
    }
}

fn not_assigned(partition: &TopicPartition) -> ClientError {
    ClientError::Config(format!("{partition} is not assigned"))
}
