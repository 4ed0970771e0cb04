//! What a fetch brought of one partition: batches of records, read where they lie.

use std::collections::{BTreeSet, VecDeque};
use std::mem;

use bytes::Bytes;
use headwater_client::{ClientError, RecordBatch};
use headwater_record::{HeaderList, HeaderView, Offset, RawHeaders, RawRecord, Timestamp, TopicPartition};

use super::header::{self, Header};
use super::varint::{Reader, Span};
use super::{Malformed, compression};

/// A transaction that was aborted: whatever its producer wrote from here on, up to its next marker, is not for readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
}

/// Records of one partition, in the memory that the broker's answer was read into.
#[derive(Debug)]
pub(crate) struct Fetched {
    partition: TopicPartition,
    bytes: Bytes,
    /// Batches with records for readers that were not begun yet.
    batches: VecDeque<Located>,
    /// The batch that the head is in.
    body: Body,
    head: Option<Head>,
    /// How many records of the current batch follow the head.
    left: usize,
    /// How many records the batches hold that were not begun yet.
    waiting: usize,
    /// Records before this offset were not asked for, or were read.
    floor: i64,
    /// Where reading goes on after all of this.
    next: Offset,
    /// Under which leader the last batch was written.
    leader_epoch: Option<i32>,
}

/// A batch within the bytes.
#[derive(Clone, Copy, Debug)]
struct Located {
    at: usize,
    header: Header,
}

/// The bytes that the current records lie in, which are those of the fetch or were compressed there.
#[derive(Debug, Default)]
struct Body {
    /// They end where the records do.
    bytes: Bytes,
    /// Where the next record begins.
    at: usize,
    base_offset: i64,
    last_delta: u32,
    base_timestamp: i64,
    /// The broker's time, where it holds for all records.
    log_append_time: Option<i64>,
    /// Headers of the current record.
    headers: Vec<(Name, Option<Span>)>,
}

/// The name of a header.
#[derive(Debug)]
enum Name {
    Utf8(Span),
    /// It was no UTF-8.
    Replaced(String),
}

/// The current record.
#[derive(Clone, Copy, Debug)]
struct Head {
    offset: i64,
    timestamp: i64,
    key: Option<Span>,
    value: Option<Span>,
}

impl Fetched {
    /// Reads what the broker answered for `partition`, which was asked for from `from` on. `aborted` are transactions whose records
    /// are not for readers; a reader of uncommitted records has none. A batch that cannot be read ends it, so that what is before
    /// it is not lost, and is an error when it is asked for again.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] when the first batch already cannot be read.
    pub(crate) fn new(
        partition: TopicPartition,
        bytes: Bytes,
        from: Offset,
        aborted: Vec<Aborted>,
        check_crcs: bool,
    ) -> Result<Self, ClientError> {
        let mut fetched = Fetched {
            partition,
            bytes,
            batches: VecDeque::new(),
            body: Body::default(),
            head: None,
            left: 0,
            waiting: 0,
            floor: from.value(),
            next: from,
            leader_epoch: None,
        };
        let located = fetched.locate(aborted, check_crcs);
        if fetched.next == from {
            located.map_err(|malformed| fetched.malformed(malformed))?;
        }
        fetched.advance()?;
        Ok(fetched)
    }

    /// Where reading goes on after all of this.
    pub(crate) fn end(&self) -> Offset {
        self.next
    }

    /// Under which leader the last of it was written.
    pub(crate) fn leader_epoch(&self) -> Option<i32> {
        self.leader_epoch
    }

