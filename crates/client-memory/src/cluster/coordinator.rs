//! The transaction coordinator at work: what [`Transaction`] decides is done to logs and groups.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_client::{ClientError, GroupError, OffsetCommit};
use headwater_record::{Offset, Timestamp, TopicPartition};

use super::State;
use crate::partition_log::BatchIdentity;
use crate::payload::Payload;
use crate::topic::refused;
use crate::transaction::{
    Event, Identity, Markers, Participant, ProducerIds, Refusal, Transaction, TransactionProtocol,
};

const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const INVALID_TRANSACTION_TIMEOUT: i16 = 50;

/// All transactions of the cluster.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) protocol: TransactionProtocol,
    max_timeout: Duration,
    pub(crate) ids: ProducerIds,
    pub(crate) transactions: BTreeMap<String, Transaction>,
    /// When a coordinator that crashed is back.
    back: Option<Timestamp>,
}

impl Coordinator {
    pub(super) fn new(protocol: TransactionProtocol, max_timeout: Duration) -> Self {
        Coordinator { protocol, max_timeout, ids: ProducerIds::default(), transactions: BTreeMap::new(), back: None }
    }

    /// When something happens by itself. While the coordinator is gone nothing does.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.back.or_else(|| self.transactions.values().filter_map(Transaction::deadline).min())
    }
}

impl State {
    /// `InitProducerId` with a `transactional.id`.
    ///
    /// # Errors
    /// `CONCURRENT_TRANSACTIONS` (51), retriable, while an earlier transaction is being ended.
    pub(crate) fn init_producer(
        &mut self,
        now: Timestamp,
        transactional_id: &str,
        timeout: Duration,
    ) -> Result<Identity, ClientError> {
        let coordinator = &mut self.coordinator;
        if timeout > coordinator.max_timeout {
            let message = "transaction.timeout.ms is above the broker's transaction.max.timeout.ms";
            return Err(refused(INVALID_TRANSACTION_TIMEOUT, message.into()));
        }
        if coordinator.back.is_none() && !coordinator.transactions.contains_key(transactional_id) {
            let transaction = Transaction::new(coordinator.protocol, coordinator.ids.next());
            coordinator.transactions.insert(transactional_id.to_owned(), transaction);
        }
        self.transact(now, transactional_id, Event::Init { timeout })
    }

    /// Has a transaction take an event, and does what comes of it.
    ///
    /// # Errors
    /// What the coordinator answers.
    pub(crate) fn transact(
        &mut self,
        now: Timestamp,
        transactional_id: &str,
        event: Event,
    ) -> Result<Identity, ClientError> {
        if self.coordinator.back.is_some() {
            let message = "the transaction coordinator is not available".into();
            return Err(ClientError::Broker { code: COORDINATOR_NOT_AVAILABLE, message, retriable: true });
        }
        let Coordinator { transactions, ids, .. } = &mut self.coordinator;
        let transaction = transactions.get_mut(transactional_id).ok_or(Refusal::InvalidProducerIdMapping)?;
        let step = transaction.step(now, event, ids);
        if let Some(markers) = step.write {
            self.write_markers(now, transactional_id, &markers);
        }
        Ok(step.answer?)
    }

    /// Writes markers, all of them unless a crash is planned.
    fn write_markers(&mut self, now: Timestamp, transactional_id: &str, markers: &Markers) {
        let crash = self.faults.take_crash();
        let written = crash.as_ref().map_or(usize::MAX, |crash| crash.markers);
        for participant in markers.to.iter().take(written) {
            self.write_marker(participant, markers);
        }
        if let Some(crash) = crash {
            self.coordinator.back = Some(crash.back);
        } else if let Some(transaction) = self.coordinator.transactions.get_mut(transactional_id) {
            transaction.step(now, Event::MarkersWritten, &mut self.coordinator.ids);
        }
    }

