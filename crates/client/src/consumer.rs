//! Reading partitions.

use std::sync::Arc;

use headwater_record::{Deadline, Offset, RawRecord, TopicPartition};

use crate::ClientError;

/// Records of one partition, in order, owning the memory they lie in. It is the element of a partition's queue.
pub trait RecordBatch: Send {
    /// Where the records come from.
    fn partition(&self) -> &TopicPartition;

    /// The next record, `None` when all were taken. Looking does not take it.
    fn head(&self) -> Option<RawRecord<'_>>;

    /// Takes the head.
    ///
    /// # Errors
    /// When the bytes of the record that follows are malformed. The batch is then used up; [`RecordBatch::next_offset`] is the
    /// malformed record's offset.
    fn advance(&mut self) -> Result<(), ClientError>;

    /// How many records are left, the head included.
    fn remaining(&self) -> usize;

    /// The offset of the head, or, when all records were taken, where to go on: past control, aborted and compacted records.
    fn next_offset(&self) -> Offset;

    /// How much memory this batch holds, in bytes.
    fn held_bytes(&self) -> usize;
}

/// From where to read a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// From this offset.
    Offset(Offset),
    /// From the first record that is still there.
    Beginning,
    /// From what is written from now on.
    End,
}

/// What a partition holds, as far as the consumer has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Offset of the first record that is still there.
    pub low: Offset,
    /// The offset after the last record that may be read (the last stable offset when reading committed records only).
    pub high: Offset,
}

/// Ends a poll that waits: to be called from any thread.
pub type Wakeup = Arc<dyn Fn() + Send + Sync>;

/// Reads partitions that it is told, in no group.
///
/// Settings: those of Kafka's consumer; `isolation.level` decides whether aborted and open transactions are seen.
pub trait Consumer: Send {
    /// Reads these partitions too. A partition that is read already is an error.
    ///
    /// # Errors
    /// [`ClientError::Config`] when a partition is assigned already; otherwise as the cluster answers.
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError>;

    /// Reads these partitions no longer. Batches of them that were not polled yet are gone; others are not disturbed.
    ///
    /// # Errors
    /// As the client library reports.
    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError>;

    /// Goes on at another place.
    ///
    /// # Errors
    /// [`ClientError::Config`] when the partition is not assigned.
    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError>;

    /// Fetches no more of these until [`Consumer::resume`]. What was fetched may still be polled.
    ///
    /// # Errors
    /// As the client library reports.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError>;

    /// Fetches these again.
    ///
    /// # Errors
    /// As the client library reports.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError>;

    /// Appends what has arrived to `into`, waiting until `until` when nothing has. Dropping a batch gives its memory back.
    ///
    /// # Errors
    /// [`ClientError::OffsetOutOfRange`] when a position is no longer in the log (the partition is then paused until a seek),
    /// [`ClientError::UnknownTopic`] when a topic is gone, and what the cluster answers otherwise. Batches already appended are valid.
    fn poll(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError>;

    /// What ends a poll that waits, or else the next one that would (Java's `Consumer#wakeup`). A consumer that has none of its own waits
    /// until its time is over.
    fn wakeup(&self) -> Wakeup {
        Arc::new(|| ())
    }

    /// The offset from which the next batch of this partition will come: past everything polled, control and aborted records
    /// included. `None` while it is not assigned or not known yet.
    fn position(&self, partition: &TopicPartition) -> Option<Offset>;

    /// What the partition holds as of the last fetch, without asking the cluster. `None` while nothing was heard.
    fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks>;
}
