//! Records compressed as a whole, in the ways that Kafka knows.
//!
//! What is decompressed takes memory as its bytes come, up to a limit, whatever it says of its length.

mod snappy;
mod zstd;

use std::cell::RefCell;
use std::io::{Read, Write as _};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4::liblz4::BlockChecksum;
use lz4::{BlockMode, BlockSize, ContentChecksum, Decoder, EncoderBuilder};

use super::Malformed;
use super::header::Compression;

/// The bytes that the records of one batch may come to: far more than a broker takes uncompressed, and places fit in 32 bits.
const MOST_BYTES: usize = 1 << 30;

const TOO_LARGE: Malformed = Malformed("its records are more than a gibibyte when decompressed");

thread_local! {
    /// Where compressed bytes are made, used again from batch to batch.
    static PACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A way to compress, and how hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codec {
    compression: Compression,
    level: i32,
}

impl Codec {
    /// With the level that Java's producer takes: `compression.gzip.level` and its like, or their defaults.
    ///
    /// # Errors
    /// The levels that there are, for who set another.
    pub(crate) fn new(compression: Compression, level: Option<i32>) -> Result<Self, &'static str> {
        let (default, levels, told) = match compression {
            Compression::None | Compression::Snappy => (0, i32::MIN..=i32::MAX, ""),
            Compression::Gzip => (-1, 1..=9, "the levels of gzip are 1 to 9, and -1 for its default"),
            Compression::Lz4 => (9, 1..=17, "the levels of lz4 are 1 to 17"),
            Compression::Zstd => (3, -131_072..=22, "the levels of zstd are -131072 to 22"),
        };
        let level = level.unwrap_or(default);
        if level == default || levels.contains(&level) { Ok(Codec { compression, level }) } else { Err(told) }
    }

    pub(crate) fn compression(self) -> Compression {
        self.compression
    }

    /// Compresses `bytes` from `from` on, where they lie, unless they would not become fewer: then it returns false.
    pub(super) fn compress(self, bytes: &mut Vec<u8>, from: usize) -> bool {
        PACKED.with_borrow_mut(|packed| {
            let plain = bytes.get(from..).unwrap_or_default();
            packed.clear();
            let done = match self.compression {
                Compression::None => None,
                Compression::Gzip => gzip(plain, self.level, packed),
                Compression::Snappy => snappy::compress(plain, packed),
                Compression::Lz4 => lz4(plain, self.level, packed),
                Compression::Zstd => zstd::compress(plain, self.level, packed),
            };
            let smaller = done.is_some() && packed.len() < plain.len();
            if smaller {
                bytes.truncate(from);
                bytes.extend_from_slice(packed);
            }
            smaller
        })
    }
}

/// Appends the records of a batch to `plain`.
pub(super) fn decompress(codec: Compression, packed: &[u8], plain: &mut Vec<u8>) -> Result<(), Malformed> {
    decompress_up_to(MOST_BYTES, codec, packed, plain)
}

fn decompress_up_to(most: usize, codec: Compression, packed: &[u8], plain: &mut Vec<u8>) -> Result<(), Malformed> {
    match codec {
        Compression::None => {
            plain.extend_from_slice(packed);
            Ok(())
        }
        Compression::Gzip => {
            let mut bytes = MultiGzDecoder::new(packed);
            read(&mut bytes, most, plain).map_err(|why| why.unwrap_or(Malformed("its gzip bytes are damaged")))
        }
        Compression::Snappy => snappy::decompress(most, packed, plain),
        Compression::Lz4 => {
            let broken = Malformed("its lz4 bytes are damaged");
            let mut bytes = Decoder::new(packed).map_err(|_| broken)?;
            read(&mut bytes, most, plain).map_err(|why| why.unwrap_or(broken))?;
            // An end of bytes is not an error to this decoder before it is asked.
            bytes.finish().1.map_err(|_| broken)
        }
        Compression::Zstd => zstd::decompress(most, packed, plain),
    }
}

/// Reads all, or fails with `None` when the bytes are not what they should be.
fn read(bytes: &mut impl Read, most: usize, plain: &mut Vec<u8>) -> Result<(), Option<Malformed>> {
    bytes.take(most as u64 + 1).read_to_end(plain).map_err(|_| None)?;
    if plain.len() > most { Err(Some(TOO_LARGE)) } else { Ok(()) }
}

fn gzip(plain: &[u8], level: i32, packed: &mut Vec<u8>) -> Option<()> {
    // Below zero is the default.
    let level = u32::try_from(level).map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
    let mut encoder = GzEncoder::new(packed, level);
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(drop)
}

/// Frames as Java's producer makes them: independent blocks of 64 KiB (it reads no linked ones), no checksum but that of the head.
fn lz4(plain: &[u8], level: i32, packed: &mut Vec<u8>) -> Option<()> {
    // As in Java, 9 is the fast compressor, for that was the only one before there were levels; others compress high.
    let level = if level == 9 { 0 } else { level.max(2).unsigned_abs() };
    let mut encoder = EncoderBuilder::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent)
        .block_checksum(BlockChecksum::NoBlockChecksum)
        .checksum(ContentChecksum::NoChecksum)
        .level(level)
        .build(packed)
        .ok()?;
    encoder.write_all(plain).ok()?;
    encoder.finish().1.ok()
}

#[cfg(test)]
mod tests;
