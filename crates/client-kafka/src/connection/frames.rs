//! The memory that answers are read into.
//!
//! Answers to fetches are large and come without end. Memory of such a size that is asked for anew each time is given by the system
//! page by page, which costs more than reading into it, so it is used again once nobody looks at its records any more.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// So much is taken for a frame before its bytes are there, however long it says that it is.
const FIRST: usize = 64 << 10;
/// Memory that grew beyond this is given back: one answer was out of the ordinary.
const LARGEST_KEPT: usize = 8 << 20;
/// So many pieces of memory are kept: one is read into, others are looked at.
const MOST_KEPT: usize = 4;

/// Memory for the frames of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames(Arc<Mutex<Vec<Vec<u8>>>>);

impl Frames {
    /// Reads `length` bytes. Memory is taken as they arrive, not by what the length claims.
    ///
    /// # Errors
    /// As the connection, and when it ends before.
    pub(super) async fn read(&self, reader: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Bytes> {
        let mut bytes = if length < FIRST { Vec::with_capacity(length) } else { self.take() };
        while bytes.len() < length {
            let left = length - bytes.len();
            if bytes.len() == bytes.capacity() {
                bytes.reserve_exact(left.min(bytes.len().max(FIRST)));
            }
            if reader.read_buf(&mut (&mut bytes).limit(left)).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed in the middle of a frame"));
            }
        }
        if length < FIRST { Ok(bytes.into()) } else { Ok(Bytes::from_owner(Frame { bytes, home: self.clone() })) }
    }

    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT && bytes.capacity() <= LARGEST_KEPT {
            bytes.clear();
            kept.push(bytes);
        }
    }
}

/// A frame whose memory goes home when the last view of it is dropped.
struct Frame {
    bytes: Vec<u8>,
    home: Frames,
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(frames: &Frames, length: usize, there: &[u8]) -> io::Result<Bytes> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let mut reader = there;
        runtime.block_on(frames.read(&mut reader, length))
    }

    #[test]
    fn memory_of_large_frames_is_used_again_when_all_views_are_gone() {
        let frames = Frames::default();
        let there: Vec<u8> = (0..300_000).map(|number| number as u8).collect();
        let first = read(&frames, there.len(), &there).expect("it is all there");
        let view = first.slice(1_000..2_000);
        drop(first);
        assert_eq!(frames.0.lock().expect("no panic").len(), 0);
        assert_eq!(view, there[1_000..2_000]);
        drop(view);
        assert_eq!(frames.0.lock().expect("no panic").len(), 1);
        let second = read(&frames, 70_000, &there).expect("it is all there");
        assert_eq!(second, there[..70_000]);
        assert_eq!(frames.0.lock().expect("no panic").len(), 0);
    }

    #[test]
    fn a_frame_that_ends_early_is_an_error() {
        let frames = Frames::default();
        for length in [10, 100 << 20] {
            let error = read(&frames, length, &[1; 5]).expect_err("it is not all there");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
