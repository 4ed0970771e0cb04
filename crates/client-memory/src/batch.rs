//! Records as a consumer gets them: a cursor over memory that the log shares.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_client::{ClientError, RecordBatch};
use headwater_record::{HeaderList, HeaderView, Offset, RawHeaders, RawRecord, Timestamp, TopicPartition};

use crate::payload::{Payload, PayloadRecord};

/// A run of records of one payload, from index `from` up to, but without, `to`.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) payload: Arc<Payload>,
    pub(crate) base_offset: i64,
    /// The broker's time for all of them, where the topic says `message.timestamp.type=LogAppendTime`.
    pub(crate) append_time: Option<i64>,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Slice {
    /// The record at `index` of the payload, without its headers.
    #[inline]
    pub(crate) fn record_at(&self, index: usize) -> Option<RawRecord<'_>> {
        if index >= self.to {
            return None;
        }
        Some(self.view(self.payload.record(index)?, RawHeaders::NONE))
    }

    #[inline]
    fn view<'a>(&self, record: PayloadRecord<'a>, headers: RawHeaders<'a>) -> RawRecord<'a> {
        RawRecord {
            offset: Offset::new(self.base_offset + i64::from(record.delta)),
            timestamp: Timestamp::from_millis(self.append_time.unwrap_or(record.timestamp)),
            key: record.key,
            value: record.value,
            headers,
        }
    }
}

/// Records of one partition out of several payloads.
#[derive(Debug)]
pub(crate) struct LogBatch {
    partition: TopicPartition,
    current: Slice,
    /// What follows, the next one last.
    later: Vec<Slice>,
    remaining: usize,
    end: Offset,
    held: usize,
}

impl LogBatch {
    /// A batch of `slices`, of which none is empty; after them, reading goes on at `end`.
    pub(crate) fn new(partition: TopicPartition, first: Slice, mut later: Vec<Slice>, end: Offset) -> Self {
        let slices = || std::iter::once(&first).chain(&later);
        let remaining = slices().map(|slice| slice.to - slice.from).sum();
        let held = slices().map(|slice| slice.payload.held_bytes()).sum();
        later.reverse();
        LogBatch { partition, current: first, later, remaining, end, held }
    }

    /// A whole payload that never reached a log.
    pub(crate) fn unsent(partition: TopicPartition, payload: Arc<Payload>) -> Self {
        let to = payload.len();
        let slice = Slice { payload, base_offset: 0, append_time: None, from: 0, to };
        LogBatch::new(partition, slice, Vec::new(), Offset::UNKNOWN)
    }
}

impl RecordBatch for LogBatch {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    #[inline]
    fn head(&self) -> Option<RawRecord<'_>> {
        let slice = &self.current;
        if slice.from >= slice.to {
            return None;
        }
        let record = slice.payload.record(slice.from)?;
        let headers = if record.has_headers { RawHeaders::of(self) } else { RawHeaders::NONE };
        Some(slice.view(record, headers))
    }

    #[inline]
    fn advance(&mut self) -> Result<(), ClientError> {
        if self.current.from < self.current.to {
            self.current.from += 1;
            self.remaining = self.remaining.saturating_sub(1);
        }
        if self.current.from >= self.current.to
            && let Some(next) = self.later.pop()
        {
            self.current = next;
        }
        Ok(())
    }

    #[inline]
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn next_offset(&self) -> Offset {
        self.current.record_at(self.current.from).map_or(self.end, |record| record.offset)
    }

    fn held_bytes(&self) -> usize {
        self.held
    }
}

/// The headers of the head: the cursor itself is the list, so that a record with headers allocates nothing.
impl HeaderList for LogBatch {
    fn len(&self) -> usize {
        self.current.payload.header_count(self.current.from)
    }

    fn header(&self, index: usize) -> Option<HeaderView<'_>> {
        self.current.payload.header(self.current.from, index)
    }
}
