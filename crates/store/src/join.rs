//! How a left or outer join of streams keeps what has found no partner yet, equal to Java's bytes.
//!
//! The store is a key-value store without timestamps. Numbers are big-endian.
//!
//! | where | bytes | Java |
//! |---|---|---|
//! | key | `i64` timestamp, `u8` side (1 left, 0 right), key | `TimestampedKeyAndJoinSideSerializer` |
//! | value | list of what came with that key, side and time, in the order it came | `ListValueStore` |
//! | list | `u8` 1, `i32` count, of each entry `i32` length and bytes | `ListSerializer` |
//! | entry | `u8` side, value | `LeftOrRightValueSerializer` |
//!
//! The order of keys is that of time; of one time the right side comes first. A new value is appended to its list, and the whole
//! list is logged; whoever finds its partner is deleted with its whole list.
//!
//! ```
//! use headwater::record::Timestamp;
//! use headwater::store::join::{self, JoinKey, JoinSide, JoinValue};
//! let (mut key, mut value, mut list) = (Vec::new(), Vec::new(), Vec::new());
//! JoinKey { timestamp: Timestamp::from_millis(5), side: JoinSide::Left, key: b"k" }.encode(&mut key);
//! JoinValue { side: JoinSide::Left, value: b"v" }.encode(&mut value);
//! join::append(None, &value, &mut list)?;
//! for entry in join::entries(&list)? {
//!     assert_eq!(JoinValue::decode(entry?)?.value, b"v");
//! }
//! assert_eq!(JoinKey::decode(&key)?.key, b"k");
//! # Ok::<(), headwater::store::StoreError>(())
//! ```

use headwater_record::Timestamp;

use crate::StoreError;

/// What a list of entries of any size begins with (`SerializationStrategy.VARIABLE_SIZE`).
const ANY_SIZE: u8 = 1;

/// From which stream of a join a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinSide {
    /// From the stream on which `join` was called.
    Left,
    /// From the other.
    Right,
}

impl JoinSide {
    fn byte(self) -> u8 {
        match self {
            JoinSide::Left => 1,
            JoinSide::Right => 0,
        }
    }

    fn of(byte: u8) -> Result<Self, StoreError> {
        match byte {
            1 => Ok(JoinSide::Left),
            0 => Ok(JoinSide::Right),
            other => Err(corrupt(format!("{other} is neither side of a join"))),
        }
    }
}

/// The key of records without partner (Java's `TimestampedKeyAndJoinSide`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinKey<'a> {
    /// The records' timestamp.
    pub timestamp: Timestamp,
    /// Their side.
    pub side: JoinSide,
    /// Their key's bytes.
    pub key: &'a [u8],
}

impl<'a> JoinKey<'a> {
    /// Appends the bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.timestamp.millis().to_be_bytes());
        into.push(self.side.byte());
        into.extend_from_slice(self.key);
    }

    /// The key whose bytes these are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are too short, or of no side.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let (timestamp, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| short("key"))?;
        let (side, key) = rest.split_first().ok_or_else(|| short("key"))?;
        Ok(JoinKey {
            timestamp: Timestamp::from_millis(i64::from_be_bytes(*timestamp)),
            side: JoinSide::of(*side)?,
            key,
        })
    }
}

/// The value of a record without partner (Java's `LeftOrRightValue`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinValue<'a> {
    /// The record's side.
    pub side: JoinSide,
    /// Its value's bytes.
    pub value: &'a [u8],
}

impl<'a> JoinValue<'a> {
    /// Appends the bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.push(self.side.byte());
        into.extend_from_slice(self.value);
    }

    /// The value whose bytes these are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when there are none, or of no side.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let (side, value) = bytes.split_first().ok_or_else(|| short("value"))?;
        Ok(JoinValue { side: JoinSide::of(*side)?, value })
    }
}

/// Appends to `into` the list that `list` becomes when `entry` is added at its end; a new list without one.
///
/// # Errors
/// [`StoreError::Corrupt`] when `list` is none, or full.
pub fn append(list: Option<&[u8]>, entry: &[u8], into: &mut Vec<u8>) -> Result<(), StoreError> {
    let (count, entries) = list.map_or(Ok((0, &[][..])), split_list)?;
    let count = count.checked_add(1).ok_or_else(|| corrupt("a join's list is full".to_owned()))?;
    let length = i32::try_from(entry.len()).map_err(|_| corrupt("a join's value is too long".to_owned()))?;
    into.reserve(entries.len() + entry.len() + 9);
    into.push(ANY_SIZE);
    into.extend_from_slice(&count.to_be_bytes());
    into.extend_from_slice(entries);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(entry);
    Ok(())
}

/// The entries of a list, in the order they were appended.
///
/// # Errors
/// [`StoreError::Corrupt`] when the bytes are no list; the iterator says the same of an entry that is cut short.
pub fn entries(list: &[u8]) -> Result<Entries<'_>, StoreError> {
    let (left, rest) = split_list(list)?;
    Ok(Entries { left, rest })
}

