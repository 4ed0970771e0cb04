//! The text beside a committed offset: a partition's time and what processors remember (Java's `TopicPartitionMetadata`).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater_record::Timestamp;

const VERSION: u8 = 2;

/// As many bytes of text as a broker takes unless it is told otherwise (`offset.metadata.max.bytes`).
const MAX_BYTES: usize = 4096;

/// What is committed beside a partition's offset.
///
/// Its text is Base64 of `u8 version | i64 time`, and in version 2, when there is any, `i32 n | n × (i32 length, key | i64 value)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetMetadata {
    /// The highest timestamp of the partition's records that were taken up so far, [`Timestamp::UNKNOWN`] before the first.
    pub partition_time: Timestamp,
    /// What processors remember, by their own keys (Java's `ProcessorMetadata`).
    pub processor: BTreeMap<String, i64>,
}

impl Default for OffsetMetadata {
    fn default() -> Self {
        OffsetMetadata { partition_time: Timestamp::UNKNOWN, processor: BTreeMap::new() }
    }
}

/// Text that no member of Kafka Streams has written. Java goes on as if nothing were there, with a warning.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetMetadataError {
    /// Not Base64.
    #[error("the metadata of a committed offset is not Base64: {0}")]
    NotBase64(String),
    /// Of a version that is not known.
    #[error("the metadata of a committed offset is of version {0}, which is not known")]
    Version(u8),
    /// Too few bytes, or a key that is no text.
    #[error("the metadata of a committed offset is cut short or malformed")]
    Malformed,
}

headwater_record::debug_as_text!(OffsetMetadataError);

impl OffsetMetadata {
    /// Only a time.
    pub fn of_time(partition_time: Timestamp) -> Self {
        OffsetMetadata { partition_time, ..Self::default() }
    }

    /// Its text, in version 2.
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.partition_time.millis().to_be_bytes());
        if !self.processor.is_empty() {
            bytes.extend_from_slice(&(self.processor.len() as i32).to_be_bytes());
            for (key, value) in &self.processor {
                bytes.extend_from_slice(&(key.len() as i32).to_be_bytes());
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
        STANDARD.encode(bytes)
    }

    /// Whether a broker takes the text of what processors remember so much of, as it is unless it is told otherwise.
    pub fn fits(processor: &BTreeMap<String, i64>) -> bool {
        let entries = processor.keys().map(|key| size_of::<i32>() + key.len() + size_of::<i64>());
        let bytes = size_of_val(&VERSION) + size_of::<i64>() + size_of::<i32>() + entries.sum::<usize>();
        bytes.div_ceil(3) * 4 <= MAX_BYTES
    }

    /// Understands versions 1 and 2; empty text is no time and nothing remembered.
    ///
    /// # Errors
    /// [`OffsetMetadataError`] for text that means nothing.
    pub fn decode(text: &str) -> Result<Self, OffsetMetadataError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bytes = STANDARD.decode(text).map_err(|error| OffsetMetadataError::NotBase64(error.to_string()))?;
        let (version, mut rest) = bytes.split_first().ok_or(OffsetMetadataError::Malformed)?;
        if !(1..=VERSION).contains(version) {
            return Err(OffsetMetadataError::Version(*version));
        }
        let mut metadata = Self::of_time(Timestamp::from_millis(i64::from_be_bytes(take(&mut rest)?)));
        if *version == 1 || rest.is_empty() {
            return Ok(metadata);
        }
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            let length =
                usize::try_from(i32::from_be_bytes(take(&mut rest)?)).map_err(|_| OffsetMetadataError::Malformed)?;
            let (key, after) = rest.split_at_checked(length).ok_or(OffsetMetadataError::Malformed)?;
            rest = after;
            let key = std::str::from_utf8(key).map_err(|_| OffsetMetadataError::Malformed)?;
            metadata.processor.insert(key.to_owned(), i64::from_be_bytes(take(&mut rest)?));
        }
        Ok(metadata)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], OffsetMetadataError> {
    let (taken, after) = rest.split_first_chunk().ok_or(OffsetMetadataError::Malformed)?;
    *rest = after;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::{OffsetMetadata, OffsetMetadataError, STANDARD, Timestamp};
    use base64::Engine;

    #[test]
    fn an_unknown_time_is_written_as_java_writes_it() {
        assert_eq!(OffsetMetadata::default().encode(), "Av//////////");
    }

    #[test]
    fn empty_text_is_an_unknown_time() {
        assert_eq!(OffsetMetadata::decode(""), Ok(OffsetMetadata::default()));
    }

    #[test]
    fn version_1_has_a_time_only() {
        let text = STANDARD.encode([1, 0, 0, 0, 0, 0, 0, 0x30, 0x39]);
        assert_eq!(OffsetMetadata::decode(&text), Ok(OffsetMetadata::of_time(Timestamp::from_millis(12345))));
    }

    #[test]
    fn what_processors_remember_follows_the_time() {
        let metadata =
            OffsetMetadata { partition_time: Timestamp::from_millis(1), processor: [("key".to_owned(), 7)].into() };
        // As Java 4.4.0 wrote it.
        assert_eq!(metadata.encode(), "AgAAAAAAAAABAAAAAQAAAANrZXkAAAAAAAAABw==");
        assert_eq!(OffsetMetadata::decode(&metadata.encode()), Ok(metadata));
    }

    #[test]
    fn what_fits_is_what_a_broker_takes() {
        let (mut metadata, mut fitted) = (OffsetMetadata::default(), 0);
        for number in 0..200 {
            metadata.processor.insert(format!("@KSTREAM-AGGREGATE-STATE-STORE-{number:010}"), i64::MAX);
            let fits = OffsetMetadata::fits(&metadata.processor);
            assert_eq!(fits, metadata.encode().len() <= 4096, "{number}");
            fitted += usize::from(fits);
        }
        assert_eq!(fitted, 57);
    }

    #[test]
    fn text_of_others_is_an_error() {
        assert!(matches!(OffsetMetadata::decode("by hand"), Err(OffsetMetadataError::NotBase64(_))));
        assert_eq!(OffsetMetadata::decode(&STANDARD.encode([9])), Err(OffsetMetadataError::Version(9)));
        assert_eq!(OffsetMetadata::decode(&STANDARD.encode([2, 0, 0])), Err(OffsetMetadataError::Malformed));
        let claims_much = [&[2][..], &1i64.to_be_bytes(), &i32::MAX.to_be_bytes()].concat();
        assert_eq!(OffsetMetadata::decode(&STANDARD.encode(claims_much)), Err(OffsetMetadataError::Malformed));
    }
}
