//! One partition that a producer writes to.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_record::{RawRecord, Timestamp, TopicPartition};

use crate::payload::{Payload, PayloadBuilder};

/// A batch that waits to be sent, or to be sent again.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) payload: Arc<Payload>,
    /// What it takes of `buffer.memory`.
    pub(super) size: usize,
    /// When it was sent for the first time, and the sequence number it had.
    pub(super) sent: Option<(Timestamp, i32)>,
    /// Whether it may still arrive: nobody answered.
    pub(super) unanswered: bool,
}

/// One partition with its open batch and those that wait.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) partition: TopicPartition,
    open: PayloadBuilder,
    pub(super) pending: VecDeque<Pending>,
    /// Sequence number of the next batch, and in which epoch.
    pub(super) sequence: i32,
    pub(super) epoch: i16,
    /// Whether the producer knows that there is something to send.
    pub(super) is_dirty: bool,
}

impl Target {
    pub(super) fn new(partition: TopicPartition, epoch: i16) -> Self {
        Target {
            partition,
            open: PayloadBuilder::default(),
            pending: VecDeque::new(),
            sequence: 0,
            epoch,
            is_dirty: false,
        }
    }

    /// Copies a record into the open batch; whether this target has become dirty by it.
    #[inline]
    pub(super) fn push(
        &mut self,
        record: &RawRecord<'_>,
        timestamp: Timestamp,
        size: usize,
        batch_size: usize,
    ) -> bool {
        if self.open.len() > 0 && self.open.size() + size > batch_size {
            self.seal();
        }
        self.open.push(record, timestamp);
        !std::mem::replace(&mut self.is_dirty, true)
    }

    /// Forgets what was not acknowledged; whether some of it may still arrive.
    pub(super) fn forget(&mut self) -> bool {
        self.open = PayloadBuilder::default();
        self.is_dirty = false;
        self.pending.drain(..).any(|batch| batch.unanswered)
    }

    /// The producer has another identity: sequence numbers begin anew.
    pub(super) fn begin_anew(&mut self, epoch: i16) {
        (self.epoch, self.sequence) = (epoch, 0);
    }

    /// Closes the open batch. The next one is expected to become as large.
    pub(super) fn seal(&mut self) {
        if self.open.len() == 0 {
            return;
        }
        let size = self.open.size();
        let next = PayloadBuilder::with_capacity(self.open.arena_len(), self.open.len());
        let payload = std::mem::replace(&mut self.open, next).finish();
        self.pending.push_back(Pending { payload, size, sent: None, unanswered: false });
    }
}
