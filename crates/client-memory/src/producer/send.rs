//! Sending: in order per partition, again what failed for the moment, and never twice into the log.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_client::{BatchAck, ClientError, ErrorClass, PartitionRef};
use headwater_record::{Offset, Timestamp};

use super::MemoryProducer;
use super::target::{Pending, Target};
use super::transactions::Transactions;
use crate::batch::LogBatch;
use crate::client::submit;
use crate::cluster::State;
use crate::fault::Api;
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
        if let Some(lease) = &self.lease {
            state.advance(now);
            state.settle_leases(now);
            lease.check()?;
        }
        if self.transactions.is_some() {
            state.advance(now);
            if !self.add_partitions(&mut state, now)? {
                return Ok(());
            }
        }
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
            let transactional = self.transactions.is_some();
            let identity = BatchIdentity { producer: self.id, epoch: target.epoch, sequence, transactional };
            let identity = self.settings.idempotent.then_some(identity);
            let transactional_id = self.transactions.as_mut().map(Transactions::sends);
            match send_batch(state, &self.client.id, target, &batch, identity, transactional_id, now) {
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
                    batch.unanswered |= matches!(error, ClientError::TimedOut { .. });
                    target.pending.push_front(batch);
                    return false;
                }
                Err(error) => {
                    if error.class() == ErrorClass::Fenced {
                        self.fatal = Some(error.clone());
                    }
                    if let Some(transactions) = &mut self.transactions {
                        // What comes after it must not be committed without it.
                        transactions.doom(&error);
                        transactions.may_arrive |= batch.unanswered || matches!(error, ClientError::TimedOut { .. });
                    } else {
                        // Whether it lies in the log is not known. A new epoch of its own lets the partition go on (KIP-360).
                        self.epoch = self.epoch.wrapping_add(1).max(0);
                        target.begin_anew(self.epoch);
                    }
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
    transactional_id: Option<Arc<str>>,
    now: Timestamp,
) -> Result<Offset, ClientError> {
    let (to, payload) = (target.partition.clone(), Arc::clone(&batch.payload));
    submit(state, Api::Produce, client_id, now, move |state, now| {
        state.produce(now, &to, &payload, identity, transactional_id.as_deref())
    })
}
