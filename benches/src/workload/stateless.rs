//! Eight operators that keep nothing: decode, filter (half), map, mapValues, filterNot (1 in 256), split in three, merge, encode.

use bytes::Bytes;

use super::{Numbered, head};

/// A value and its head, which the operators change.
struct Row {
    head: i64,
    bytes: Bytes,
}

impl Row {
    fn with_head(&self, head: i64) -> Row {
        Row { head, bytes: self.bytes.clone() }
    }
}

pub(super) fn stateless8(stream: &Numbered, output: &str) {
    let thirds = stream
        .try_map_values(|_, value| anyhow::Ok(Row { head: head(value)?, bytes: value.clone() }))
        .filter(|_, row| row.head >= 0)
        .map(|key, row| (key.wrapping_add(1), row.with_head(row.head.wrapping_mul(31).wrapping_add(7))))
        .map_values(|_, row| row.with_head(row.head ^ (row.head.cast_unsigned() >> 7).cast_signed()))
        .filter_not(|_, row| row.head.trailing_zeros() >= 8)
        .split();
    let first = thirds.branch(|_, row| row.head.cast_unsigned().is_multiple_of(3));
    let second = thirds.branch(|_, row| row.head.cast_unsigned() % 3 == 1);
    let third = thirds.default_branch();
    first
        .merge(&second)
        .merge(&third)
        .map_values(|_, row| {
            let mut bytes = row.bytes.to_vec();
            if let Some(head) = bytes.first_chunk_mut() {
                *head = row.head.to_be_bytes();
            }
            bytes
        })
        .to(output);
}
