//! Idempotent producers: which batch comes next, and which was here before (KIP-98, `ProducerStateManager`).
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};

use headwater_client::ClientError;

/// How many batches back a repetition is recognised: `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`.
const BATCHES_KEPT: usize = 5;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;

/// A producer, as the cluster numbered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProducerId(pub(crate) i64);

/// Whose batch it is and which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchIdentity {
    pub(crate) producer: ProducerId,
    pub(crate) epoch: i16,
    /// Sequence number of the batch's first record.
    pub(crate) sequence: i32,
    /// Whether it is part of a transaction.
    pub(crate) transactional: bool,
}

/// Whether a batch is to be appended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sequenced {
    /// It is the next one.
    Next,
    /// It lies in the log already.
    Repeated { base_offset: i64 },
}

#[derive(Debug)]
struct KnownBatch {
    sequence: i32,
    records: i32,
    base_offset: i64,
}

#[derive(Debug)]
struct ProducerState {
    epoch: i16,
    batches: VecDeque<KnownBatch>,
    /// Where its open transaction begins.
    open: Option<i64>,
}

/// What a partition knows of those who wrote to it.
#[derive(Debug, Default)]
pub(super) struct ProducerStates(BTreeMap<ProducerId, ProducerState>);

/// The sequence number `records` after `sequence`; after `i32::MAX` comes 0.
pub(crate) fn next_sequence(sequence: i32, records: i32) -> i32 {
    ((i64::from(sequence) + i64::from(records)) % (i64::from(i32::MAX) + 1)) as i32
}

impl ProducerStates {
    /// Whether the batch `identity` of `records` records is the next one.
    ///
    /// # Errors
    /// [`ClientError::Fenced`] for an epoch that is over, `OUT_OF_ORDER_SEQUENCE_NUMBER` (45) after a gap.
    pub(super) fn check(&self, identity: BatchIdentity, records: i32) -> Result<Sequenced, ClientError> {
        let Some(known) = self.0.get(&identity.producer) else {
            // Kafka, too, takes any first sequence from a producer that the partition does not know (any more).
            return Ok(Sequenced::Next);
        };
        known.admit(identity.producer, identity.epoch)?;
        let expected = if identity.epoch > known.epoch {
            0
        } else {
            let repeated =
                known.batches.iter().find(|batch| batch.sequence == identity.sequence && batch.records == records);
            if let Some(batch) = repeated {
                return Ok(Sequenced::Repeated { base_offset: batch.base_offset });
            }
            known.batches.back().map_or(0, |last| next_sequence(last.sequence, last.records))
        };
        if identity.sequence == expected {
            Ok(Sequenced::Next)
        } else {
            Err(ClientError::Broker {
                code: OUT_OF_ORDER_SEQUENCE_NUMBER,
                message: format!("sequence number {} of a producer where {expected} comes next", identity.sequence),
                retriable: false,
            })
        }
    }

    /// Notes that the batch was appended at `base_offset`.
    pub(super) fn record(&mut self, identity: BatchIdentity, records: i32, base_offset: i64) {
        let state = self.enter(identity.producer, identity.epoch);
        if identity.transactional {
            state.open.get_or_insert(base_offset);
        }
        if state.batches.len() == BATCHES_KEPT {
            state.batches.pop_front();
        }
        state.batches.push_back(KnownBatch { sequence: identity.sequence, records, base_offset });
    }

    /// Ends the open transaction of a producer, which goes on in `epoch`; gives where it began, if there was one.
    ///
    /// # Errors
    /// [`ClientError::Fenced`] for an epoch that is over.
    pub(super) fn end(&mut self, producer: ProducerId, epoch: i16) -> Result<Option<i64>, ClientError> {
        if let Some(known) = self.0.get(&producer) {
            known.admit(producer, epoch)?;
        }
        Ok(self.enter(producer, epoch).open.take())
    }

    /// Whether the producer's transaction is open here in this very epoch.
    pub(super) fn is_open(&self, producer: ProducerId, epoch: i16) -> bool {
        self.0.get(&producer).is_some_and(|known| known.epoch == epoch && known.open.is_some())
    }

    /// Where the earliest open transaction begins.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.0.values().filter_map(|known| known.open).min()
    }

    fn enter(&mut self, producer: ProducerId, epoch: i16) -> &mut ProducerState {
        let state =
            self.0.entry(producer).or_insert_with(|| ProducerState { epoch, batches: VecDeque::new(), open: None });
        if state.epoch != epoch {
            state.epoch = epoch;
            state.batches.clear();
        }
        state
    }
}

impl ProducerState {
    fn admit(&self, producer: ProducerId, epoch: i16) -> Result<(), ClientError> {
        if epoch >= self.epoch {
            return Ok(());
        }
        let message = format!("producer {} has gone on to epoch {}, this is {epoch}", producer.0, self.epoch);
        Err(ClientError::Fenced(message))
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchIdentity, ProducerId, ProducerStates, Sequenced, next_sequence};

    fn batch(epoch: i16, sequence: i32) -> BatchIdentity {
        BatchIdentity { producer: ProducerId(7), epoch, sequence, transactional: false }
    }

    #[test]
    fn a_repeated_batch_is_recognised_and_a_gap_is_refused() {
        let mut states = ProducerStates::default();
        states.record(batch(0, 0), 3, 100);
        states.record(batch(0, 3), 2, 103);
        assert_eq!(states.check(batch(0, 0), 3), Ok(Sequenced::Repeated { base_offset: 100 }));
        assert_eq!(states.check(batch(0, 5), 1), Ok(Sequenced::Next));
        assert!(states.check(batch(0, 6), 1).is_err());
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_ends_the_old_one() {
        let mut states = ProducerStates::default();
        states.record(batch(0, 0), 3, 0);
        assert!(states.check(batch(1, 3), 1).is_err());
        assert_eq!(states.check(batch(1, 0), 1), Ok(Sequenced::Next));
        states.record(batch(1, 0), 1, 3);
        assert!(states.check(batch(0, 3), 1).is_err());
    }

    #[test]
    fn sequence_numbers_begin_again_at_zero() {
        assert_eq!(next_sequence(i32::MAX, 1), 0);
        assert_eq!(next_sequence(i32::MAX - 1, 3), 1);
    }
}
