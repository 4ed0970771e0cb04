//! Records in: from the consumer into the queues of tasks, as long as these have room.

use std::time::Duration;

use headwater_client::{ClientError, ErrorClass};
use headwater_record::{Deadline, Offset, TopicPartition};

use super::StreamThread;
use crate::intake::PartitionQueue;
use crate::membership::Event;
use crate::{Error, metric};

/// How long it is waited for a topic to appear again before the group is asked once more to look for it.
const BETWEEN_REPORTS: Duration = Duration::from_secs(30);

impl StreamThread {
    /// Polls until `until` and hands the batches on.
    pub(super) fn fetch(&mut self, until: Deadline) -> Result<(), Error> {
        if !self.lost_positions.is_empty() {
            self.find_positions()?;
        }
        let mut batches = std::mem::take(&mut self.batches);
        let polled = self.consumer.poll(until, &mut batches);
        let limit = self.instance.config.buffered_records_per_partition();
        let mut full = Vec::new();
        for batch in batches.drain(..) {
            let Some(task) = self.registry.owner(batch.partition()) else { continue };
            metric::records_consumed(batch.remaining());
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
        match polled {
            Ok(()) => Ok(()),
            Err(error) => self.fetch_failed(error),
        }
    }

    /// Fetches again what has room again.
    pub(super) fn resume(&mut self) -> Result<(), ClientError> {
        if self.paused.is_empty() {
            return Ok(());
        }
        let limit = self.instance.config.buffered_records_per_partition();
        let mut room = Vec::new();
        for partition in &self.paused {
            let task = self.registry.owner(partition);
            let buffered = task.and_then(|task| task.intake().queue(partition).map(PartitionQueue::buffered));
            if buffered.is_none_or(|buffered| buffered <= limit) {
                room.push(partition.clone());
            }
        }
        for partition in &room {
            self.paused.remove(partition);
        }
        if !room.is_empty() {
            self.consumer.resume(&room)?;
        }
        Ok(())
    }

    /// Tells tasks with several inputs what there is at the broker, so that they know whether to wait for it.
    pub(super) fn tell_watermarks(&mut self) {
        for task in self.registry.actives_mut() {
            let inputs = &task.spec().inputs;
            if inputs.len() < 2 {
                continue;
            }
            let partitions: Vec<TopicPartition> = inputs.iter().map(|input| input.partition.clone()).collect();
            for partition in partitions {
                let (position, heard) = (self.consumer.position(&partition), self.consumer.watermarks(&partition));
                task.heard(&partition, position, heard);
            }
        }
    }

    fn fetch_failed(&mut self, error: ClientError) -> Result<(), Error> {
        let now = self.now();
        match error {
            ClientError::OffsetOutOfRange { partition, offset } => self.out_of_range(partition, offset),
            ClientError::UnknownTopic { topic } => {
                // One that was just made may not be known everywhere yet.
                if self.missed_topic.is_some_and(|at| now.since(at) < BETWEEN_REPORTS) {
                    return Ok(());
                }
                self.missed_topic = Some(now);
                tracing::warn!(%topic, "a topic that is read has gone; asking the group's leader to look");
                self.tell(now, Event::Rejoin { reason: format!("topic {topic} has gone") })
            }
            error if error.class() == ErrorClass::Retriable => {
                self.note_silence(now, &error);
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    fn out_of_range(&mut self, partition: TopicPartition, offset: Offset) -> Result<(), Error> {
        self.lost_positions.insert(partition, offset);
        self.find_positions()
    }

    /// Goes on elsewhere where a position is not in the log any more: the consumer says it once. What the cluster does not answer is
    /// asked again after a pause.
    fn find_positions(&mut self) -> Result<(), Error> {
        let now = self.now();
        if now < self.positions_not_before {
            return Ok(());
        }
        for (partition, offset) in std::mem::take(&mut self.lost_positions) {
            let Some(task) = self.registry.owner(&partition) else { continue };
            let of_source = task.spec().input(&partition).and_then(|input| input.reset);
            let to = match self.reset(&partition, of_source, now) {
                Ok(to) => to,
                Err(error) if error.class() == ErrorClass::Retriable => {
                    self.note_silence(now, &error);
                    self.positions_not_before = self.now().plus(self.instance.config.retry_backoff());
                    self.lost_positions.insert(partition, offset);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(%partition, %offset, ?to, "the position is not in the log any more; going on elsewhere");
            self.consumer.seek(&partition, to)?;
        }
        Ok(())
    }
}
