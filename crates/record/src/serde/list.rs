//! Lists with Java's bytes (`ListSerializer`, KIP-466).

use std::sync::Arc;

use super::{DefaultSerde, Encoded, Serde, SharedSerde, present};
use crate::SerdeError;

/// How entries of a list are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedSize {
    /// Every entry has this many bytes (Java's `CONSTANT_SIZE`: short, integer, long, float, double, UUID).
    Of(usize),
    /// Each entry is preceded by its length (Java's `VARIABLE_SIZE`).
    No,
}

/// A list: byte 0 for entries of one size or 1 for others, an `i32` count, then the entries, big-endian.
#[derive(Clone, Debug)]
pub struct ListSerde<S> {
    inner: S,
    size: FixedSize,
}

impl<S> ListSerde<S> {
    /// A list of what `inner` writes, with a length before each entry.
    pub fn new(inner: S) -> Self {
        ListSerde { inner, size: FixedSize::No }
    }

    /// A list of entries that all take `bytes` bytes, as Java writes lists of its numbers and UUIDs.
    pub fn of_fixed_size(inner: S, bytes: usize) -> Self {
        ListSerde { inner, size: FixedSize::Of(bytes) }
    }
}

impl<T, S: Serde<T>> Serde<Vec<T>> for ListSerde<S> {
    fn serialize(&self, topic: &str, list: &Vec<T>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        match self.size {
            FixedSize::Of(_) => self.write_fixed(topic, list, into)?,
            FixedSize::No => self.write_variable(topic, list, into)?,
        }
        Ok(Encoded::Bytes)
    }

    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Vec<T>, SerdeError> {
        let mut input = Input::new(present::<Vec<T>>(bytes)?);
        let [strategy] = input.take_array()?;
        let list: Vec<T> = match (strategy, self.size) {
            (0, FixedSize::Of(size)) => self.read_fixed(topic, &mut input, size)?,
            (1, FixedSize::No) => self.read_variable(topic, &mut input)?,
            (other, size) => return Err(malformed(format!("list strategy {other} where the serde has {size:?}"))),
        };
        input.end()?;
        Ok(list)
    }
}

/// Bytes as they are for `u8`, of other types Java's list: of numbers and UUIDs without lengths, of others with a length before
/// each entry.
///
/// ```
/// use headwater::record::{DefaultSerde, SerdeError};
/// let tags = Vec::<String>::default_serde();
/// let mut bytes = Vec::new();
/// tags.serialize("tags", &vec!["a".to_owned(), "bc".to_owned()], &mut bytes)?;
/// assert_eq!(bytes, b"\x01\0\0\0\x02\0\0\0\x01a\0\0\0\x02bc");
/// assert_eq!(tags.deserialize("tags", Some(&bytes))?, ["a", "bc"]);
/// # Ok::<(), SerdeError>(())
/// ```
impl<T: DefaultSerde> DefaultSerde for Vec<T> {
    fn default_serde() -> SharedSerde<Self> {
        T::list_serde()
    }
}

/// The list that Java would make of these entries.
pub(super) fn list_of<T: DefaultSerde>() -> SharedSerde<Vec<T>> {
    Arc::new(ListSerde { inner: T::default_serde(), size: T::SIZE_IN_LISTS })
}

impl<S> ListSerde<S> {
    fn write_fixed<T>(&self, topic: &str, list: &[T], into: &mut Vec<u8>) -> Result<(), SerdeError>
    where
        S: Serde<T>,
    {
        let mut nulls = Vec::new();
        let mut entries = Vec::new();
        for (index, value) in list.iter().enumerate() {
            if self.inner.serialize(topic, value, &mut entries)? == Encoded::Null {
                nulls.push(index as i32);
            }
        }
        into.push(0);
        into.extend_from_slice(&(nulls.len() as i32).to_be_bytes());
        for index in &nulls {
            into.extend_from_slice(&index.to_be_bytes());
        }
        into.extend_from_slice(&(list.len() as i32).to_be_bytes());
        into.append(&mut entries);
        Ok(())
    }

    fn write_variable<T>(&self, topic: &str, list: &[T], into: &mut Vec<u8>) -> Result<(), SerdeError>
    where
        S: Serde<T>,
    {
        into.push(1);
        into.extend_from_slice(&(list.len() as i32).to_be_bytes());
        let mut entry = Vec::new();
        for value in list {
            entry.clear();
            let length = match self.inner.serialize(topic, value, &mut entry)? {
                Encoded::Null => -1,
                Encoded::Bytes => entry.len() as i32,
            };
            into.extend_from_slice(&length.to_be_bytes());
            into.extend_from_slice(if length < 0 { &[] } else { &entry });
        }
        Ok(())
    }

