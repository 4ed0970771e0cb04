//! One partition: an append-only log of shared batches.
#![forbid(unsafe_code)]

mod compact;
mod sequence;

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_client::{ClientError, Watermarks};
use headwater_record::{Header, Offset, OwnedRecord, TopicPartition};

pub use compact::Tombstones;
pub(crate) use sequence::{BatchIdentity, ProducerId, next_sequence};

use crate::batch::{LogBatch, Slice};
use crate::payload::Payload;
use sequence::{ProducerStates, Sequenced};

/// One batch in the log.
#[derive(Debug)]
struct Segment {
    base_offset: i64,
    append_time: Option<i64>,
    payload: Arc<Payload>,
}

impl Segment {
    /// The offset after its last record.
    fn end(&self) -> i64 {
        self.base_offset + i64::from(self.payload.last_delta()) + 1
    }

    fn max_timestamp(&self) -> i64 {
        self.append_time.unwrap_or_else(|| self.payload.max_timestamp())
    }

    fn slice(&self, from: usize, to: usize) -> Slice {
        Slice {
            payload: Arc::clone(&self.payload),
            base_offset: self.base_offset,
            append_time: self.append_time,
            from,
            to,
        }
    }

    /// Index of the first record at `offset` or later.
    fn index_of(&self, offset: i64) -> usize {
        u32::try_from(offset - self.base_offset).map_or(0, |delta| self.payload.index_of(delta))
    }
}

/// What a read may return at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadLimit {
    /// Records.
    pub(crate) records: usize,
    /// Bytes; a batch that begins below the limit is read whole, so that every read makes progress.
    pub(crate) bytes: usize,
}

/// What a read found.
#[derive(Debug)]
pub(crate) struct Read {
    /// The records, if any.
    pub(crate) batch: Option<LogBatch>,
    /// Where to read next.
    pub(crate) next: Offset,
    /// How many records there are.
    pub(crate) records: usize,
    /// How many bytes they hold.
    pub(crate) bytes: usize,
}

/// The records of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    segments: VecDeque<Segment>,
    start: i64,
    end: i64,
    producers: ProducerStates,
}

impl PartitionLog {
    /// Log start offset and the offset up to which may be read.
    pub(crate) fn watermarks(&self) -> Watermarks {
        Watermarks { low: Offset::new(self.start), high: self.last_stable_offset() }
    }

    /// The offset after the last record.
    pub(crate) fn high_watermark(&self) -> Offset {
        Offset::new(self.end)
    }

    /// The offset up to which committed records can be read.
    ///
    /// **The place of transactions.** There are none yet, so everything is stable; once there are, this is the first offset of
    /// the earliest open transaction, and readers of committed records stop here (KIP-98).
    pub(crate) fn last_stable_offset(&self) -> Offset {
        self.high_watermark()
    }

    /// Appends a batch; gives its base offset, for a repeated one that of the first time.
    ///
    /// # Errors
    /// When the producer's epoch or sequence number is not the next one.
    pub(crate) fn append(
        &mut self,
        payload: &Arc<Payload>,
        append_time: Option<i64>,
        identity: Option<BatchIdentity>,
    ) -> Result<Offset, ClientError> {
        if let Some(identity) = identity {
            match self.producers.check(identity, payload.len() as i32)? {
                Sequenced::Next => self.producers.record(identity, payload.len() as i32, self.end),
                Sequenced::Repeated { base_offset } => return Ok(Offset::new(base_offset)),
            }
        }
        let base_offset = self.end;
        let segment = Segment { base_offset, append_time, payload: Arc::clone(payload) };
        self.end = segment.end();
        self.segments.push_back(segment);
        Ok(Offset::new(base_offset))
    }

    /// Whether `offset` can be read from: not before the log's start and not behind its end.
    pub(crate) fn contains(&self, offset: Offset) -> bool {
        (self.start..=self.end).contains(&offset.value())
    }

    /// Reads from `from` on.
    pub(crate) fn read(&self, partition: &TopicPartition, from: Offset, limit: ReadLimit) -> Read {
        let mut next = from.value();
        let first_segment = self.segments.partition_point(|segment| segment.end() <= next);
        let mut slices = self.segments.range(first_segment..);
        let (mut records, mut bytes) = (0, 0);
        let mut first = None;
        let mut later = Vec::new();
        while records < limit.records && (bytes < limit.bytes || records == 0) {
            let Some(segment) = slices.next() else {
                next = self.end;
                break;
            };
            let start = segment.index_of(next);
            let stop = segment.payload.len().min(start.saturating_add(limit.records - records));
            let slice = segment.slice(start, stop);
            next = if stop == segment.payload.len() {
                segment.end()
            } else {
                slice.record_at(stop - 1).map_or(next, |record| record.offset.next().value())
            };
            records += stop - start;
            bytes += segment.payload.held_bytes() / segment.payload.len().max(1) * (stop - start);
            match &first {
                None => first = Some(slice),
                Some(_) => later.push(slice),
            }
        }
        if next >= self.segments.back().map_or(self.start, Segment::end) {
            // Past the last record there may be offsets that compaction emptied.
            next = self.end.max(next);
        }
        let next = Offset::new(next);
        let batch = first.map(|first| LogBatch::new(partition.clone(), first, later, next));
        Read { batch, next, records, bytes }
    }

    /// The offset of the first record whose timestamp is `timestamp` or later.
    pub(crate) fn offset_at(&self, timestamp: i64) -> Option<Offset> {
        self.segments.iter().filter(|segment| segment.max_timestamp() >= timestamp).find_map(|segment| {
            let slice = segment.slice(segment.index_of(self.start), segment.payload.len());
            (slice.from..slice.to)
                .filter_map(|index| slice.record_at(index))
                .find(|record| record.timestamp.millis() >= timestamp)
                .map(|record| record.offset)
        })
    }

    /// Forgets the records before `offset`, which must be within the log.
    pub(crate) fn delete_before(&mut self, offset: Offset) {
        self.start = self.start.max(offset.value());
        let start = self.start;
        while self.segments.front().is_some_and(|segment| segment.end() <= start) {
            self.segments.pop_front();
        }
    }

    /// Copies of all records, in order.
    pub(crate) fn records(&self) -> Vec<OwnedRecord> {
        self.segments
            .iter()
            .flat_map(|segment| {
                let slice = segment.slice(segment.index_of(self.start), segment.payload.len());
                (slice.from..slice.to).filter_map(move |index| {
                    let mut record = slice.record_at(index)?.to_owned();
                    record.headers = headers_of(&slice.payload, index);
                    Some(record)
                })
            })
            .collect()
    }
}

fn headers_of(payload: &Payload, index: usize) -> Vec<Header> {
    (0..payload.header_count(index))
        .filter_map(|header| payload.header(index, header))
        .map(|view| Header { name: view.name.into(), value: view.value.map(bytes::Bytes::copy_from_slice) })
        .collect()
}

#[cfg(test)]
mod tests;
