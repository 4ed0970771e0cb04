//! The batches of one input partition, in order (Java's `RecordQueue`).

use std::collections::VecDeque;
use std::fmt;

use headwater_client::{ClientError, RecordBatch};
use headwater_record::{Offset, RawRecord, Timestamp, TopicPartition};
use headwater_topology::NodeId;

use crate::task::TaskInput;

/// The queue of one input partition. It holds batches as they were fetched, never copies of records.
pub struct PartitionQueue {
    node: NodeId,
    partition: TopicPartition,
    batches: VecDeque<Box<dyn RecordBatch>>,
    // Records in `batches`.
    buffered: usize,
    // Time of the head record; none while the head was not looked at, or there is none.
    pub(super) head_time: Option<Timestamp>,
    partition_time: Timestamp,
    // Where to go on when all batches are used up.
    resume: Option<Offset>,
    last_taken: Option<Offset>,
    consumed_since_commit: bool,
}

impl PartitionQueue {
    pub(super) fn new(input: &TaskInput, partition_time: Timestamp, resume: Option<Offset>) -> Self {
        PartitionQueue {
            node: input.node,
            partition: input.partition.clone(),
            batches: VecDeque::new(),
            buffered: 0,
            head_time: None,
            partition_time,
            resume,
            last_taken: None,
            consumed_since_commit: false,
        }
    }

    /// The source that reads this partition.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Which partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// How many records wait.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// How much memory the waiting batches hold.
    pub fn held_bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.held_bytes()).sum()
    }

    /// The greatest timestamp of the records taken from this queue, -1 before the first.
    pub fn partition_time(&self) -> Timestamp {
        self.partition_time
    }

    /// Whether no record waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buffered == 0
    }

    /// The next record to be processed, whether or not its time is known yet.
    #[inline]
    pub fn head(&self) -> Option<RawRecord<'_>> {
        self.batches.front()?.head()
    }

    /// The offset to commit: of the head, or where reading goes on after all that was taken. `None` while nothing was read.
    pub fn next_offset(&self) -> Option<Offset> {
        self.batches.front().map(|batch| batch.next_offset()).or(self.resume)
    }

    /// The offset of the last record that was taken.
    pub fn last_taken(&self) -> Option<Offset> {
        self.last_taken
    }

    /// Whether records were taken since the last commit.
    pub fn consumed_since_commit(&self) -> bool {
        self.consumed_since_commit
    }

    pub(super) fn mark_committed(&mut self) {
        self.consumed_since_commit = false;
    }

    pub(super) fn push(&mut self, batch: Box<dyn RecordBatch>) {
        self.buffered += batch.remaining();
        if batch.remaining() > 0 {
            self.batches.push_back(batch);
        } else if self.batches.is_empty() {
            self.resume = Some(batch.next_offset());
        } else {
            // Kept, so that its end is the place to go on.
            self.batches.push_back(batch);
        }
    }

    /// Takes the head: it was processed at `time`, or skipped without one.
    pub(super) fn take(&mut self, time: Option<Timestamp>) -> Result<(), ClientError> {
        self.head_time = None;
        let Some(batch) = self.batches.front_mut() else { return Ok(()) };
        self.last_taken = Some(batch.next_offset());
        if let Some(time) = time {
            self.partition_time = self.partition_time.max(time);
        }
        self.consumed_since_commit = true;
        let before = batch.remaining();
        let advanced = batch.advance();
        self.buffered = self.buffered.saturating_sub(before - batch.remaining().min(before));
        while let Some(batch) = self.batches.front()
            && batch.remaining() == 0
        {
            self.resume = Some(batch.next_offset());
            self.batches.pop_front();
            if advanced.is_err() {
                break;
            }
        }
        advanced
    }
}

impl fmt::Debug for PartitionQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionQueue")
            .field("partition", &self.partition)
            .field("buffered", &self.buffered)
            .field("head_time", &self.head_time)
            .field("partition_time", &self.partition_time)
            .finish_non_exhaustive()
    }
}