    fn read_fixed<T>(&self, topic: &str, input: &mut Input<'_>, size: usize) -> Result<Vec<T>, SerdeError>
    where
        S: Serde<T>,
    {
        let nulls = (0..input.count()?).map(|_| input.int()).collect::<Result<Vec<_>, _>>()?;
        let count = input.int()?;
        (0..count)
            .map(|index| {
                let bytes = if nulls.contains(&index) { None } else { Some(input.take(size)?) };
                self.inner.deserialize(topic, bytes)
            })
            .collect()
    }

    fn read_variable<T>(&self, topic: &str, input: &mut Input<'_>) -> Result<Vec<T>, SerdeError>
    where
        S: Serde<T>,
    {
        (0..input.int()?)
            .map(|_| {
                let bytes = input.take_entry()?;
                self.inner.deserialize(topic, bytes)
            })
            .collect()
    }
}

/// What is left to read.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Input(bytes)
    }

    /// Refuses all but a list of `count` entries with lengths.
    pub(super) fn expect_parts(&mut self, count: i32) -> Result<(), SerdeError> {
        match (self.take_array()?, self.int()?) {
            ([1], found) if found == count => Ok(()),
            (_, found) => Err(malformed(format!("{found} entries where a tuple has {count}"))),
        }
    }

    /// An entry with its length before it; `None` for null.
    pub(super) fn take_entry(&mut self) -> Result<Option<&'a [u8]>, SerdeError> {
        let length = self.int()?;
        if length < 0 { Ok(None) } else { self.take(length as usize).map(Some) }
    }

    /// Refuses what is left over.
    pub(super) fn end(&self) -> Result<(), SerdeError> {
        if self.0.is_empty() { Ok(()) } else { Err(malformed(format!("{} bytes left over", self.0.len()))) }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], SerdeError> {
        let (head, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| malformed(format!("{n} bytes expected, {} left", self.0.len())))?;
        self.0 = rest;
        Ok(head)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], SerdeError> {
        self.take(N)?.try_into().map_err(malformed)
    }

    fn int(&mut self) -> Result<i32, SerdeError> {
        self.take_array().map(i32::from_be_bytes)
    }

    /// A count of 4-byte entries, refused when fewer bytes are left than it claims.
    fn count(&mut self) -> Result<usize, SerdeError> {
        let count = usize::try_from(self.int()?).map_err(malformed)?;
        if count.saturating_mul(4) > self.0.len() {
            Err(malformed(format!("{count} entries claimed")))
        } else {
            Ok(count)
        }
    }
}

pub(super) fn malformed(reason: impl std::fmt::Display) -> SerdeError {
    SerdeError::Malformed { type_name: "list", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::ListSerde;
    use crate::serde::{NumberSerde, OptionSerde, StringSerde};
    use crate::{DefaultSerde, Serde, SerdeError};

    fn bytes<T>(serde: &impl Serde<T>, value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        serde.serialize("t", value, &mut bytes).expect("it has bytes");
        bytes
    }

    #[test]
    fn entries_of_one_size_are_written_without_lengths_and_nulls_by_index() -> Result<(), SerdeError> {
        let serde = ListSerde::of_fixed_size(OptionSerde(NumberSerde), 4);
        let list = vec![Some(7_i32), None, Some(-1)];
        let written = bytes(&serde, &list);
        assert_eq!(written, [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 7, 255, 255, 255, 255]);
        assert_eq!(serde.deserialize("t", Some(&written))?, list);
        Ok(())
    }

    #[test]
    fn entries_of_other_sizes_are_preceded_by_their_length() -> Result<(), SerdeError> {
        let serde = ListSerde::new(OptionSerde(StringSerde));
        let list = vec![Some("ab".to_owned()), None, Some(String::new())];
        let written = bytes(&serde, &list);
        assert_eq!(written, [1, 0, 0, 0, 3, 0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 0, 0, 0, 0]);
        assert_eq!(serde.deserialize("t", Some(&written))?, list);
        Ok(())
    }

    #[test]
    fn vectors_are_written_as_java_writes_lists_of_their_types() -> Result<(), SerdeError> {
        fn of<T: DefaultSerde + PartialEq + std::fmt::Debug>(list: Vec<T>) -> Result<Vec<u8>, SerdeError> {
            let written = bytes(&Vec::<T>::default_serde(), &list);
            assert_eq!(Vec::<T>::default_serde().deserialize("t", Some(&written))?, list);
            Ok(written)
        }
        assert_eq!(of(vec![7_u8, 8])?, [7, 8], "bytes are bytes");
        assert_eq!(of(vec![7_i16])?, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7]);
        assert_eq!(of(vec![None, Some(7_i16)])?, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 7]);
        assert_eq!(of(vec![uuid::Uuid::nil()])?.len(), 1 + 4 + 4 + 36);
        assert_eq!(of(vec![true])?, [1, 0, 0, 0, 1, 0, 0, 0, 1, 1], "Java has no fixed size for booleans");
        assert_eq!(of(vec![vec![1_u8], vec![]])?, [1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
        assert_eq!(of(Vec::<String>::new())?, [1, 0, 0, 0, 0]);
        Ok(())
    }

    #[test]
    fn a_claimed_length_without_bytes_is_refused() {
        let serde = ListSerde::new(StringSerde);
        assert!(Serde::<Vec<String>>::deserialize(&serde, "t", Some(&[1, 127, 255, 255, 255])).is_err());
        assert!(Serde::<Vec<String>>::deserialize(&serde, "t", Some(&[])).is_err());
    }
}
