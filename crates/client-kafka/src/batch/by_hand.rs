//! Batches written byte by byte, apart from the builder: for tests, also such as it never writes.

use super::header::Compression;
use super::varint::{put, zigzag};

pub(super) const LOG_APPEND_TIME: i16 = 0x08;
pub(super) const TRANSACTIONAL: i16 = 0x10;
pub(super) const CONTROL: i16 = 0x20;
pub(super) const DELETE_HORIZON: i16 = 0x40;

/// Names are bytes here, and may be missing.
pub(super) type Header<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// A batch, as its header will say.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) base_offset: i64,
    pub(super) magic: u8,
    pub(super) attributes: i16,
    pub(super) last_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) count: i32,
    pub(super) records: Vec<u8>,
}

impl Batch {
    /// A batch of records at these offsets, whose values are their offsets.
    pub(super) fn of(base_offset: i64, offsets: &[i64]) -> Self {
        let mut batch = Batch {
            base_offset,
            magic: 2,
            attributes: 0,
            last_delta: 0,
            base_timestamp: 100,
            max_timestamp: 500,
            producer_id: -1,
            count: 0,
            records: Vec::new(),
        };
        for offset in offsets {
            batch.push(&record(offset - base_offset, 0, None, Some(offset.to_string().as_bytes()), &[]));
            batch.last_delta = (offset - base_offset) as i32;
        }
        batch
    }

    /// What ends a transaction of `producer_id`: 0 takes it back, 1 commits it.
    pub(super) fn marker(offset: i64, producer_id: i64, kind: u8) -> Self {
        let mut batch = Batch::of(offset, &[]).by(producer_id, TRANSACTIONAL | CONTROL);
        batch.push(&record(0, 0, Some(&[0, 0, 0, kind]), Some(&[0; 6]), &[]));
        batch
    }

    pub(super) fn by(mut self, producer_id: i64, attributes: i16) -> Self {
        self.producer_id = producer_id;
        self.attributes |= attributes;
        self
    }

    pub(super) fn until(mut self, last_offset: i64) -> Self {
        self.last_delta = (last_offset - self.base_offset) as i32;
        self
    }

    pub(super) fn push(&mut self, record: &[u8]) {
        self.records.extend_from_slice(record);
        self.count += 1;
    }

    pub(super) fn compressed(mut self, compression: Compression, records: Vec<u8>) -> Self {
        self.attributes |= compression as i16;
        self.records = records;
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut covered = Vec::new();
        covered.extend_from_slice(&self.attributes.to_be_bytes());
        covered.extend_from_slice(&self.last_delta.to_be_bytes());
        covered.extend_from_slice(&self.base_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.max_timestamp.to_be_bytes());
        covered.extend_from_slice(&self.producer_id.to_be_bytes());
        covered.extend_from_slice(&[0; 6]);
        covered.extend_from_slice(&self.count.to_be_bytes());
        covered.extend_from_slice(&self.records);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.base_offset.to_be_bytes());
        bytes.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(self.magic);
        bytes.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
        bytes.extend_from_slice(&covered);
        bytes
    }
}

/// One record, with its length before it.
pub(super) fn record(
    delta: i64,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) -> Vec<u8> {
    let mut body = vec![0];
    put(&mut body, zigzag(timestamp_delta));
    put(&mut body, zigzag(delta));
    put_bytes(&mut body, key);
    put_bytes(&mut body, value);
    put(&mut body, zigzag(headers.len() as i64));
    for (name, value) in headers {
        put_bytes(&mut body, *name);
        put_bytes(&mut body, *value);
    }
    framed(&body)
}

/// The length of `body`, and `body`.
pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, zigzag(body.len() as i64));
    bytes.extend_from_slice(body);
    bytes
}

fn put_bytes(out: &mut Vec<u8>, field: Option<&[u8]>) {
    put(out, zigzag(field.map_or(-1, |bytes| bytes.len() as i64)));
    out.extend_from_slice(field.unwrap_or_default());
}
