//! Pauses that throw nothing away.
//!
//! Of a paused partition librdkafka drops all that it has fetched, to fetch it again afterwards. Who pauses whenever a queue is
//! full, many times a second, would have each record fetched several times and wait for the broker each time. So a pause only
//! holds back what comes, and librdkafka hears of it when that has become much, because other partitions go on meanwhile.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use headwater_client::RecordBatch as _;
use headwater_record::TopicPartition;

use super::batch::KafkaBatch;

/// How many bytes of a partition are held back before librdkafka stops to fetch it.
const MOST_BYTES: usize = 16 << 20;

/// A partition that is paused, or was.
#[derive(Debug, Default)]
struct Partition {
    paused: bool,
    /// Whether librdkafka was told to stop.
    stopped: bool,
    batches: Vec<KafkaBatch>,
    bytes: usize,
}

/// What is held back of paused partitions.
#[derive(Debug, Default)]
pub(super) struct Held {
    partitions: HashMap<TopicPartition, Partition>,
}

impl Held {
    /// Holds back from now on what comes of `partition`.
    pub(super) fn pause(&mut self, partition: &TopicPartition) {
        self.partitions.entry(partition.clone()).or_default().paused = true;
    }

    /// What was held back of `partition` comes with the next poll. Returns whether librdkafka is to be told to go on.
    #[must_use]
    pub(super) fn resume(&mut self, partition: &TopicPartition) -> bool {
        let Some(held) = self.partitions.get_mut(partition) else { return false };
        held.paused = false;
        std::mem::take(&mut held.stopped)
    }

    /// What was held back of `partition` is not wanted any more. A pause stays.
    pub(super) fn clear(&mut self, partition: &TopicPartition) {
        if let Some(held) = self.partitions.get_mut(partition) {
            held.batches.clear();
            held.bytes = 0;
        }
    }

    /// How many partitions are paused.
    pub(super) fn paused(&self) -> usize {
        self.partitions.values().filter(|held| held.paused).count()
    }

    /// Whether records of `partition` are held back.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        self.partitions.get(partition).is_some_and(|held| !held.batches.is_empty())
    }

    /// Takes `batch` when its partition is paused, and else gives it back.
    pub(super) fn keep(&mut self, batch: KafkaBatch) -> Option<KafkaBatch> {
        let Some(held) = self.partitions.get_mut(batch.partition()).filter(|held| held.paused) else {
            return Some(batch);
        };
        held.bytes += batch.held_bytes();
        held.batches.push(batch);
        None
    }

    /// The partitions that librdkafka is to stop: much of them is held back. Each is told once.
    pub(super) fn overfull(&mut self) -> Vec<TopicPartition> {
        let much = self.partitions.iter_mut().filter(|(_, held)| held.bytes >= MOST_BYTES && !held.stopped);
        much.map(|(partition, held)| {
            held.stopped = true;
            partition.clone()
        })
        .collect()
    }

    /// What was held back of partitions that are not paused any more, in order.
    pub(super) fn take(&mut self) -> Vec<KafkaBatch> {
        let mut batches = Vec::new();
        self.partitions.retain(|_, held| {
            if !held.paused {
                batches.append(&mut held.batches);
            }
            held.paused
        });
        batches
    }
}
