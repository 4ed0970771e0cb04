//! The serdes of the format, for its one value type.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use headwater::record::{DefaultSerde, Encoded, Nullable, Serde, SerdeError, SharedSerde};

use crate::val::Val;

impl Nullable for Val {
    fn null() -> Self {
        Val::Null
    }
    fn is_null(&self) -> bool {
        matches!(self, Val::Null)
    }
}

/// What counts are written with by themselves.
impl DefaultSerde for Val {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(Format::Long)
    }
}

/// A serde of the format's values: which have bytes, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Long,
    Int,
    Double,
    Bytes,
    /// The inner bytes, then the start; the end is `size_ms` later.
    TimeWindowed {
        size_ms: i64,
        inner: Box<Format>,
    },
    /// The inner bytes, then end and start.
    SessionWindowed(Box<Format>),
    /// Java's answer where no serde was given and none is configured: every use fails.
    Missing,
}

impl Format {
    /// The serde of a name; see FORMAT.md, section 4.
    pub(super) fn parse(name: &str) -> Result<Format> {
        if let Some(rest) = name.strip_prefix("time_windowed:") {
            let (size, inner) = rest.split_once(':').with_context(|| format!("`{name}` has no inner serde"))?;
            return Ok(Format::parse(inner)?.in_windows_of(size.parse()?));
        }
        if let Some(inner) = name.strip_prefix("session_windowed:") {
            return Ok(Format::parse(inner)?.in_sessions());
        }
        Ok(match name {
            "string" => Format::Text,
            "long" => Format::Long,
            "int" => Format::Int,
            "double" => Format::Double,
            "bytes" => Format::Bytes,
            _ => bail!("no serde `{name}`"),
        })
    }

    /// Of such keys in windows of this size.
    pub(super) fn in_windows_of(self, size_ms: i64) -> Format {
        Format::TimeWindowed { size_ms, inner: Box::new(self) }
    }

    /// Of the keys in the windows; of keys that are in none, this.
    pub(super) fn in_window(&self) -> Format {
        match self {
            Format::TimeWindowed { inner, .. } | Format::SessionWindowed(inner) => (**inner).clone(),
            other => other.clone(),
        }
    }

    /// Of such keys in sessions.
    pub(super) fn in_sessions(self) -> Format {
        Format::SessionWindowed(Box::new(self))
    }

    fn put(&self, value: &Val, into: &mut Vec<u8>) -> Result<(), SerdeError> {
        match (self, value) {
            (Format::Text, Val::Text(text)) => into.extend_from_slice(text.as_bytes()),
            (Format::Long, Val::Long(number)) => into.extend_from_slice(&number.to_be_bytes()),
            (Format::Int, Val::Int(number)) => into.extend_from_slice(&number.to_be_bytes()),
            (Format::Double, Val::Double(number)) => into.extend_from_slice(&number.to_be_bytes()),
            (Format::Bytes, Val::Bytes(bytes)) => into.extend_from_slice(bytes),
            (Format::TimeWindowed { inner, .. }, Val::Windowed { key, start, .. }) => {
                inner.put(key, into)?;
                into.extend_from_slice(&start.to_be_bytes());
            }
            (Format::SessionWindowed(inner), Val::Windowed { key, start, end }) => {
                inner.put(key, into)?;
                into.extend_from_slice(&end.to_be_bytes());
                into.extend_from_slice(&start.to_be_bytes());
            }
            _ => return Err(SerdeError::Custom(format!("the serde {self:?} has no bytes for {value:?}"))),
        }
        Ok(())
    }

