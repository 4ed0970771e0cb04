//! The header of a record batch.

use super::Malformed;
use super::varint::Reader;

/// Bytes of a header.
pub(super) const BYTES: usize = 61;
/// Offset and length come first; the length counts what follows it.
pub(super) const PREFIX: usize = 12;
/// What the checksum covers begins here.
pub(super) const CRC_FROM: usize = 21;
/// The format's number; older ones end where it stands, too.
pub(super) const FORMAT: u8 = 2;

const CODEC: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
/// Of the attributes: the batch is part of a transaction.
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// How the records of a batch are compressed, by Kafka's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compression {
    #[default]
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Compression {
    /// By the name that `compression.type` has for it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Compression::None,
            "gzip" => Compression::Gzip,
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            _ => return None,
        })
    }
}

/// What a batch says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) base_offset: i64,
    /// How long the batch is, header and all, in bytes.
    pub(super) bytes: usize,
    /// Under which leader it was written.
    pub(super) leader_epoch: i32,
    pub(super) crc: u32,
    /// How far its last offset is from its first, whether there is a record (any more) or not.
    pub(super) last_delta: u32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) count: usize,
    attributes: i16,
}

impl Header {
    /// The header of the batch at `at`; `None` when not all of the batch is there: the broker may cut the last one short.
    pub(super) fn read(bytes: &[u8], at: usize) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(bytes, at);
        let (Ok(base_offset), Ok(length)) = (reader.array(), reader.array()) else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(length)).map_err(|_| Malformed("its length is negative"))?;
        let end = at.saturating_add(PREFIX).saturating_add(length);
        if end > bytes.len() {
            return Ok(None);
        }
        let mut read = || -> Result<_, Malformed> {
            let leader_epoch = i32::from_be_bytes(reader.array()?);
            if reader.u8()? != FORMAT {
                return Err(Malformed(
                    "it has a message format before 2 (Kafka 0.11), which is not read: copy the topic with a client that reads it",
                ));
            }
            let base_offset = i64::from_be_bytes(base_offset);
            let crc = u32::from_be_bytes(reader.array()?);
            let attributes = i16::from_be_bytes(reader.array()?);
            let last_delta = i32::from_be_bytes(reader.array()?);
            let base_timestamp = i64::from_be_bytes(reader.array()?);
            let max_timestamp = i64::from_be_bytes(reader.array()?);
            let producer_id = i64::from_be_bytes(reader.array()?);
            let _epoch_and_sequence: [u8; 6] = reader.array()?;
            let count = i32::from_be_bytes(reader.array()?);
            let count = usize::try_from(count).map_err(|_| Malformed("its number of records is negative"))?;
            if reader.at() > end {
                return Err(Malformed("it is shorter than its header"));
            }
            let last_delta = u32::try_from(last_delta).map_err(|_| Malformed("its last offset is before its first"))?;
            if base_offset < 0 || base_offset > i64::MAX - 1 - i64::from(last_delta) {
                return Err(Malformed("its offsets are out of range"));
            }
            Ok(Header {
                base_offset,
                bytes: PREFIX + length,
                leader_epoch,
                crc,
                last_delta,
                base_timestamp,
                max_timestamp,
                producer_id,
                count,
                attributes,
            })
        };
        read().map(Some)
    }

    pub(super) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_delta)
    }

    pub(super) fn compression(&self) -> Result<Compression, Malformed> {
        Ok(match self.attributes & CODEC {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => return Err(Malformed("it is compressed in a way that is not known")),
        })
    }

    /// Whether the broker's time holds for all of its records.
    pub(super) fn has_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether it marks the end of a transaction, and holds nothing for readers.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }
}