    /// Finds the batches with records for readers; as Java's `CompletedFetch`, but all at once.
    fn locate(&mut self, mut aborted: Vec<Aborted>, check_crcs: bool) -> Result<(), Malformed> {
        let mut at = 0;
        aborted.sort_unstable_by_key(|transaction| transaction.first_offset);
        let mut aborted = aborted.into_iter().peekable();
        let mut not_for_readers = BTreeSet::new();
        while let Some(header) = Header::read(&self.bytes, at)? {
            let batch = self.bytes.get(at..at + header.bytes).unwrap_or_default();
            if check_crcs && crc32c::crc32c(batch.get(header::CRC_FROM..).unwrap_or_default()) != header.crc {
                return Err(Malformed("its checksum does not hold: it was damaged on its way or on the broker's disk"));
            }
            let located = Located { at, header };
            at += header.bytes;
            let last_offset = header.last_offset();
            while let Some(transaction) = aborted.next_if(|next| next.first_offset <= last_offset) {
                not_for_readers.insert(transaction.producer_id);
            }
            if header.is_control() {
                if self.is_abort(located) {
                    not_for_readers.remove(&header.producer_id);
                }
            } else if header.count > 0
                && last_offset >= self.next.value()
                && !(header.is_transactional() && not_for_readers.contains(&header.producer_id))
            {
                self.waiting += header.count;
                self.batches.push_back(located);
            }
            self.next = self.next.max(Offset::new(last_offset.saturating_add(1)));
            self.leader_epoch = Some(header.leader_epoch);
        }
        // The broker sends the first batch whole, however large: to ask again would bring the same.
        if at == 0 && !self.bytes.is_empty() {
            return Err(Malformed("it is cut short"));
        }
        Ok(())
    }

    /// Whether the control batch ends a transaction by taking it back: the type in its record's key says so. Compaction may have
    /// removed the record; then it also removed those of the transaction.
    fn is_abort(&self, batch: Located) -> bool {
        let mut body = Body::default();
        let Ok(Some(record)) = body.load(&self.bytes, batch).and_then(|()| body.read().map(Some)) else { return false };
        // A key is a version and a type, of two bytes each; 0 is an abort.
        let key = record.key.map(|key| key.of(&body.bytes));
        key.and_then(|key| key.get(2..4)) == Some(&[0, 0])
    }

    /// Goes to the next record.
    #[inline]
    fn step(&mut self) -> Result<(), Malformed> {
        loop {
            if self.left == 0 && !self.begin_batch()? {
                self.head = None;
                return Ok(());
            }
            let head = self.body.read()?;
            self.left -= 1;
            if self.left == 0 {
                self.body.ensure_used_up()?;
            }
            // Batches begin where their producer began them, and keep their first offset when they are compacted.
            if head.offset >= self.floor {
                self.floor = head.offset + 1;
                self.head = Some(head);
                return Ok(());
            }
        }
    }

    /// Goes to the next batch, if there is one.
    fn begin_batch(&mut self) -> Result<bool, Malformed> {
        let Some(batch) = self.batches.pop_front() else { return Ok(false) };
        self.waiting -= batch.header.count;
        self.left = batch.header.count;
        self.floor = self.floor.max(batch.header.base_offset);
        self.body.load(&self.bytes, batch)?;
        Ok(true)
    }

    /// The record at the floor cannot be read: nothing comes after it.
    #[cold]
    fn fail(&mut self, why: Malformed) -> ClientError {
        self.head = None;
        self.left = 0;
        self.waiting = 0;
        self.batches.clear();
        self.next = Offset::new(self.floor);
        self.malformed(why)
    }

    fn malformed(&self, why: Malformed) -> ClientError {
        let reason = format!("the record batch at offset {}: {why}", self.next);
        ClientError::Malformed { partition: self.partition.clone(), reason }
    }
}

impl RecordBatch for Fetched {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    #[inline]
    fn head(&self) -> Option<RawRecord<'_>> {
        let head = self.head.as_ref()?;
        Some(RawRecord {
            offset: Offset::new(head.offset),
            timestamp: Timestamp::from_millis(head.timestamp),
            key: head.key.map(|key| key.of(&self.body.bytes)),
            value: head.value.map(|value| value.of(&self.body.bytes)),
            headers: if self.body.headers.is_empty() { RawHeaders::NONE } else { RawHeaders::of(&self.body) },
        })
    }

    #[inline]
    fn advance(&mut self) -> Result<(), ClientError> {
        self.step().map_err(|malformed| self.fail(malformed))
    }

    fn remaining(&self) -> usize {
        usize::from(self.head.is_some()) + self.left + self.waiting
    }

    #[inline]
    fn next_offset(&self) -> Offset {
        self.head.map_or(self.next, |head| Offset::new(head.offset))
    }

    fn held_bytes(&self) -> usize {
        self.bytes.len() + if self.body.is_within(&self.bytes) { 0 } else { self.body.bytes.len() }
    }
}

