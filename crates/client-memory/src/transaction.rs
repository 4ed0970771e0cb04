//! One `transactional.id` at the transaction coordinator, as Kafka's `TransactionMetadata` and `TransactionCoordinator` are: a state
//! machine without a clock, a log or a network.
//!
//! [`Transaction::step`] takes an event and gives a [`Step`]: the answer to whoever asked, and markers to be written. Who writes them
//! (`cluster/coordinator.rs`) comes back with [`Event::MarkersWritten`].
//!
//! ```text
//!          Init                Add                 End, Init, TimedOut            MarkersWritten
//! (new) ─────────► Empty ─────────────► Ongoing ──────────────────────► Prepared ────────────────► Complete
//!                    ▲                     ▲                                                       │  │
//!                    │        Init         │                        Add                            │  │
//!                    └─────────────────────┼───────────────────────────────────────────────────────┘  │
//!                                          └──────────────────────────────────────────────────────────┘
//! ```
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_record::{Timestamp, TopicPartition};

use crate::partition_log::ProducerId;

/// The last epoch that a producer is given: the next one is left for fencing it.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Which transaction protocol a cluster and its clients speak: the feature `transaction.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TransactionProtocol {
    /// Versions 0 and 1: partitions and groups are added by requests of their own, and a producer keeps its epoch.
    One,
    /// Version 2 (KIP-890): what is written adds itself, and the end of every transaction gives the producer a new epoch.
    #[default]
    Two,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    /// What was written is seen.
    Commit,
    /// Nobody sees it.
    Abort,
}

/// Where a transaction stands (Kafka's `TransactionState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// Nothing was written since the producer was initialised.
    Empty,
    /// Something was, the first at this time.
    Ongoing(Timestamp),
    /// Its end is decided, and its markers are being written.
    Prepared(TransactionEnd),
    /// All its markers are written.
    Complete(TransactionEnd),
}

/// A producer in one of its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer: ProducerId,
    pub(crate) epoch: i16,
}

/// Where a transaction leaves a marker when it ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Participant {
    /// A partition that was written.
    Partition(TopicPartition),
    /// A group for which offsets were committed (in Kafka its partition of `__consumer_offsets`).
    Group(String),
}

/// What happens to a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// `InitProducerId`.
    Init { timeout: Duration },
    /// `AddPartitionsToTxn` and `AddOffsetsToTxn`, and what is written under protocol 2.
    Add { by: Identity, participant: Participant },
    /// What is written under protocol 1: it must have been added.
    Verify { by: Identity, participant: Participant },
    /// `EndTxn`.
    End { by: Identity, end: TransactionEnd },
    /// It has been open for too long.
    TimedOut,
    /// Its markers are written.
    MarkersWritten,
}

/// Why the coordinator refuses, by Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    ConcurrentTransactions,
    ProducerFenced,
    InvalidProducerIdMapping,
    InvalidTxnState,
    TransactionAbortable,
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        let broker = |code, message: &str, retriable| ClientError::Broker { code, message: message.into(), retriable };
        match refusal {
            Refusal::ConcurrentTransactions => broker(51, "the transaction before has not ended yet", true),
            Refusal::InvalidTxnState => broker(48, "the transaction is not in a state for this", false),
            Refusal::ProducerFenced => ClientError::Fenced("a newer producer has the same transactional.id".into()),
            Refusal::InvalidProducerIdMapping => {
                ClientError::Fenced("the transactional.id belongs to another producer id".into())
            }
            Refusal::TransactionAbortable => {
                ClientError::TransactionAborted("it was written without being part of the transaction".into())
            }
        }
    }
}

/// Markers that are to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Markers {
    pub(crate) by: Identity,
    pub(crate) end: TransactionEnd,
    pub(crate) to: BTreeSet<Participant>,
}

/// What comes of an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// To whoever asked: who the producer is from here on.
    pub(crate) answer: Result<Identity, Refusal>,
    pub(crate) write: Option<Markers>,
}

impl Step {
    fn refused(refusal: Refusal) -> Self {
        Step { answer: Err(refusal), write: None }
    }
}

