//! Writing partitions.

use headwater_record::{Deadline, Offset, Partition, RawRecord, Topic};

use crate::{ClientError, Lease, RecordBatch, Transactional};

/// One partition to write to, as a [`Producer`] numbers it: no topic name travels with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionRef(u32);

impl PartitionRef {
    /// Made by producers.
    pub const fn new(index: u32) -> Self {
        PartitionRef(index)
    }
    /// The producer's number of it.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What became of a record handed to [`Producer::append`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// It is in the partition's open batch.
    Stored,
    /// There is no room. Poll, then try again.
    Full,
}

/// What became of the records of one batch.
pub enum BatchAck {
    /// They are in the log, in order, from `base_offset` on.
    Stored {
        /// Where.
        to: PartitionRef,
        /// Offset of the first.
        base_offset: Offset,
        /// How many.
        count: u32,
    },
    /// They are not. They come back whole, for the production exception handler.
    Failed {
        /// Where they should have gone.
        to: PartitionRef,
        /// Why.
        error: ClientError,
        /// The records.
        records: Box<dyn RecordBatch>,
    },
}

impl std::fmt::Debug for BatchAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BatchAck::Stored { to, base_offset, count } => f
                .debug_struct("Stored")
                .field("to", to)
                .field("base_offset", base_offset)
                .field("count", count)
                .finish(),
            BatchAck::Failed { to, error, records } => f
                .debug_struct("Failed")
                .field("to", to)
                .field("error", error)
                .field("records", &records.remaining())
                .finish(),
        }
    }
}

/// Writes records, idempotently, in batches per partition. Dropping it loses what was not flushed.
pub trait Producer: Send {
    /// The handle of a partition; asked once, then used for every record.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`] where the client can tell already that there is no such partition.
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError>;

    /// How many partitions a topic has. Answers are kept as long as `metadata.max.age.ms` says.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`] when there is no such topic, [`ClientError::TimedOut`] at `until`.
    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError>;

    /// Copies a record into the partition's open batch. Never blocks. The record's offset is ignored; a timestamp below zero is
    /// replaced by the producer's time.
    ///
    /// # Errors
    /// [`ClientError::RecordTooLarge`] for a record that no batch can hold; [`ClientError::Fenced`] when another took over;
    /// [`ClientError::Config`] outside of a transaction of a producer that has them.
    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError>;

    /// Whether what waits takes so much memory (`buffer.memory`) that nothing more should be begun before polls have made room. Somewhat
    /// more may still be appended.
    fn is_full(&self) -> bool;

    /// Sends what is full or due and appends the answers that have come to `acks`, waiting until `until` when none has and some
    /// are due.
    ///
    /// # Errors
    /// What concerns the producer as a whole, such as [`ClientError::Fenced`], and [`ClientError::TransactionAborted`] when the
    /// open transaction can only be aborted; what its lease says when batches wait for that. Failures of batches are in `acks`.
    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError>;

    /// Sends everything and waits until all answers have come.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] when not all answers had come at `until`; otherwise as [`Producer::poll`], without waiting for a lease.
    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError>;

    /// From now on nothing is sent while `lease` does not hold: it waits until that holds again. Polls and flushes then fail with what
    /// [`Lease::check`] says.
    fn obey(&mut self, lease: Lease);

    /// Gives up all that is not under way, and sends nothing again that is: polls bring it back as failed, with
    /// [`ClientError::Abandoned`].
    fn abandon(&mut self);

    /// The transactional side of this producer; `None` when it was made without a `transactional.id`.
    fn transactional(&mut self) -> Option<&mut dyn Transactional> {
        None
    }
}
