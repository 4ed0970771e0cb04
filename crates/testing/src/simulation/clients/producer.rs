//! A producer that may be struck, and whose transactions go into the ledger.

use headwater_client::{
    Appended, BatchAck, ClientConfig, ClientError, CommittedOffset, GroupIdentity, Lease, PartitionRef, Producer,
    TransactionOutcome, Transactional,
};
use headwater_record::{Deadline, Offset, Partition, RawRecord, Topic, TopicPartition};

use super::WatchedClients;
use super::group::{shown, watch_offsets};
use crate::simulation::ledger::Written;
use crate::simulation::process::Call;
use crate::simulation::stage;

pub(super) struct WatchedProducer {
    inner: Box<dyn Producer>,
    of: WatchedClients,
    id: String,
    partitions: Vec<(PartitionRef, TopicPartition)>,
    /// What was acknowledged of the open transaction.
    written: Written,
    /// The offsets of the open transaction.
    offsets: Vec<(TopicPartition, Offset)>,
}

impl WatchedProducer {
    pub(super) fn new(inner: Box<dyn Producer>, of: WatchedClients, config: &ClientConfig) -> Self {
        let id = config.value("transactional.id").unwrap_or_default().to_owned();
        WatchedProducer { inner, of, id, partitions: Vec::new(), written: Written::new(), offsets: Vec::new() }
    }

    fn note(&mut self, acks: &[BatchAck]) {
        if self.id.is_empty() {
            return;
        }
        for ack in acks {
            let BatchAck::Stored { to, base_offset, count } = ack else { continue };
            let known = self.partitions.iter().find(|(known, _)| known == to);
            if let Some((_, partition)) = known {
                self.written.push((partition.clone(), *base_offset, *count));
            }
        }
    }
}

impl Producer for WatchedProducer {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        let to = self.inner.partition(topic, partition)?;
        self.partitions.push((to, TopicPartition::new(topic.clone(), partition)));
        Ok(to)
    }
    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError> {
        self.of.call(Call::Admin, || self.inner.partition_count(topic, until))
    }
    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        self.of.call(Call::Append, || self.inner.append(to, record))
    }
    fn is_full(&self) -> bool {
        self.inner.is_full()
    }
    fn obey(&mut self, lease: Lease) {
        self.inner.obey(lease);
    }
    fn abandon(&mut self) {
        self.of.process.call(Call::Append, || self.inner.abandon());
    }
    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let before = acks.len();
        let result = self.of.call(Call::Send, || self.inner.poll(until, acks));
        self.note(acks.get(before..).unwrap_or_default());
        result
    }
    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        let before = acks.len();
        let result = self.of.call(Call::Flush, || self.inner.flush(until, acks));
        self.note(acks.get(before..).unwrap_or_default());
        result
    }
    fn transactional(&mut self) -> Option<&mut dyn Transactional> {
        self.inner.transactional()?;
        Some(self)
    }
}

impl WatchedProducer {
    /// Does `act` on the transactional side.
    fn transact<T>(
        &mut self,
        call: Call,
        act: impl FnOnce(&mut dyn Transactional) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let Self { inner, of, .. } = self;
        of.call(call, || inner.transactional().map_or(Err(ClientError::Closed), act))
    }
}

impl Transactional for WatchedProducer {
    fn init(&mut self, until: Deadline) -> Result<(), ClientError> {
        self.transact(Call::InitTransactions, |transactional| transactional.init(until))
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        self.transact(Call::BeginTransaction, |transactional| transactional.begin())
    }

    fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        until: Deadline,
    ) -> Result<(), ClientError> {
        watch_offsets(&self.of, offsets);
        self.offsets.extend(offsets.iter().map(|(partition, committed)| (partition.clone(), committed.offset)));
        let name = self.of.process.name().to_owned();
        self.transact(Call::SendOffsets, |transactional| {
            let result = transactional.send_offsets(identity, offsets, until);
            stage::tell(|| format!("{name} sends {}: {result:?}", shown(offsets)));
            result
        })
    }

    fn commit(&mut self, until: Deadline) -> TransactionOutcome {
        let (written, offsets) = (std::mem::take(&mut self.written), std::mem::take(&mut self.offsets));
        let (ledger, id) = (std::sync::Arc::clone(&self.of.ledger), self.id.clone());
        let result = self.transact(Call::CommitTransaction, |transactional| {
            let outcome = transactional.commit(until);
            stage::tell(|| format!("{id} commits: {outcome:?}"));
            match &outcome {
                TransactionOutcome::Committed => {
                    ledger.settled(&id, true, written);
                    ledger.committed(offsets);
                }
                TransactionOutcome::Aborted(_) | TransactionOutcome::Fenced(_) => ledger.settled(&id, false, written),
                TransactionOutcome::Indefinite(_) => {}
            }
            Ok(outcome)
        });
        result.unwrap_or_else(TransactionOutcome::Indefinite)
    }

    fn abort(&mut self, until: Deadline) -> Result<(), ClientError> {
        let written = std::mem::take(&mut self.written);
        self.offsets.clear();
        let (ledger, id) = (std::sync::Arc::clone(&self.of.ledger), self.id.clone());
        self.transact(Call::AbortTransaction, |transactional| {
            let result = transactional.abort(until);
            stage::tell(|| format!("{id} aborts: {result:?}"));
            if result.is_ok() {
                ledger.settled(&id, false, written);
            }
            result
        })
    }
}