/// Gives every producer another number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProducerIds(i64);

impl ProducerIds {
    pub(crate) fn next(&mut self) -> ProducerId {
        self.0 += 1;
        ProducerId(self.0)
    }
}

/// The transactions of one `transactional.id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    protocol: TransactionProtocol,
    identity: Identity,
    /// Whose last epoch was used up by the last end; its repeated `EndTxn` is recognised by it.
    used_up: Option<ProducerId>,
    timeout: Duration,
    state: TransactionState,
    participants: BTreeSet<Participant>,
}

impl Transaction {
    /// Of a `transactional.id` that was never seen: its first `Init` gives epoch 0.
    pub(crate) fn new(protocol: TransactionProtocol, producer: ProducerId) -> Self {
        Transaction {
            protocol,
            identity: Identity { producer, epoch: -1 },
            used_up: None,
            timeout: Duration::ZERO,
            state: TransactionState::Empty,
            participants: BTreeSet::new(),
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    pub(crate) fn state(&self) -> TransactionState {
        self.state
    }

    pub(crate) fn participants(&self) -> &BTreeSet<Participant> {
        &self.participants
    }

    /// When it times out, if nothing ends it.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            TransactionState::Ongoing(since) => Some(since.plus(self.timeout)),
            _ => None,
        }
    }

    /// Markers whose writing was interrupted, to be written anew.
    pub(crate) fn unfinished(&self) -> Option<Markers> {
        match self.state {
            TransactionState::Prepared(end) => Some(self.markers(end)),
            _ => None,
        }
    }

    /// Takes an event at the time `now`.
    pub(crate) fn step(&mut self, now: Timestamp, event: Event, ids: &mut ProducerIds) -> Step {
        match event {
            Event::Init { timeout } => self.init(timeout, ids),
            Event::Add { by, participant } => match self.admit(by) {
                Ok(()) => self.add(now, participant),
                Err(refusal) => Step::refused(refusal),
            },
            Event::Verify { by, participant } => match self.admit(by) {
                Ok(()) if self.participants.contains(&participant) => self.unchanged(),
                Ok(()) => Step::refused(Refusal::TransactionAbortable),
                Err(refusal) => Step::refused(refusal),
            },
            Event::End { by, end } => match self.protocol {
                TransactionProtocol::One => self.end_one(by, end, ids),
                TransactionProtocol::Two => self.end_two(by, end, ids),
            },
            Event::TimedOut => match self.state {
                TransactionState::Ongoing(_) => self.fence(ids),
                _ => self.unchanged(),
            },
            Event::MarkersWritten => self.complete(),
        }
    }

    fn unchanged(&self) -> Step {
        Step { answer: Ok(self.identity), write: None }
    }

    /// Under protocol 2 markers carry the producer's next epoch already, so that logs refuse the one before.
    fn markers(&self, end: TransactionEnd) -> Markers {
        let by = self.used_up.map_or(self.identity, |producer| Identity { producer, epoch: i16::MAX });
        Markers { by, end, to: self.participants.clone() }
    }

    fn init(&mut self, timeout: Duration, ids: &mut ProducerIds) -> Step {
        match self.state {
            TransactionState::Prepared(_) => Step::refused(Refusal::ConcurrentTransactions),
            // The producer asks again, and is then given an epoch after the one that fenced.
            TransactionState::Ongoing(_) => Step { answer: Err(Refusal::ConcurrentTransactions), ..self.fence(ids) },
            TransactionState::Empty | TransactionState::Complete(_) => {
                self.identity = if self.identity.epoch >= LAST_EPOCH {
                    Identity { producer: ids.next(), epoch: 0 }
                } else {
                    Identity { epoch: self.identity.epoch + 1, ..self.identity }
                };
                (self.used_up, self.timeout, self.state) = (None, timeout, TransactionState::Empty);
                self.unchanged()
            }
        }
    }

