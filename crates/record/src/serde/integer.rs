//! Numbers in big-endian bytes and booleans in one (`LongSerializer` and its kin).

use std::sync::Arc;

use super::{DefaultSerde, Encoded, Serde, SharedSerde, present};
use crate::SerdeError;

/// A number in its own size, big-endian: `i64` is Java's `Long`, `i32` its `Integer`, `f64` its `Double`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberSerde;

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Serde<$number> for NumberSerde {
            fn serialize(&self, _topic: &str, value: &$number, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
                into.extend_from_slice(&value.to_be_bytes());
                Ok(Encoded::Bytes)
            }
            fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<$number, SerdeError> {
                let bytes = present::<$number>(bytes)?;
                let array = bytes.try_into().map_err(|_| SerdeError::Length {
                    type_name: stringify!($number),
                    expected: size_of::<$number>(),
                    found: bytes.len(),
                })?;
                Ok(<$number>::from_be_bytes(array))
            }
            fn encoded_len(&self, _value: &$number) -> Option<usize> {
                Some(size_of::<$number>())
            }
        }
        impl DefaultSerde for $number {
            fn default_serde() -> SharedSerde<Self> {
                Arc::new(NumberSerde)
            }
        }
    )*};
}
numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64);

/// One byte: 1 is true, 0 is false, anything else is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoolSerde;

impl Serde<bool> for BoolSerde {
    fn serialize(&self, _topic: &str, value: &bool, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.push(u8::from(*value));
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<bool, SerdeError> {
        match present::<bool>(bytes)? {
            [1] => Ok(true),
            [0] => Ok(false),
            other => Err(SerdeError::malformed::<bool>(format!("{other:02x?}"))),
        }
    }
    fn encoded_len(&self, _value: &bool) -> Option<usize> {
        Some(1)
    }
}

impl DefaultSerde for bool {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(BoolSerde)
    }
}