    fn take(&self, bytes: &[u8]) -> Result<Val, SerdeError> {
        Ok(match self {
            Format::Text => Val::Text(String::from_utf8_lossy(bytes).into_owned()),
            Format::Long => Val::Long(i64::from_be_bytes(exactly("LongDeserializer", bytes)?)),
            Format::Int => Val::Int(i32::from_be_bytes(exactly("IntegerDeserializer", bytes)?)),
            Format::Double => Val::Double(f64::from_be_bytes(exactly("DoubleDeserializer", bytes)?)),
            Format::Bytes => Val::Bytes(bytes.to_vec()),
            Format::TimeWindowed { size_ms, inner } => {
                let (key, start) = last_eight(bytes)?;
                let end = start.saturating_add(*size_ms);
                Val::Windowed { key: Box::new(inner.take(key)?), start, end }
            }
            Format::SessionWindowed(inner) => {
                let (rest, start) = last_eight(bytes)?;
                let (key, end) = last_eight(rest)?;
                Val::Windowed { key: Box::new(inner.take(key)?), start, end }
            }
            Format::Missing => return Err(SerdeError::Custom("no serde was given and none is configured".to_owned())),
        })
    }
}

impl Serde<Val> for Format {
    fn serialize(&self, _topic: &str, value: &Val, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        if value.is_null() && *self != Format::Missing {
            return Ok(Encoded::Null);
        }
        self.put(value, into)?;
        Ok(Encoded::Bytes)
    }

    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<Val, SerdeError> {
        match bytes {
            None if *self != Format::Missing => Ok(Val::Null),
            bytes => self.take(bytes.unwrap_or_default()),
        }
    }

    fn is_null(&self, value: &Val) -> bool {
        value.is_null()
    }

    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        match self {
            Format::TimeWindowed { .. } => bytes.len().saturating_sub(8),
            Format::SessionWindowed(_) => bytes.len().saturating_sub(16),
            _ => bytes.len(),
        }
    }
}

fn exactly<const N: usize>(type_name: &'static str, bytes: &[u8]) -> Result<[u8; N], SerdeError> {
    // Java's words.
    bytes.try_into().map_err(|_| SerdeError::Custom(format!("Size of data received by {type_name} is not {N}")))
}

fn last_eight(bytes: &[u8]) -> Result<(&[u8], i64), SerdeError> {
    let (rest, last) = bytes.split_last_chunk::<8>().ok_or(SerdeError::Length {
        type_name: "Windowed",
        expected: 8,
        found: bytes.len(),
    })?;
    Ok((rest, i64::from_be_bytes(*last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(name: &str, value: &Val) -> Vec<u8> {
        let serde = Format::parse(name).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(serde.serialize("t", value, &mut bytes).unwrap(), Encoded::Bytes);
        assert_eq!(serde.deserialize("t", Some(&bytes)).unwrap(), *value, "{name}");
        bytes
    }

    #[test]
    fn values_have_the_bytes_of_javas_serdes() {
        assert_eq!(there_and_back("string", &Val::text("aé")), [0x61, 0xc3, 0xa9]);
        assert_eq!(there_and_back("long", &Val::Long(-1)), [0xff; 8]);
        assert_eq!(there_and_back("int", &Val::Int(1)), [0, 0, 0, 1]);
        assert_eq!(there_and_back("double", &Val::Double(1.0)), 1.0_f64.to_be_bytes());
        assert_eq!(there_and_back("bytes", &Val::Bytes(vec![1, 2])), [1, 2]);
        let windowed = Val::Windowed { key: Box::new(Val::text("a")), start: 5, end: 15 };
        assert_eq!(there_and_back("time_windowed:10:string", &windowed), [0x61, 0, 0, 0, 0, 0, 0, 0, 5]);
        let session = there_and_back("session_windowed:string", &windowed);
        assert_eq!(session, [0x61, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn null_has_no_bytes_and_other_types_none_that_fit() {
        let serde = Format::parse("long").unwrap();
        let mut bytes = Vec::new();
        assert_eq!(serde.serialize("t", &Val::Null, &mut bytes).unwrap(), Encoded::Null);
        assert!(serde.serialize("t", &Val::text("a"), &mut bytes).is_err());
        assert!(serde.deserialize("t", Some(b"abc")).is_err());
        assert!(Format::Missing.deserialize("t", Some(b"abc")).is_err());
        assert!(Format::parse("text").is_err());
    }
}
