//! Numbers in big-endian bytes and booleans in one (`LongSerializer` and its kin).

use std::sync::Arc;

use super::{BytesSerde, DefaultSerde, Encoded, FixedSize, Serde, SharedSerde, present};
use crate::SerdeError;

/// A number in its own size, big-endian: `i64` is Java's `Long`, `i32` its `Integer`, `f64` its `Double`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberSerde;

macro_rules! numbers {
    ($($number:ty),*) => {
        numbers!($($number),* as std::convert::identity);
    };
    ($($number:ty),* as $written:path) => {$(
        impl Serde<$number> for NumberSerde {
            fn serialize(&self, _topic: &str, value: &$number, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
                into.extend_from_slice(&$written(*value).to_be_bytes());
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
    )*};
}
numbers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32);
numbers!(f64 as canonical);

macro_rules! defaults {
    ($($number:ty),*) => {$(
        impl DefaultSerde for $number {
            const SIZE_IN_LISTS: FixedSize = FixedSize::Of(size_of::<$number>());
            fn default_serde() -> SharedSerde<Self> {
                Arc::new(NumberSerde)
            }
        }
    )*};
}
defaults!(i8, i16, i32, i64, i128, u16, u32, u64, u128, f32, f64);

impl DefaultSerde for u8 {
    const SIZE_IN_LISTS: FixedSize = FixedSize::Of(1);
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(NumberSerde)
    }
    fn list_serde() -> SharedSerde<Vec<Self>> {
        Arc::new(BytesSerde)
    }
}

/// All NaN have the same bytes, `7f f8 00 00 00 00 00 00`, as Java's `Double#doubleToLongBits` has it. Java keeps those of `Float`
/// as they are.
fn canonical(value: f64) -> f64 {
    const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);
    if value.is_nan() { NAN } else { value }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<T: DefaultSerde>(value: T) -> Vec<u8> {
        let mut bytes = Vec::new();
        T::default_serde().serialize("t", &value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn every_nan_of_double_has_the_bytes_of_java() {
        let minus = f64::from_bits(0xfff8_0000_0000_0001);
        assert!(minus.is_nan());
        for nan in [f64::NAN, -f64::NAN, minus] {
            assert_eq!(bytes(nan), [0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
        }
        assert_eq!(bytes(-0.0_f64), [0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(f32::from_bits(0xffc0_0001)), [0xff, 0xc0, 0, 1], "Java keeps the bits of a Float");
    }
}
