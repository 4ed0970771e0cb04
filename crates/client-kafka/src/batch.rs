//! Record batches, format 2 (KIP-98), as they lie on the wire: read without copying, built in place.
//!
//! A batch is a header of 61 bytes, all numbers big-endian, and its records, perhaps compressed. Lengths within records are zigzag
//! numbers of variable length.
#![forbid(unsafe_code)]

mod builder;
mod compression;
mod fetched;
mod header;
mod varint;

#[cfg(test)]
mod by_hand;
#[cfg(test)]
mod tests;

pub(crate) use builder::{Builder, Built, Producing};
pub(crate) use compression::Codec;
pub(crate) use fetched::{Aborted, Fetched};
pub(crate) use header::Compression;

/// Bytes that do not have the shape they should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);
