//! Nothing (`VoidSerializer`), and so the key of topics whose keys do not matter.

use std::sync::Arc;

use super::{DefaultSerde, Encoded, Serde, SharedSerde};
use crate::SerdeError;

/// Writes null and reads anything as `()`: the key type of a topic that is read for its values only.
///
/// Java's `VoidDeserializer` refuses bytes; this one ignores them, so that one type reads topics with and without keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnitSerde;

impl Serde<()> for UnitSerde {
    fn serialize(&self, _topic: &str, _value: &(), _into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        Ok(Encoded::Null)
    }
    fn deserialize(&self, _topic: &str, _bytes: Option<&[u8]>) -> Result<(), SerdeError> {
        Ok(())
    }
    fn is_null(&self, _value: &()) -> bool {
        true
    }
    fn encoded_len(&self, _value: &()) -> Option<usize> {
        Some(0)
    }
}

impl DefaultSerde for () {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(UnitSerde)
    }
}
