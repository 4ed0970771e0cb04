//! How a join of a stream with a table keeps records that wait for the end of a grace period, equal to Java's bytes
//! (`RocksDBTimeOrderedKeyValueBuffer`).
//!
//! The store is a key-value store with plain rows, and the changelog has the same bytes. Numbers are big-endian.
//!
//! | where | bytes |
//! |---|---|
//! | key | `u8` 0, `i64` timestamp, key, `i32` number of the record |
//! | value | as a suppression's of version 3 ([`crate::suppress`]): the record is the new value, there is no other, time 0 |
//!
//! The order of keys is that of time. Records of one time and key come in the order of their numbers.
//!
//! ```
//! use headwater::store::grace::{WaitingKey, decode, encode};
//! use headwater::store::RecordContext;
//! let (mut key, mut value) = (Vec::new(), Vec::new());
//! WaitingKey { timestamp: 5.into(), key: b"k", number: 1 }.encode(&mut key);
//! encode(&RecordContext::punctuation(5.into()), Some(b"v"), &mut value);
//! assert_eq!(WaitingKey::decode(&key)?.key, b"k");
//! let (context, waiting) = decode(&value)?;
//! assert_eq!((context.timestamp, waiting.as_deref()), (5.into(), Some(&b"v"[..])));
//! # Ok::<(), headwater::store::StoreError>(())
//! ```

use headwater_record::Timestamp;

use crate::suppress::{BufferedBytes, BufferedChange};
use crate::{RecordContext, StoreError};

/// What a key begins with (`PrefixedWindowKeySchemas`).
const TIME_FIRST: u8 = 0;

/// The key of a record that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingKey<'a> {
    /// The record's timestamp.
    pub timestamp: Timestamp,
    /// Its key's bytes.
    pub key: &'a [u8],
    /// Tells records of the same time and key apart.
    pub number: i32,
}

impl<'a> WaitingKey<'a> {
    /// Appends the bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&Self::first_of(self.timestamp));
        into.extend_from_slice(self.key);
        into.extend_from_slice(&self.number.to_be_bytes());
    }

    /// No key of this time lies before these bytes, and none of an earlier time behind them.
    pub fn first_of(timestamp: Timestamp) -> [u8; 9] {
        let mut bytes = [TIME_FIRST; 9];
        if let Some(time) = bytes.last_chunk_mut::<8>() {
            *time = timestamp.millis().to_be_bytes();
        }
        bytes
    }

    /// The key whose bytes these are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let split = || {
            let (timestamp, rest) = bytes.strip_prefix(&[TIME_FIRST])?.split_first_chunk::<8>()?;
            let (key, number) = rest.split_last_chunk::<4>()?;
            let timestamp = Timestamp::from_millis(i64::from_be_bytes(*timestamp));
            Some(WaitingKey { timestamp, key, number: i32::from_be_bytes(*number) })
        };
        split().ok_or_else(|| corrupt("key"))
    }
}

/// Appends the value under which a record waits: where it came from, and its value's bytes.
pub fn encode(context: &RecordContext, value: Option<&[u8]>, into: &mut Vec<u8>) {
    BufferedChange { time: Timestamp::ZERO, context, prior: None, old: None, new: value }.encode(into);
}

/// What waits under these bytes.
///
/// # Errors
/// [`StoreError::Corrupt`] when they are no value that [`encode`] or Java wrote.
pub fn decode(value: &[u8]) -> Result<(RecordContext, Option<Box<[u8]>>), StoreError> {
    let waiting = BufferedBytes::newest(value).map_err(|_| corrupt("value"))?;
    Ok((waiting.context, waiting.new))
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt { reason: format!("the {what} of a record that waits for a join is none") }
}

#[cfg(test)]
mod tests {
    use headwater_record::{Headers, Offset, Topic};

    use super::*;

    /// What Java 4.4.0 logged for the record `a`: `1` at 10 of topic `s`, partition 0, offset 0.
    #[test]
    fn keys_and_values_are_java_s_bytes() {
        let mut key = Vec::new();
        let waiting = WaitingKey { timestamp: 10.into(), key: b"a", number: 1 };
        waiting.encode(&mut key);
        assert_eq!(key, [0, 0, 0, 0, 0, 0, 0, 0, 10, b'a', 0, 0, 0, 1]);
        assert_eq!(WaitingKey::decode(&key), Ok(waiting));
        let context = RecordContext {
            timestamp: 10.into(),
            offset: Offset::new(0),
            partition: 0,
            topic: Some(Topic::from("s")),
            headers: Headers::new(),
        };
        let mut value = Vec::new();
        encode(&context, Some(b"1"), &mut value);
        let java = [
            &[0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, b's', 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 1, b'1', 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(value, java.concat());
        let (read, waiting) = decode(&value).unwrap();
        assert_eq!((read.timestamp, read.topic, waiting), (10.into(), Some(Topic::from("s")), Some(b"1"[..].into())));
    }

    #[test]
    fn keys_lie_by_time() {
        let key = |timestamp: i64, key: &'static [u8], number| {
            let mut bytes = Vec::new();
            WaitingKey { timestamp: timestamp.into(), key, number }.encode(&mut bytes);
            bytes
        };
        let keys = [key(1, b"z", 3), key(2, b"a", 1), key(2, b"a", 2), key(2, b"b", 0), key(256, b"", 0)];
        assert!(keys.is_sorted());
        assert!(key(1, b"z", i32::MAX).as_slice() < &WaitingKey::first_of(2.into())[..]);
        assert!(&WaitingKey::first_of(2.into())[..] < key(2, b"", 0).as_slice());
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        assert!(WaitingKey::decode(&[0; 12]).is_err());
        assert!(WaitingKey::decode(&[1; 20]).is_err());
        assert!(decode(&[0; 10]).is_err());
    }
}