impl Body {
    /// Begins the batch that lies in `bytes`.
    fn load(&mut self, bytes: &Bytes, batch: Located) -> Result<(), Malformed> {
        let Located { at, header } = batch;
        let end = at + header.bytes;
        self.base_offset = header.base_offset;
        self.last_delta = header.last_delta;
        self.base_timestamp = header.base_timestamp;
        self.log_append_time = header.has_log_append_time().then_some(header.max_timestamp);
        match header.compression()? {
            // Sliced at its end, so that no record reaches into the next batch.
            header::Compression::None => {
                self.bytes = bytes.slice(..end);
                self.at = at + header::BYTES;
            }
            codec => {
                let packed = bytes.get(at + header::BYTES..end).unwrap_or_default();
                let mut plain = self.spare();
                compression::decompress(codec, packed, &mut plain)?;
                self.bytes = plain.into();
                self.at = 0;
            }
        }
        Ok(())
    }

    /// The memory of the batch before, unless it is that of the fetch.
    fn spare(&mut self) -> Vec<u8> {
        let Ok(mut spare) = mem::take(&mut self.bytes).try_into_mut() else { return Vec::new() };
        spare.clear();
        spare.into()
    }

    /// Reads the next record.
    #[allow(clippy::inline_always, reason = "markers are read with it too, so that it is called else: 23 ns for 15")]
    #[inline(always)]
    fn read(&mut self) -> Result<Head, Malformed> {
        let mut reader = Reader::new(&self.bytes, self.at);
        let length = reader.length()?;
        let end = reader.at().saturating_add(length);
        reader.u8()?; // attributes, of which there are none
        let timestamp = self.base_timestamp.wrapping_add(reader.zigzag()?);
        let delta = reader.zigzag()?;
        let key = reader.nullable()?;
        let value = reader.nullable()?;
        let headers = reader.length()?;
        if !self.headers.is_empty() {
            self.headers.clear();
        }
        if headers > 0 {
            reader = read_headers(reader, headers, &self.bytes, &mut self.headers)?;
        }
        if reader.at() != end {
            return Err(Malformed("a record has another length than it says"));
        }
        if !(0..=i64::from(self.last_delta)).contains(&delta) {
            return Err(Malformed("a record has an offset outside of its batch"));
        }
        self.at = end;
        let timestamp = self.log_append_time.unwrap_or(timestamp);
        Ok(Head { offset: self.base_offset + delta, timestamp, key, value })
    }

    /// As Java does, takes a number of records that is too small for damage.
    fn ensure_used_up(&self) -> Result<(), Malformed> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(Malformed("it has more records than it says")) }
    }

    fn is_within(&self, bytes: &Bytes) -> bool {
        self.bytes.is_empty() || self.bytes.as_ptr() == bytes.as_ptr()
    }
}

/// The reader goes in and out by value, so that it can live in registers.
fn read_headers<'a>(
    mut reader: Reader<'a>,
    count: usize,
    bytes: &[u8],
    into: &mut Vec<(Name, Option<Span>)>,
) -> Result<Reader<'a>, Malformed> {
    for _ in 0..count {
        let name = reader.nullable()?.ok_or(Malformed("a header has no name"))?;
        let name = match String::from_utf8_lossy(name.of(bytes)) {
            std::borrow::Cow::Borrowed(_) => Name::Utf8(name),
            std::borrow::Cow::Owned(replaced) => Name::Replaced(replaced),
        };
        into.push((name, reader.nullable()?));
    }
    Ok(reader)
}

impl HeaderList for Body {
    fn len(&self) -> usize {
        self.headers.len()
    }

    fn header(&self, index: usize) -> Option<HeaderView<'_>> {
        let (name, value) = self.headers.get(index)?;
        let name = match name {
            // It was read as UTF-8 before.
            Name::Utf8(name) => std::str::from_utf8(name.of(&self.bytes)).unwrap_or_default(),
            Name::Replaced(name) => name,
        };
        Some(HeaderView { name, value: value.map(|value| value.of(&self.bytes)) })
    }
}

#[cfg(test)]
mod tests;
