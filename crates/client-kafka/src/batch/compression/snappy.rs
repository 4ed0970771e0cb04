//! Snappy, in the frames of the library that Java's clients use (xerial), or a single block as librdkafka writes it.

use super::{Malformed, TOO_LARGE};

/// How a frame begins; its version and the lowest version that can read it follow.
const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// The frame's first bytes as a length, which no block has: there another frame begins.
const FRAME: u32 = u32::from_be_bytes([MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3]]);
const BLOCK_BYTES: usize = 32 << 10;
/// The most that one compressed byte can stand for: a copy of 64 bytes takes three.
const EXPANSION: usize = 22;

const BROKEN: Malformed = Malformed("its snappy bytes are damaged");

pub(super) fn compress(plain: &[u8], packed: &mut Vec<u8>) -> Option<()> {
    packed.extend_from_slice(&MAGIC);
    packed.extend_from_slice(&VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(BLOCK_BYTES) {
        let at = packed.len();
        packed.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
        let (length, room) = packed.get_mut(at..)?.split_first_chunk_mut()?;
        let bytes = encoder.compress(block, room).ok()?;
        *length = u32::try_from(bytes).ok()?.to_be_bytes();
        packed.truncate(at + 4 + bytes);
    }
    Some(())
}

pub(super) fn decompress(most: usize, packed: &[u8], plain: &mut Vec<u8>) -> Result<(), Malformed> {
    let Some(frame) = packed.strip_prefix(&MAGIC) else { return block(most, packed, plain) };
    let mut rest = frame.get(VERSIONS.len()..).ok_or(BROKEN)?;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length);
        if length == FRAME {
            rest = after.get(MAGIC.len() - 4 + VERSIONS.len()..).ok_or(BROKEN)?;
            continue;
        }
        let (bytes, after) = after.split_at_checked(length as usize).ok_or(BROKEN)?;
        block(most, bytes, plain)?;
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(BROKEN) }
}

fn block(most: usize, packed: &[u8], plain: &mut Vec<u8>) -> Result<(), Malformed> {
    let told = snap::raw::decompress_len(packed).map_err(|_| BROKEN)?;
    if told > packed.len().saturating_mul(EXPANSION) {
        return Err(BROKEN);
    }
    let at = plain.len();
    if told > most.saturating_sub(at) {
        return Err(TOO_LARGE);
    }
    plain.resize(at + told, 0);
    let room = plain.get_mut(at..).unwrap_or_default();
    snap::raw::Decoder::new().decompress(packed, room).map(drop).map_err(|_| BROKEN)
}