    /// Writes one marker. What is gone, or heard of a newer epoch, needs none.
    fn write_marker(&mut self, participant: &Participant, markers: &Markers) {
        let Markers { by: Identity { producer, epoch }, end, .. } = *markers;
        match participant {
            Participant::Partition(partition) => {
                let topic = self.topics.get_mut(&partition.topic);
                if let Some(log) = topic.and_then(|topic| topic.partition_mut(partition.partition)) {
                    let _ = log.end_transaction(producer, epoch, end);
                }
            }
            Participant::Group(group) => {
                if let Some(group) = self.groups.get_mut(group) {
                    group.end_transaction(producer, end);
                }
            }
        }
    }

    /// What the coordinator does by itself at the time `now`: it comes back and goes on, or gives transactions up.
    pub(super) fn advance_transactions(&mut self, now: Timestamp) {
        if self.coordinator.back.is_some_and(|back| back <= now) {
            self.coordinator.back = None;
            let unfinished = |(id, transaction): (&String, &Transaction)| Some((id.clone(), transaction.unfinished()?));
            let unfinished: Vec<_> = self.coordinator.transactions.iter().filter_map(unfinished).collect();
            for (id, markers) in unfinished {
                if self.coordinator.back.is_none() {
                    self.write_markers(now, &id, &markers);
                }
            }
        }
        let timed_out = |(id, transaction): (&String, &Transaction)| {
            transaction.deadline().is_some_and(|deadline| deadline <= now).then(|| id.clone())
        };
        let timed_out: Vec<_> = self.coordinator.transactions.iter().filter_map(timed_out).collect();
        for id in timed_out {
            // Nobody asked; while the coordinator is gone it happens later.
            let _ = self.transact(now, &id, Event::TimedOut);
        }
    }

    /// `Produce`: appends a batch; one of a transaction must be of one that is open, and under protocol 2 adds its partition.
    ///
    /// # Errors
    /// As [`TopicState::append`](crate::topic::TopicState::append) and [`State::transact`].
    pub(crate) fn produce(
        &mut self,
        now: Timestamp,
        to: &TopicPartition,
        payload: &std::sync::Arc<Payload>,
        identity: Option<BatchIdentity>,
        transactional_id: Option<&str>,
    ) -> Result<Offset, ClientError> {
        if let (Some(id), Some(BatchIdentity { producer, epoch, .. })) = (transactional_id, identity)
            && !self.log(to)?.is_open(producer, epoch)
        {
            self.take_part(now, id, Identity { producer, epoch }, Participant::Partition(to.clone()))?;
        }
        let unknown = || ClientError::UnknownTopic { topic: to.topic.clone() };
        self.topics.get_mut(&to.topic).ok_or_else(unknown)?.append(&to.topic, to.partition, payload, now, identity)
    }

    /// `TxnOffsetCommit`: offsets that are pending until the transaction ends.
    ///
    /// # Errors
    /// [`ClientError::Group`] when who commits is not a member of the present generation, and as [`State::transact`].
    pub(crate) fn commit_in_transaction(
        &mut self,
        now: Timestamp,
        transactional_id: &str,
        by: Identity,
        commit: &OffsetCommit,
    ) -> Result<(), ClientError> {
        for (partition, _) in &commit.offsets {
            self.log(partition)?;
        }
        let group_id = &commit.identity.group;
        self.take_part(now, transactional_id, by, Participant::Group(group_id.clone()))?;
        let group = match commit.identity.generation {
            ..0 => self.group_or_new(group_id),
            _ => self.groups.get_mut(group_id).ok_or(GroupError::IllegalGeneration)?,
        };
        group.commit_in_transaction(by.producer, commit)
    }

    fn take_part(
        &mut self,
        now: Timestamp,
        transactional_id: &str,
        by: Identity,
        participant: Participant,
    ) -> Result<(), ClientError> {
        let event = match self.coordinator.protocol {
            TransactionProtocol::One => Event::Verify { by, participant },
            TransactionProtocol::Two => Event::Add { by, participant },
        };
        self.transact(now, transactional_id, event).map(|_| ())
    }
}
