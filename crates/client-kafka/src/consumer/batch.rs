//! What a poll gives.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, RecordBatch};
use headwater_record::{Offset, RawRecord, TopicPartition};

use crate::native::{Message, Messages};

/// Messages of one partition.
#[derive(Debug)]
pub(super) struct KafkaBatch {
    pub(super) partition: TopicPartition,
    pub(super) messages: Messages,
    /// Where reading goes on after it.
    pub(super) next: Offset,
}

impl RecordBatch for KafkaBatch {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }
    fn head(&self) -> Option<RawRecord<'_>> {
        self.messages.head().map(Message::record)
    }
    fn advance(&mut self) -> Result<(), ClientError> {
        self.messages.advance();
        Ok(())
    }
    fn remaining(&self) -> usize {
        self.messages.remaining()
    }
    fn next_offset(&self) -> Offset {
        self.messages.head().map_or(self.next, Message::offset)
    }
    fn held_bytes(&self) -> usize {
        self.messages.held_bytes()
    }
}
