//! One partition: an append-only log of shared batches.
#![forbid(unsafe_code)]

mod compact;
mod sequence;

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_client::{ClientError, Isolation, Watermarks};
use headwater_record::{Header, Offset, OwnedRecord, TopicPartition};

pub use compact::Tombstones;
pub(crate) use sequence::{BatchIdentity, ProducerId, next_sequence};

use crate::batch::{LogBatch, Slice};
use crate::payload::{Payload, PayloadBuilder};
use crate::transaction::TransactionEnd;
use sequence::{ProducerStates, Sequenced};

/// Who may see a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Everybody, readers of committed records once it is stable.
    Kept,
    /// Part of the transaction of this producer, which is open or was committed.
    Transactional(ProducerId),
    /// Part of one that was aborted: readers of committed records never.
    Aborted,
}

/// One batch in the log. A marker is one without records; it takes an offset all the same.
#[derive(Debug)]
struct Segment {
    base_offset: i64,
    append_time: Option<i64>,
    payload: Arc<Payload>,
    fate: Fate,
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

    fn is_seen(&self, isolation: Isolation) -> bool {
        self.payload.len() > 0 && (isolation == Isolation::ReadUncommitted || self.fate != Fate::Aborted)
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

    /// The offset up to which committed records can be read: where the earliest open transaction begins (KIP-98).
    pub(crate) fn last_stable_offset(&self) -> Offset {
        Offset::new(self.producers.first_open().map_or(self.end, |open| open.max(self.start)))
    }

    /// Up to where a reader may read.
    fn readable_end(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.end,
            Isolation::ReadCommitted => self.last_stable_offset().value(),
        }
    }

    /// Whether what is left of a batch lies before `end`. None lies across it: open transactions begin with a batch.
    fn begins_before(&self, segment: &Segment, end: i64) -> bool {
        segment.base_offset.max(self.start) < end
    }

    /// Whether the producer's transaction is open here in this very epoch.
    pub(crate) fn is_open(&self, producer: ProducerId, epoch: i16) -> bool {
        self.producers.is_open(producer, epoch)
    }

    /// Writes the marker that ends a producer's transaction here; it takes an offset, and the producer goes on in `epoch`.
    ///
    /// # Errors
    /// [`ClientError::Fenced`] for an epoch that is over.
    pub(crate) fn end_transaction(
        &mut self,
        producer: ProducerId,
        epoch: i16,
        end: TransactionEnd,
    ) -> Result<(), ClientError> {
        let began = self.producers.end(producer, epoch)?;
        if let (Some(began), TransactionEnd::Abort) = (began, end) {
            let first = self.segments.partition_point(|segment| segment.end() <= began);
            for segment in self.segments.range_mut(first..) {
                if segment.fate == Fate::Transactional(producer) {
                    segment.fate = Fate::Aborted;
                }
            }
        }
        let payload = PayloadBuilder::default().finish();
        self.segments.push_back(Segment { base_offset: self.end, append_time: None, payload, fate: Fate::Kept });
        self.end += 1;
        Ok(())
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
        let fate = match identity {
            Some(BatchIdentity { producer, transactional: true, .. }) => Fate::Transactional(producer),
            _ => Fate::Kept,
        };
        let segment = Segment { base_offset, append_time, payload: Arc::clone(payload), fate };
        self.end = segment.end();
        self.segments.push_back(segment);
        Ok(Offset::new(base_offset))
    }

    /// Whether `offset` can be read from: not before the log's start and not behind its end.
    pub(crate) fn contains(&self, offset: Offset) -> bool {
        (self.start..=self.end).contains(&offset.value())
    }

    /// Reads from `from` on what may be seen.
    pub(crate) fn read(
        &self,
        partition: &TopicPartition,
        from: Offset,
        isolation: Isolation,
        limit: ReadLimit,
    ) -> Read {
        let end = self.readable_end(isolation);
        let mut next = from.value();
        let first_segment = self.segments.partition_point(|segment| segment.end() <= next);
        let mut slices = self.segments.range(first_segment..);
        let (mut records, mut bytes) = (0, 0);
        let mut first = None;
        let mut later = Vec::new();
        while records < limit.records && (bytes < limit.bytes || records == 0) {
            let Some(segment) = slices.next().filter(|segment| self.begins_before(segment, end)) else {
                next = end.max(next);
                break;
            };
            if !segment.is_seen(isolation) {
                next = segment.end();
                continue;
            }
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
        // Up to the end there may be offsets that compaction emptied, markers, and what was aborted.
        let rest = self.segments.partition_point(|segment| segment.end() <= next);
        let is_left = |segment: &&Segment| self.begins_before(segment, end) && segment.is_seen(isolation);
        next = match self.segments.range(rest..).find(is_left) {
            Some(_) => next,
            None => end.max(next),
        };
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

    /// Whether there are records at `from` or later that may be seen.
    pub(crate) fn has_records(&self, from: Offset, isolation: Isolation) -> bool {
        let end = self.readable_end(isolation);
        let first = self.segments.partition_point(|segment| segment.end() <= from.value());
        let mut segments = self.segments.range(first..);
        segments.any(|segment| self.begins_before(segment, end) && segment.is_seen(isolation))
    }

    /// Copies of all records that may be seen, in order.
    pub(crate) fn records(&self, isolation: Isolation) -> Vec<OwnedRecord> {
        let end = self.readable_end(isolation);
        self.segments
            .iter()
            .filter(|segment| self.begins_before(segment, end) && segment.is_seen(isolation))
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
