//! Zstandard, with contexts that are used again: a new one costs more than a small batch.

use std::cell::RefCell;

use ::zstd::zstd_safe::{CCtx, DCtx, InBuffer, OutBuffer, ResetDirective, compress_bound};

use super::{Malformed, TOO_LARGE};

const BROKEN: Malformed = Malformed("its zstd bytes are damaged");

thread_local! {
    static COMPRESSING: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESSING: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

pub(super) fn compress(plain: &[u8], level: i32, packed: &mut Vec<u8>) -> Option<()> {
    packed.reserve(compress_bound(plain.len()));
    COMPRESSING.with_borrow_mut(|context| context.compress(packed, plain, level)).ok().map(drop)
}

/// A frame also says how far back it refers; the library reserves that much, at most 128 MiB, which the bytes that come fill.
pub(super) fn decompress(most: usize, packed: &[u8], plain: &mut Vec<u8>) -> Result<(), Malformed> {
    DECOMPRESSING.with_borrow_mut(|context| {
        // What went before may have failed in the middle of a frame.
        context.reset(ResetDirective::SessionOnly).map_err(|_| BROKEN)?;
        let mut input = InBuffer::around(packed);
        loop {
            let filled = plain.len();
            if filled == plain.capacity() {
                plain.reserve(filled.max(packed.len()).max(1).min(most + 1 - filled));
            }
            let mut output = OutBuffer::around_pos(plain, filled);
            let wanted = context.decompress_stream(&mut output, &mut input).map_err(|_| BROKEN)?;
            if plain.len() > most {
                return Err(TOO_LARGE);
            }
            if input.pos() == packed.len() {
                match wanted {
                    0 => return Ok(()),
                    // There was room for more, but nothing more to come from.
                    _ if plain.len() < plain.capacity() => return Err(BROKEN),
                    _ => {}
                }
            }
        }
    })
}
