//! Text: UTF-8, and UUIDs as their 36 characters (`StringSerializer`, `UUIDSerializer`).

use std::sync::Arc;

use uuid::Uuid;

use super::{DefaultSerde, Encoded, FixedSize, Serde, SharedSerde, present};
use crate::SerdeError;

/// UTF-8 text. Malformed bytes are refused, where Java would put replacement characters.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringSerde;

impl Serde<String> for StringSerde {
    fn serialize(&self, _topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.extend_from_slice(value.as_bytes());
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        std::str::from_utf8(present::<String>(bytes)?).map(str::to_owned).map_err(SerdeError::malformed::<String>)
    }
    fn encoded_len(&self, value: &String) -> Option<usize> {
        Some(value.len())
    }
}

impl DefaultSerde for String {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(StringSerde)
    }
}

/// A UUID as its 36 lower-case characters, as Java writes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct UuidSerde;

impl Serde<Uuid> for UuidSerde {
    fn serialize(&self, _topic: &str, value: &Uuid, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.extend_from_slice(value.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<Uuid, SerdeError> {
        Uuid::try_parse_ascii(present::<Uuid>(bytes)?).map_err(SerdeError::malformed::<Uuid>)
    }
    fn encoded_len(&self, _value: &Uuid) -> Option<usize> {
        Some(uuid::fmt::Hyphenated::LENGTH)
    }
}

impl DefaultSerde for Uuid {
    const SIZE_IN_LISTS: FixedSize = FixedSize::Of(uuid::fmt::Hyphenated::LENGTH);
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(UuidSerde)
    }
}
