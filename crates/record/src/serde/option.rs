//! Null as a value: `None`.

use std::sync::Arc;

use super::{DefaultSerde, Encoded, FixedSize, Serde, SharedSerde};
use crate::SerdeError;

/// Reads and writes null as `None` and everything else by the serde of `T`.
#[derive(Clone, Debug)]
pub struct OptionSerde<S>(
    /// The serde of what is not null.
    pub S,
);

impl<T, S: Serde<T>> Serde<Option<T>> for OptionSerde<S> {
    fn serialize(&self, topic: &str, value: &Option<T>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        value.as_ref().map_or(Ok(Encoded::Null), |value| self.0.serialize(topic, value, into))
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Option<T>, SerdeError> {
        bytes.map(|bytes| self.0.deserialize(topic, Some(bytes))).transpose()
    }
    fn is_null(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.0.is_null(value))
    }
    fn encoded_len(&self, value: &Option<T>) -> Option<usize> {
        value.as_ref().map_or(Some(0), |value| self.0.encoded_len(value))
    }
    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        self.0.partition_prefix(bytes)
    }
}

impl<T: DefaultSerde> DefaultSerde for Option<T> {
    const SIZE_IN_LISTS: FixedSize = T::SIZE_IN_LISTS;
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(OptionSerde(T::default_serde()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of which the first letter decides the partition.
    struct ByFirst;

    impl Serde<String> for ByFirst {
        fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
            String::default_serde().serialize(topic, value, into)
        }
        fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
            String::default_serde().deserialize(topic, bytes)
        }
        fn partition_prefix(&self, bytes: &[u8]) -> usize {
            bytes.len().min(1)
        }
    }

    #[test]
    fn what_decides_the_partition_is_the_same_behind_an_option() {
        assert_eq!(OptionSerde(ByFirst).partition_prefix(b"abc"), 1);
    }
}
