//! The records of one produced batch: a single arena of bytes and an index into it.
//!
//! A producer fills a [`PayloadBuilder`], the log keeps the finished [`Payload`] behind an `Arc`, and every reader shares it: a
//! record is copied once, into the arena, and never again.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_record::{HeaderView, RawRecord, Timestamp};

/// The length that stands for "no bytes".
const NONE: i32 = -1;
/// What a record costs beside its bytes when batches are measured; Kafka's own overhead per record is of this order.
const RECORD_OVERHEAD: usize = 16;

/// Where one record lies in the arena: key, then value, then headers.
#[derive(Clone, Copy, Debug)]
struct Entry {
    timestamp: i64,
    /// Offset relative to the first record of the batch.
    delta: u32,
    start: u32,
    key: i32,
    value: i32,
    first_header: u32,
    headers: u32,
}

/// Where one header lies in the arena: name, then value.
#[derive(Clone, Copy, Debug)]
struct HeaderEntry {
    start: u32,
    name: u32,
    value: i32,
}

/// Records that will not change any more.
#[derive(Debug)]
pub(crate) struct Payload {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<HeaderEntry>,
    max_timestamp: i64,
    largest_record: usize,
    has_null_key: bool,
}

/// One record of a payload, its offset relative to the payload's base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadRecord<'a> {
    pub(crate) delta: u32,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) has_headers: bool,
}

impl Payload {
    /// How many records there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Memory held, in bytes.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        self.arena.len() + self.entries.len() * size_of::<Entry>() + self.headers.len() * size_of::<HeaderEntry>()
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The largest record's size in bytes.
    pub(crate) fn largest_record(&self) -> usize {
        self.largest_record
    }

    pub(crate) fn has_null_key(&self) -> bool {
        self.has_null_key
    }

    /// Offset of the last record relative to the first.
    pub(crate) fn last_delta(&self) -> u32 {
        self.entries.last().map_or(0, |entry| entry.delta)
    }

    /// Index of the first record whose relative offset is `delta` or later.
    pub(crate) fn index_of(&self, delta: u32) -> usize {
        // Without gaps, as every batch is before compaction, the index is the relative offset.
        match self.entries.get(delta as usize) {
            Some(entry) if entry.delta == delta => delta as usize,
            _ => self.entries.partition_point(|entry| entry.delta < delta),
        }
    }

    #[inline]
    pub(crate) fn record(&self, index: usize) -> Option<PayloadRecord<'_>> {
        let entry = self.entries.get(index)?;
        let bytes = self.arena.get(entry.start as usize..)?;
        let (key, rest) = split(bytes, entry.key)?;
        let (value, _) = split(rest, entry.value)?;
        Some(PayloadRecord {
            delta: entry.delta,
            timestamp: entry.timestamp,
            key,
            value,
            has_headers: entry.headers > 0,
        })
    }

    /// How many headers the record at `index` has.
    pub(crate) fn header_count(&self, index: usize) -> usize {
        self.entries.get(index).map_or(0, |entry| entry.headers as usize)
    }

    /// Header number `header` of the record at `index`.
    pub(crate) fn header(&self, index: usize, header: usize) -> Option<HeaderView<'_>> {
        let entry = self.entries.get(index)?;
        if header >= entry.headers as usize {
            return None;
        }
        let header = self.headers.get(entry.first_header as usize + header)?;
        let bytes = self.arena.get(header.start as usize..)?;
        let (name, rest) = bytes.split_at_checked(header.name as usize)?;
        let (value, _) = split(rest, header.value)?;
        // The name was a `&str` when it was copied here.
        Some(HeaderView { name: std::str::from_utf8(name).unwrap_or_default(), value })
    }
}

/// The first `len` bytes and the rest; no bytes for a negative length.
#[inline]
fn split(bytes: &[u8], len: i32) -> Option<(Option<&[u8]>, &[u8])> {
    match usize::try_from(len) {
        Ok(len) => bytes.split_at_checked(len).map(|(head, rest)| (Some(head), rest)),
        Err(_) => Some((None, bytes)),
    }
}

/// A batch that is still being filled.
#[derive(Debug)]
pub(crate) struct PayloadBuilder {
    payload: Payload,
}

impl Default for PayloadBuilder {
    fn default() -> Self {
        Self::with_capacity(0, 0)
    }
}

