//! Tuples, for keys of several parts: a list of the bytes of each part.

use std::sync::Arc;

use super::list::{Input, malformed};
use super::{DefaultSerde, Encoded, Serde, SharedSerde, present};
use crate::SerdeError;

/// A tuple as the list of its parts' bytes, each with its length before it. Java has no tuples, but reads and writes these with
/// `Serdes.ListSerde(ArrayList.class, Serdes.ByteArray())`.
///
/// ```
/// use headwater::record::{DefaultSerde, SerdeError};
/// let by_shop_and_item = <(String, i32)>::default_serde();
/// let mut bytes = Vec::new();
/// by_shop_and_item.serialize("sales", &("hi".to_owned(), 7), &mut bytes)?;
/// assert_eq!(bytes, b"\x01\0\0\0\x02\0\0\0\x02hi\0\0\0\x04\0\0\0\x07");
/// assert_eq!(by_shop_and_item.deserialize("sales", Some(&bytes))?, ("hi".to_owned(), 7));
/// # Ok::<(), SerdeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TupleSerde<S>(
    /// The serdes of the parts, as a tuple.
    pub S,
);

fn put<T>(serde: &impl Serde<T>, topic: &str, part: &T, into: &mut Vec<u8>) -> Result<(), SerdeError> {
    let start = into.len();
    into.extend_from_slice(&(-1_i32).to_be_bytes());
    if serde.serialize(topic, part, into)? == Encoded::Bytes {
        let length = i32::try_from(into.len() - start - 4).map_err(malformed)?;
        if let Some(place) = into.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

fn take<T>(serde: &impl Serde<T>, topic: &str, input: &mut Input<'_>) -> Result<T, SerdeError> {
    serde.deserialize(topic, input.take_entry()?)
}

macro_rules! tuples {
    ($($parts:literal: $($T:ident $S:ident $index:tt),+;)*) => {$(
        impl<$($T,)+ $($S: Serde<$T>),+> Serde<($($T,)+)> for TupleSerde<($($S,)+)> {
            fn serialize(&self, topic: &str, tuple: &($($T,)+), into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
                into.push(1);
                into.extend_from_slice(&i32::to_be_bytes($parts));
                $(put(&self.0.$index, topic, &tuple.$index, into)?;)+
                Ok(Encoded::Bytes)
            }
            fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<($($T,)+), SerdeError> {
                let mut input = Input::new(present::<($($T,)+)>(bytes)?);
                input.expect_parts($parts)?;
                let tuple = ($(take(&self.0.$index, topic, &mut input)?,)+);
                input.end()?;
                Ok(tuple)
            }
            fn encoded_len(&self, tuple: &($($T,)+)) -> Option<usize> {
                let mut length = 5;
                $(length += 4 + self.0.$index.encoded_len(&tuple.$index)?;)+
                Some(length)
            }
        }

        impl<$($T: DefaultSerde),+> DefaultSerde for ($($T,)+) {
            fn default_serde() -> SharedSerde<Self> {
                Arc::new(TupleSerde(($($T::default_serde(),)+)))
            }
        }
    )*};
}
tuples! {
    2: A SA 0, B SB 1;
    3: A SA 0, B SB 1, C SC 2;
    4: A SA 0, B SB 1, C SC 2, D SD 3;
    5: A SA 0, B SB 1, C SC 2, D SD 3, E SE 4;
    6: A SA 0, B SB 1, C SC 2, D SD 3, E SE 4, F SF 5;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serde::{BytesSerde, ListSerde};

    type Key = (String, Option<i64>, bool);

    fn written(key: &Key) -> Result<Vec<u8>, SerdeError> {
        let mut bytes = Vec::new();
        Key::default_serde().serialize("t", key, &mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn a_tuple_is_what_java_writes_for_the_list_of_its_parts_bytes() -> Result<(), SerdeError> {
        let key = ("a".to_owned(), None, true);
        let bytes = written(&key)?;
        let list = ListSerde::new(crate::serde::OptionSerde(BytesSerde));
        let parts: Vec<Option<Vec<u8>>> = list.deserialize("t", Some(&bytes))?;
        assert_eq!(parts, [Some(b"a".to_vec()), None, Some(vec![1])]);
        let mut again = Vec::new();
        list.serialize("t", &parts, &mut again)?;
        assert_eq!(bytes, again);
        assert_eq!(Key::default_serde().deserialize("t", Some(&bytes))?, key);
        assert_eq!(Key::default_serde().encoded_len(&key), Some(bytes.len()));
        Ok(())
    }

    #[test]
    fn other_numbers_of_parts_and_bytes_too_few_or_many_are_refused() -> Result<(), SerdeError> {
        let bytes = written(&("a".to_owned(), Some(1), true))?;
        assert!(<(String, Option<i64>)>::default_serde().deserialize("t", Some(&bytes)).is_err());
        for end in 0..bytes.len() {
            assert!(Key::default_serde().deserialize("t", bytes.get(..end)).is_err(), "{end} bytes");
        }
        let long = [bytes.as_slice(), &[0]].concat();
        assert!(Key::default_serde().deserialize("t", Some(&long)).is_err());
        assert!(Key::default_serde().deserialize("t", None).is_err());
        Ok(())
    }
}
