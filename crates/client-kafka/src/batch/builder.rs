//! Building a batch in place: a record is encoded once, into the bytes that go to the socket.

use headwater_record::RawRecord;

use super::compression::Codec;
use super::header::{self, Compression};
use super::varint::{put, width, zigzag};

/// Who writes a batch, and the number of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Producing {
    /// Whether it is part of a transaction.
    pub(crate) transactional: bool,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

impl Producing {
    /// Nobody, and no number.
    pub(crate) const NOBODY: Self = Producing { transactional: false, producer_id: -1, epoch: -1, sequence: -1 };
}

/// A batch that takes records.
#[derive(Debug)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    limit: usize,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl Builder {
    /// A batch of at most `limit` bytes, or of one record that is larger. `bytes` is memory to use, whatever it holds.
    pub(crate) fn new(mut bytes: Vec<u8>, limit: usize) -> Self {
        bytes.clear();
        bytes.resize(header::BYTES, 0);
        Builder { bytes, limit, count: 0, base_timestamp: 0, max_timestamp: 0 }
    }

    /// How many records it has.
    pub(crate) fn count(&self) -> i32 {
        self.count
    }

    /// How many bytes it has, the header included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends `record` with the time `timestamp`, or returns false when the batch has no room left.
    #[inline]
    pub(crate) fn append(&mut self, record: &RawRecord<'_>, timestamp: i64) -> bool {
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        let delta = zigzag(timestamp.wrapping_sub(self.base_timestamp));
        let number = zigzag(self.count.into());
        let headers = if record.headers.is_empty() { 1 } else { headers_size(record) };
        let length = 1 + width(delta) + width(number) + size(record.key) + size(record.value) + headers;
        let framed = zigzag(length as i64);
        if self.count > 0 && self.bytes.len() + width(framed) + length > self.limit {
            return false;
        }
        put(&mut self.bytes, framed);
        self.bytes.push(0);
        put(&mut self.bytes, delta);
        put(&mut self.bytes, number);
        put_nullable(&mut self.bytes, record.key);
        put_nullable(&mut self.bytes, record.value);
        if record.headers.is_empty() {
            self.bytes.push(0);
        } else {
            put_headers(&mut self.bytes, record);
        }
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        true
    }

    /// No more records.
    pub(crate) fn close(self) -> Built {
        let Builder { bytes, count, base_timestamp, max_timestamp, .. } = self;
        Built { bytes, count, base_timestamp, max_timestamp, compression: Compression::None }
    }
}

/// A batch that is complete but for who writes it.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    bytes: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    compression: Compression,
}

impl Built {
    /// How many records it has.
    pub(crate) fn count(&self) -> i32 {
        self.count
    }

    /// The batch as it is now; see [`Built::into_bytes`].
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Compresses the records, if that makes them fewer bytes, as it does not always; else they stay as they are.
    pub(crate) fn compress(&mut self, codec: Codec) {
        if self.compression == Compression::None && codec.compress(&mut self.bytes, header::BYTES) {
            self.compression = codec.compression();
        }
    }

    /// The batch as it goes to the broker.
    pub(crate) fn stamped(&mut self, by: Producing) -> &[u8] {
        let mut head = Vec::with_capacity(header::BYTES);
        head.extend_from_slice(&0_i64.to_be_bytes());
        head.extend_from_slice(&((self.bytes.len() - header::PREFIX) as i32).to_be_bytes());
        head.extend_from_slice(&(-1_i32).to_be_bytes());
        head.push(header::FORMAT);
        head.extend_from_slice(&[0; 4]);
        let transactional = if by.transactional { header::TRANSACTIONAL } else { 0 };
        head.extend_from_slice(&(self.compression as i16 | transactional).to_be_bytes());
        head.extend_from_slice(&(self.count - 1).to_be_bytes());
        head.extend_from_slice(&self.base_timestamp.to_be_bytes());
        head.extend_from_slice(&self.max_timestamp.to_be_bytes());
        head.extend_from_slice(&by.producer_id.to_be_bytes());
        head.extend_from_slice(&by.epoch.to_be_bytes());
        head.extend_from_slice(&by.sequence.to_be_bytes());
        head.extend_from_slice(&self.count.to_be_bytes());
        self.overwrite(0, &head);
        let crc = crc32c::crc32c(self.bytes.get(header::CRC_FROM..).unwrap_or_default());
        self.overwrite(header::CRC_FROM - 4, &crc.to_be_bytes());
        &self.bytes
    }

    /// The bytes; without [`Built::stamped`] before, those of no one's batch.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn overwrite(&mut self, at: usize, with: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + with.len()) {
            place.copy_from_slice(with);
        }
    }
}

#[inline]
fn size(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| width(zigzag(bytes.len() as i64)) + bytes.len())
}

#[inline]
fn put_nullable(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => out.push(1),
        Some(bytes) => {
            put(out, zigzag(bytes.len() as i64));
            out.extend_from_slice(bytes);
        }
    }
}

fn headers_size(record: &RawRecord<'_>) -> usize {
    let each = record.headers.iter().map(|header| size(Some(header.name.as_bytes())) + size(header.value));
    width(zigzag(record.headers.len() as i64)) + each.sum::<usize>()
}

fn put_headers(out: &mut Vec<u8>, record: &RawRecord<'_>) {
    put(out, zigzag(record.headers.len() as i64));
    for header in record.headers.iter() {
        put_nullable(out, Some(header.name.as_bytes()));
        put_nullable(out, header.value);
    }
}