impl PayloadBuilder {
    /// An empty batch with room for `bytes` and `records`.
    pub(crate) fn with_capacity(bytes: usize, records: usize) -> Self {
        PayloadBuilder {
            payload: Payload {
                arena: Vec::with_capacity(bytes),
                entries: Vec::with_capacity(records),
                headers: Vec::new(),
                max_timestamp: Timestamp::UNKNOWN.millis(),
                largest_record: 0,
                has_null_key: false,
            },
        }
    }

    /// How many records there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.payload.entries.len()
    }

    /// Bytes of keys, values and headers so far.
    pub(crate) fn arena_len(&self) -> usize {
        self.payload.arena.len()
    }

    /// How large the batch is so far.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.payload.arena.len() + self.payload.entries.len() * RECORD_OVERHEAD
    }

    /// What `record` adds to [`PayloadBuilder::size`], in bytes.
    #[inline]
    pub(crate) fn size_of(record: &RawRecord<'_>) -> usize {
        let headers = if record.headers.is_empty() { 0 } else { record.headers.payload_len() };
        record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers + RECORD_OVERHEAD
    }

    /// Copies a record behind the others.
    #[inline]
    pub(crate) fn push(&mut self, record: &RawRecord<'_>, timestamp: Timestamp) {
        let delta = self.payload.entries.len() as u32;
        self.push_at(delta, record, timestamp);
    }

    /// Copies a record behind the others, at a relative offset that leaves a gap: compaction does that.
    #[inline]
    pub(crate) fn push_at(&mut self, delta: u32, record: &RawRecord<'_>, timestamp: Timestamp) {
        let payload = &mut self.payload;
        let start = payload.arena.len();
        let key = append(&mut payload.arena, record.key);
        let value = append(&mut payload.arena, record.value);
        let first_header = payload.headers.len();
        if !record.headers.is_empty() {
            for header in record.headers.iter() {
                let start = payload.arena.len() as u32;
                payload.arena.extend_from_slice(header.name.as_bytes());
                let value = append(&mut payload.arena, header.value);
                payload.headers.push(HeaderEntry { start, name: header.name.len() as u32, value });
            }
        }
        payload.max_timestamp = payload.max_timestamp.max(timestamp.millis());
        payload.largest_record = payload.largest_record.max(payload.arena.len() - start + RECORD_OVERHEAD);
        payload.has_null_key |= record.key.is_none();
        payload.entries.push(Entry {
            timestamp: timestamp.millis(),
            delta,
            start: start as u32,
            key,
            value,
            first_header: first_header as u32,
            headers: (payload.headers.len() - first_header) as u32,
        });
    }

    /// The finished batch. Memory that was reserved and is not needed goes back.
    pub(crate) fn finish(mut self) -> Arc<Payload> {
        let payload = &mut self.payload;
        if payload.arena.capacity() > payload.arena.len() * 2 {
            payload.arena.shrink_to_fit();
        }
        if payload.entries.capacity() > payload.entries.len() * 2 {
            payload.entries.shrink_to_fit();
        }
        Arc::new(self.payload)
    }
}

#[inline]
fn append(arena: &mut Vec<u8>, bytes: Option<&[u8]>) -> i32 {
    match bytes {
        Some(bytes) => {
            arena.extend_from_slice(bytes);
            bytes.len() as i32
        }
        None => NONE,
    }
}

#[cfg(test)]
mod tests {
    use headwater_record::{Header, Offset, RawHeaders, RawRecord, Timestamp};

    use super::PayloadBuilder;

    #[test]
    fn empty_bytes_and_no_bytes_stay_apart() {
        let mut builder = PayloadBuilder::default();
        let headers =
            vec![Header { name: "h".into(), value: None }, Header { name: "h".into(), value: Some("".into()) }];
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::ZERO,
            key: Some(b""),
            value: None,
            headers: RawHeaders::of(&headers),
        };
        builder.push(&record, Timestamp::from_millis(5));
        let payload = builder.finish();
        let read = payload.record(0).unwrap();
        assert_eq!((read.key, read.value, read.timestamp), (Some(&b""[..]), None, 5));
        assert_eq!(payload.header(0, 0).unwrap().value, None);
        assert_eq!(payload.header(0, 1).unwrap().value, Some(&b""[..]));
        assert!(payload.header(0, 2).is_none());
    }
}
