//! Sending: in order per partition, again what failed for the moment, and never twice into the log.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_client::{BatchAck, ClientError, ErrorClass, PartitionRef};
use headwater_record::{Offset, Timestamp};

use super::MemoryProducer;
use super::target::{Pending, Target};
use crate::batch::LogBatch;
use crate::cluster::State;
use crate::fault::{Api, Verdict, lost};
use crate::partition_log::{BatchIdentity, next_sequence};

impl MemoryProducer {
    /// Sends every batch once. What is to be sent again leaves its target dirty.
    pub(super) fn send(&mut self, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        if self.dirty.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.client.shared);
        let now = shared.clock.now();
        let mut state = shared.lock();
        let mut still_dirty = Vec::new();
        for number in std::mem::take(&mut self.dirty) {
            if !self.send_target(number, &mut state, now, acks) {
                still_dirty.push(number);
            }
        }
        self.dirty = still_dirty;
        drop(state);
        shared.notify();
        self.check_usable()
    }

    /// Sends the batches of one target; whether nothing is left.
    fn send_target(&mut self, number: u32, state: &mut State, now: Timestamp, acks: &mut Vec<BatchAck>) -> bool {
        let to = PartitionRef::new(number);
        let Some(target) = self.targets.get_mut(to.index()) else {
            return true;
        };
        target.seal();
        while let Some(mut batch) = target.pending.pop_front() {
            let (first_sent, sequence) = *batch.sent.get_or_insert((now, target.sequence));
            let identity = BatchIdentity { producer: self.id, epoch: target.epoch, sequence };
            let identity = self.settings.idempotent.then_some(identity);
            match send_batch(state, &self.client.id, target, &batch, identity, now) {
                Ok(base_offset) => {
                    let count = batch.payload.len() as u32;
                    target.sequence = next_sequence(sequence, count as i32);
                    self.buffered -= batch.size.min(self.buffered);
                    acks.push(BatchAck::Stored { to, base_offset, count });
                }
                Err(error)
                    if error.class() == ErrorClass::Retriable
                        && now.since(first_sent) < self.settings.delivery_timeout =>
                {
                    target.pending.push_front(batch);
                    return false;
                }
                Err(error) => {
                    if error.class() == ErrorClass::Fenced {
                        self.fatal = Some(error.clone());
                    }
                    // Whether it lies in the log is not known. A new epoch of its own lets the partition go on (KIP-360).
                    self.epoch = self.epoch.wrapping_add(1).max(0);
                    (target.epoch, target.sequence) = (self.epoch, 0);
                    self.buffered -= batch.size.min(self.buffered);
                    let records = Box::new(LogBatch::unsent(target.partition.clone(), batch.payload));
                    acks.push(BatchAck::Failed { to, error, records });
                }
            }
        }
        target.is_dirty = false;
        true
    }
}

fn send_batch(
    state: &mut State,
    client_id: &str,
    target: &Target,
    batch: &Pending,
    identity: Option<BatchIdentity>,
    now: Timestamp,
) -> Result<Offset, ClientError> {
    let verdict = state.faults.verdict(Api::Produce, client_id);
    if let Verdict::Fail(error) = verdict {
        return Err(error);
    }
    let topic = &target.partition.topic;
    let stored = state.topics.get_mut(topic).ok_or_else(|| ClientError::UnknownTopic { topic: topic.clone() })?.append(
        topic,
        target.partition.partition,
        &batch.payload,
        now,
        identity,
    );
    if matches!(verdict, Verdict::LoseResponse) { stored.and_then(|_| Err(lost(Api::Produce))) } else { stored }
}
