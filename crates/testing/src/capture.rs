//! A producer that remembers what went through it, in order and as it was handed over.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_client::{Appended, BatchAck, ClientError, Lease, PartitionRef, Producer, Transactional};
use headwater_record::{Deadline, OwnedRecord, Partition, RawRecord, Topic, TopicPartition};

/// The records that were written since somebody last looked, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<(TopicPartition, OwnedRecord)>>>);

impl Captured {
    /// Takes them.
    pub(crate) fn take(&self) -> Vec<(TopicPartition, OwnedRecord)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, to: TopicPartition, record: OwnedRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((to, record));
    }
}

/// The producer.
pub(crate) struct CapturingProducer {
    inner: Box<dyn Producer>,
    partitions: Vec<Option<TopicPartition>>,
    captured: Captured,
}

impl CapturingProducer {
    pub(crate) fn new(inner: Box<dyn Producer>, captured: Captured) -> Self {
        CapturingProducer { inner, partitions: Vec::new(), captured }
    }
}

impl Producer for CapturingProducer {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        let number = self.inner.partition(topic, partition)?;
        if self.partitions.len() <= number.index() {
            self.partitions.resize(number.index() + 1, None);
        }
        if let Some(slot) = self.partitions.get_mut(number.index()) {
            *slot = Some(TopicPartition { topic: topic.clone(), partition });
        }
        Ok(number)
    }

    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError> {
        self.inner.partition_count(topic, until)
    }

    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        let appended = self.inner.append(to, record)?;
        if appended == Appended::Stored
            && let Some(Some(partition)) = self.partitions.get(to.index())
        {
            self.captured.push(partition.clone(), record.to_owned());
        }
        Ok(appended)
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.inner.poll(until, acks)
    }

    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.inner.flush(until, acks)
    }

    fn obey(&mut self, lease: Lease) {
        self.inner.obey(lease);
    }

    fn abandon(&mut self) {
        self.inner.abandon();
    }

    fn transactional(&mut self) -> Option<&mut dyn Transactional> {
        self.inner.transactional()
    }
}

impl fmt::Debug for CapturingProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CapturingProducer").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}
