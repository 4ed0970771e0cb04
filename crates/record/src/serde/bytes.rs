//! Bytes as they are (`ByteArraySerializer`, `BytesSerializer`).

use std::sync::Arc;

use bytes::Bytes;

use super::{DefaultSerde, Encoded, Serde, SharedSerde, present};
use crate::SerdeError;

/// Bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerde;

macro_rules! byte_strings {
    ($($bytes:ty),*) => {$(
        impl Serde<$bytes> for BytesSerde {
            fn serialize(&self, _topic: &str, value: &$bytes, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
                into.extend_from_slice(value);
                Ok(Encoded::Bytes)
            }
            fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<$bytes, SerdeError> {
                Ok(present::<$bytes>(bytes)?.to_vec().into())
            }
            fn encoded_len(&self, value: &$bytes) -> Option<usize> {
                Some(value.len())
            }
        }
    )*};
}
byte_strings!(Vec<u8>, Bytes, Box<[u8]>);

impl DefaultSerde for Bytes {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(BytesSerde)
    }
}

impl DefaultSerde for Box<[u8]> {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(BytesSerde)
    }
}