    /// Whether `by` may write now.
    fn admit(&self, by: Identity) -> Result<(), Refusal> {
        if by.producer != self.identity.producer {
            Err(Refusal::InvalidProducerIdMapping)
        } else if by.epoch != self.identity.epoch {
            Err(Refusal::ProducerFenced)
        } else if matches!(self.state, TransactionState::Prepared(_)) {
            Err(Refusal::ConcurrentTransactions)
        } else {
            Ok(())
        }
    }

    fn add(&mut self, now: Timestamp, participant: Participant) -> Step {
        if !matches!(self.state, TransactionState::Ongoing(_)) {
            self.state = TransactionState::Ongoing(now);
        }
        self.participants.insert(participant);
        self.unchanged()
    }

    /// The coordinator aborts it: the producer's epoch is over. Under protocol 2 that is the same step as an abort of its own (as
    /// since Kafka 4.1), so a producer that aborts, too, may go on; one that commits is told.
    fn fence(&mut self, ids: &mut ProducerIds) -> Step {
        if self.protocol == TransactionProtocol::One {
            self.identity.epoch = self.identity.epoch.saturating_add(1);
        }
        self.prepare(TransactionEnd::Abort, ids)
    }

    /// Decides the end.
    fn prepare(&mut self, end: TransactionEnd, ids: &mut ProducerIds) -> Step {
        self.state = TransactionState::Prepared(end);
        if self.protocol == TransactionProtocol::Two {
            self.used_up = None;
            if self.identity.epoch >= LAST_EPOCH {
                self.used_up = Some(self.identity.producer);
                self.identity = Identity { producer: ids.next(), epoch: 0 };
            } else {
                self.identity.epoch += 1;
            }
        }
        Step { answer: Ok(self.identity), write: Some(self.markers(end)) }
    }

    fn end_one(&mut self, by: Identity, end: TransactionEnd, ids: &mut ProducerIds) -> Step {
        if by.producer != self.identity.producer {
            return Step::refused(Refusal::InvalidProducerIdMapping);
        }
        if by.epoch != self.identity.epoch {
            return Step::refused(Refusal::ProducerFenced);
        }
        match self.state {
            TransactionState::Ongoing(_) => self.prepare(end, ids),
            TransactionState::Prepared(decided) if decided == end => Step::refused(Refusal::ConcurrentTransactions),
            TransactionState::Complete(decided) if decided == end => self.unchanged(),
            _ => Step::refused(Refusal::InvalidTxnState),
        }
    }

    fn end_two(&mut self, by: Identity, end: TransactionEnd, ids: &mut ProducerIds) -> Step {
        let same_producer = by.producer == self.identity.producer;
        // The answer did not arrive: who asks is in the epoch before.
        let again = (same_producer && self.identity.epoch.checked_sub(1) == Some(by.epoch))
            || (self.used_up == Some(by.producer) && by.epoch == LAST_EPOCH);
        if !same_producer && !again {
            return Step::refused(Refusal::InvalidProducerIdMapping);
        }
        let current = same_producer && by.epoch == self.identity.epoch;
        match self.state {
            TransactionState::Ongoing(_) if current => self.prepare(end, ids),
            TransactionState::Prepared(decided) if again && decided == end => {
                Step::refused(Refusal::ConcurrentTransactions)
            }
            TransactionState::Complete(decided) if again && decided == end => self.unchanged(),
            TransactionState::Prepared(_) | TransactionState::Complete(_) if again => {
                Step::refused(Refusal::InvalidTxnState)
            }
            // Of what the producer sent nothing may have arrived.
            TransactionState::Empty | TransactionState::Complete(_) if current && end == TransactionEnd::Abort => {
                self.prepare(end, ids)
            }
            TransactionState::Empty | TransactionState::Complete(_) if current => {
                Step::refused(Refusal::InvalidTxnState)
            }
            _ => Step::refused(Refusal::ProducerFenced),
        }
    }

    fn complete(&mut self) -> Step {
        if let TransactionState::Prepared(end) = self.state {
            self.state = TransactionState::Complete(end);
            self.participants.clear();
        }
        self.unchanged()
    }
}

#[cfg(test)]
mod tests;
