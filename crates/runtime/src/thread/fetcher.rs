//! Records in: from the consumer into the queues of tasks, as long as these have room.

use std::collections::{BTreeMap, BTreeSet};

use headwater_client::{ClientError, Consumer, RecordBatch, StartAt, Wakeup};
use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};

use super::context::ThreadContext;
use super::task_manager::TaskManager;
use crate::config::Role;
use crate::error::Trouble;
use crate::intake::PartitionQueue;
use crate::{Error, metric};

/// The thread's consumer, and what of its inputs is not fetched for now.
pub(super) struct Fetcher {
    cx: ThreadContext,
    consumer: Box<dyn Consumer>,
    batches: Vec<Box<dyn RecordBatch>>,
    /// Input partitions that are not fetched because their queues are full.
    paused: BTreeSet<TopicPartition>,
    /// Input partitions whose position is not in the log any more, with that position.
    lost_positions: BTreeMap<TopicPartition, Offset>,
    /// Where these go on is not asked before this time.
    positions_not_before: Timestamp,
    /// Whether it was asked where they go on, and there is no answer yet.
    finding: bool,
    /// Records that were fetched.
    fetched: u64,
}

impl Fetcher {
    pub(super) fn new(cx: &ThreadContext, now: Timestamp) -> Result<Self, Error> {
        let name = format!("{}-consumer", cx.instance.thread_name(cx.number));
        let consumer = cx.instance.environment.clients.consumer(&cx.config().client(Role::MainConsumer, &name))?;
        Ok(Fetcher {
            cx: cx.clone(),
            consumer,
            batches: Vec::new(),
            paused: BTreeSet::new(),
            lost_positions: BTreeMap::new(),
            positions_not_before: now,
            finding: false,
            fetched: 0,
        })
    }

    /// What ends a poll that waits.
    pub(super) fn wakeup(&self) -> Wakeup {
        self.consumer.wakeup()
    }

    pub(super) fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        self.consumer.assign(partitions)
    }

    /// Reads these no longer.
    pub(super) fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            self.paused.remove(partition);
            self.lost_positions.remove(partition);
        }
        self.consumer.unassign(partitions)
    }

    /// Polls until `until` and hands the batches on: what came with an error comes through too.
    pub(super) fn poll(&mut self, until: Deadline, tasks: &mut TaskManager) -> Result<(), Trouble> {
        let mut batches = std::mem::take(&mut self.batches);
        let polled = self.consumer.poll(until, &mut batches);
        let limit = self.cx.config().buffered_records_per_partition();
        let mut full = Vec::new();
        for batch in batches.drain(..) {
            let Some(task) = tasks.owner(batch.partition()) else { continue };
            metric::records_consumed(batch.remaining());
            self.fetched += batch.remaining() as u64;
            let partition = batch.partition().clone();
            task.enqueue(batch)?;
            let buffered = task.intake().queue(&partition).map_or(0, PartitionQueue::buffered);
            if buffered > limit && self.paused.insert(partition.clone()) {
                full.push(partition);
            }
        }
        self.batches = batches;
        if !full.is_empty() {
            self.consumer.pause(&full)?;
        }
        Ok(polled?)
    }

    /// Fetches again what has room again.
    pub(super) fn resume(&mut self, tasks: &mut TaskManager) -> Result<(), ClientError> {
        if self.paused.is_empty() {
            return Ok(());
        }
        let limit = self.cx.config().buffered_records_per_partition();
        let mut room = Vec::new();
        for partition in &self.paused {
            let task = tasks.owner(partition);
            let buffered = task.and_then(|task| task.intake().queue(partition).map(PartitionQueue::buffered));
            if buffered.is_none_or(|buffered| buffered <= limit) {
                room.push(partition.clone());
            }
        }
        for partition in &room {
            self.paused.remove(partition);
        }
        if room.is_empty() { Ok(()) } else { self.consumer.resume(&room) }
    }

    /// Tells tasks with several inputs what there is at the broker, so that they know whether to wait for it.
    pub(super) fn tell_watermarks(&self, tasks: &mut TaskManager) {
        for task in tasks.actives_mut() {
            let inputs = &task.spec().inputs;
            if inputs.len() < 2 && !task.closes_idle() {
                continue;
            }
            let partitions: Vec<TopicPartition> = inputs.iter().map(|input| input.partition.clone()).collect();
            for partition in partitions {
                let (position, heard) = (self.consumer.position(&partition), self.consumer.watermarks(&partition));
                task.heard(&partition, position, heard);
            }
        }
    }

    /// How many records were fetched.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched
    }

    /// Where a partition ended when last heard of.
    pub(super) fn heard_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.consumer.watermarks(partition).map(|heard| heard.high)
    }

    /// A position is not in the log any more: the consumer says it once.
    pub(super) fn lost_position(&mut self, partition: TopicPartition, offset: Offset) {
        self.lost_positions.insert(partition, offset);
    }

    /// The positions that are not in the log any more, unless it is asked where to go on already, or later.
    pub(super) fn lost_positions(&self, now: Timestamp) -> Vec<(TopicPartition, Offset)> {
        if self.finding || now < self.positions_not_before {
            return Vec::new();
        }
        self.lost_positions.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect()
    }

    /// It is asked where to go on.
    pub(super) fn finding(&mut self) {
        self.finding = true;
    }

    /// There is an answer to that.
    pub(super) fn found(&mut self) {
        self.finding = false;
    }

    /// The cluster did not say where to go on: it is asked again after a pause.
    pub(super) fn find_later(&mut self) {
        self.positions_not_before = self.cx.now().plus(self.cx.config().retry_backoff());
    }

    /// Goes on elsewhere.
    pub(super) fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        self.lost_positions.remove(partition);
        self.consumer.seek(partition, to)
    }
}