/// What [`entries`] goes through.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    left: i32,
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    fn take(&mut self) -> Result<&'a [u8], StoreError> {
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or_else(|| short("list"))?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| short("list"))?;
        let (entry, rest) = rest.split_at_checked(length).ok_or_else(|| short("list"))?;
        self.rest = rest;
        Ok(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let entry = self.take();
        if entry.is_err() {
            self.left = 0;
        }
        Some(entry)
    }
}

/// How many entries a list has, and their bytes.
fn split_list(list: &[u8]) -> Result<(i32, &[u8]), StoreError> {
    let ([strategy, count @ ..], entries) = list.split_first_chunk::<5>().ok_or_else(|| short("list"))?;
    let count = i32::from_be_bytes(*count);
    if *strategy != ANY_SIZE || count < 0 {
        return Err(corrupt(format!("a join's list begins with {strategy} and a count of {count}")));
    }
    Ok((count, entries))
}

fn short(what: &str) -> StoreError {
    corrupt(format!("a join's {what} is cut short"))
}

fn corrupt(reason: String) -> StoreError {
    StoreError::Corrupt { reason }
}

#[cfg(test)]
mod tests {
    use super::{JoinKey, JoinSide, JoinValue, append, entries};

    /// What the serializers of Java 4.4.0 wrote for the same.
    #[test]
    fn keys_and_values_are_java_s_bytes() {
        let mut bytes = Vec::new();
        let key = JoinKey { timestamp: 0x0102_0304_0506_0708.into(), side: JoinSide::Left, key: b"ab" };
        key.encode(&mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 1, 0x61, 0x62]);
        assert_eq!(JoinKey::decode(&bytes), Ok(key));
        bytes.clear();
        let key = JoinKey { timestamp: 5.into(), side: JoinSide::Right, key: b"" };
        key.encode(&mut bytes);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 5, 0]);
        assert_eq!(JoinKey::decode(&bytes), Ok(key));
        for (side, value, written) in [(JoinSide::Left, "xy", &b"\x01xy"[..]), (JoinSide::Right, "", b"\0")] {
            bytes.clear();
            let value = JoinValue { side, value: value.as_bytes() };
            value.encode(&mut bytes);
            assert_eq!(bytes, written);
            assert_eq!(JoinValue::decode(&bytes), Ok(value));
        }
    }

    #[test]
    fn lists_are_java_s_bytes() {
        let mut list = Vec::new();
        let mut sizes = Vec::new();
        for entry in [&b"\x01xy"[..], b"\0", b""] {
            let mut longer = Vec::new();
            assert_eq!(append((!list.is_empty()).then_some(&list[..]), entry, &mut longer), Ok(()));
            list = longer;
            sizes.push(list.len());
        }
        assert_eq!(sizes, [12, 17, 21]);
        let java = [&[1, 0, 0, 0, 3][..], &[0, 0, 0, 3, 1, 0x78, 0x79], &[0, 0, 0, 1, 0], &[0, 0, 0, 0]].concat();
        assert_eq!(list, java);
        let read: Result<Vec<&[u8]>, _> = entries(&list).and_then(Iterator::collect);
        assert_eq!(read, Ok(vec![&b"\x01xy"[..], b"\0", b""]));
    }

    #[test]
    fn keys_lie_by_time_and_the_right_side_first() {
        let key = |timestamp: i64, side, key: &'static [u8]| {
            let mut bytes = Vec::new();
            JoinKey { timestamp: timestamp.into(), side, key }.encode(&mut bytes);
            bytes
        };
        let sorted = [
            key(1, JoinSide::Left, b"z"),
            key(2, JoinSide::Right, b"a"),
            key(2, JoinSide::Right, b"b"),
            key(2, JoinSide::Left, b"a"),
            key(256, JoinSide::Right, b"a"),
        ];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let list = [1, 0, 0, 0, 2, 0, 0, 0, 1, 7, 0, 0, 0, 9, 8];
        let read: Vec<_> = entries(&list).map(Iterator::collect).unwrap_or_default();
        assert_eq!(read.first(), Some(&Ok(&[7][..])));
        assert_eq!(read.iter().filter(|entry| entry.is_err()).count(), 1);
        for wrong in [&[][..], &[1, 0, 0], &[0, 0, 0, 0, 0], &[1, 0xff, 0xff, 0xff, 0xff]] {
            assert!(entries(wrong).is_err());
            assert!(append(Some(wrong), b"v", &mut Vec::new()).is_err());
        }
        let null_entry = [1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert!(entries(&null_entry).is_ok_and(|mut entries| entries.any(|entry| entry.is_err())));
        assert!(JoinKey::decode(&[0; 8]).is_err());
        assert!(JoinKey::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 2]).is_err());
        assert!(JoinValue::decode(&[]).is_err());
    }
}
