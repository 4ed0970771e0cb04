//! A serde that looks at the topic.

use std::sync::Arc;

use headwater::record::{Encoded, Serde, SerdeError, SharedSerde};

/// Writes the topic's name before each text, and reads what was written to the same topic only.
struct Branded;

impl Serde<String> for Branded {
    fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.extend_from_slice(format!("<{topic}>{value}").as_bytes());
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let own = text.strip_prefix(&format!("<{topic}>")).map(str::to_owned);
        own.ok_or_else(|| SerdeError::malformed::<String>(format!("{text:?} was read as of topic {topic}")))
    }
}

pub(crate) fn branded() -> SharedSerde<String> {
    Arc::new(Branded)
}
