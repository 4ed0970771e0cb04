//! What a grouped table sends through its repartition topic: the row that left a group, the row that came into it.

use std::sync::Arc;

use headwater_record::{Encoded, Serde, SerdeError, SharedSerde};

/// Old and new value of a row in a group; at least one is there.
pub(crate) struct Changed<V> {
    pub(crate) new: Option<V>,
    pub(crate) old: Option<V>,
}

/// The bytes of Java's `ChangedSerializer` (since 3.5); the last byte says what there is.
pub(crate) struct ChangedSerde<V>(pub(crate) SharedSerde<V>);

const OLD: u8 = 0;
const NEW: u8 = 1;
const BOTH: u8 = 2;

impl<V> ChangedSerde<V> {
    pub(crate) fn shared(value: &SharedSerde<V>) -> SharedSerde<Changed<V>>
    where
        V: 'static,
    {
        Arc::new(ChangedSerde(Arc::clone(value)))
    }

    fn value(&self, topic: &str, bytes: &[u8]) -> Result<Option<V>, SerdeError> {
        self.0.deserialize(topic, Some(bytes)).map(Some)
    }
}

fn malformed<V>(what: &str) -> SerdeError {
    SerdeError::malformed::<V>(what.to_owned())
}

impl<V> Serde<Changed<V>> for ChangedSerde<V> {
    fn serialize(&self, topic: &str, value: &Changed<V>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        match (&value.old, &value.new) {
            (None, None) => {
                return Err(malformed::<V>(
                    "Both old and new values are null in ChangeSerializer, which is not allowed.",
                ));
            }
            (Some(old), None) => {
                self.0.serialize(topic, old, into)?;
                into.push(OLD);
            }
            (None, Some(new)) => {
                self.0.serialize(topic, new, into)?;
                into.push(NEW);
            }
            (Some(old), Some(new)) => {
                let mut bytes = Vec::new();
                self.0.serialize(topic, new, &mut bytes)?;
                put_varint(bytes.len(), into);
                into.extend_from_slice(&bytes);
                self.0.serialize(topic, old, into)?;
                into.push(BOTH);
            }
        }
        Ok(Encoded::Bytes)
    }

    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Changed<V>, SerdeError> {
        let empty = || malformed::<V>("a change of a grouped table has at least one byte");
        let (flag, mut rest) = bytes.and_then(<[u8]>::split_last).ok_or_else(empty)?;
        // Flags from 3 on have a byte that says whether it is the latest version.
        if (3..=5).contains(flag) {
            rest = rest.split_last().ok_or_else(empty)?.1;
        }
        match flag % 3 {
            _ if *flag > 5 => Err(malformed::<V>("a change of a grouped table ends in an unknown flag")),
            OLD => Ok(Changed { new: None, old: self.value(topic, rest)? }),
            NEW => Ok(Changed { new: self.value(topic, rest)?, old: None }),
            _ => {
                let (new, old) = take_varint(rest)
                    .and_then(|(len, rest)| rest.split_at_checked(len))
                    .ok_or_else(|| malformed::<V>("a change of a grouped table is shorter than it says"))?;
                Ok(Changed { new: self.value(topic, new)?, old: self.value(topic, old)? })
            }
        }
    }
}

/// A length as Kafka's zigzag varint of 32 bits.
fn put_varint(len: usize, into: &mut Vec<u8>) {
    let mut rest = (len as u64) << 1;
    while rest >= 0x80 {
        into.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

fn take_varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    let (mut bytes, mut shift) = (bytes, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        bytes = rest;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
    // Negative lengths are odd in zigzag.
    (value & 1 == 0).then(|| usize::try_from(value >> 1).ok()).flatten().map(|len| (len, bytes))
}

#[cfg(test)]
mod tests {
    use headwater_record::DefaultSerde;

    use super::*;

    fn bytes(old: Option<&str>, new: Option<&str>) -> Vec<u8> {
        let serde = ChangedSerde(String::default_serde());
        let mut bytes = Vec::new();
        let changed = Changed { old: old.map(str::to_owned), new: new.map(str::to_owned) };
        serde.serialize("t", &changed, &mut bytes).unwrap();
        let back = serde.deserialize("t", Some(&bytes)).unwrap();
        assert_eq!((back.old.as_deref(), back.new.as_deref()), (old, new));
        bytes
    }

    #[test]
    fn a_change_has_the_bytes_of_java() {
        assert_eq!(bytes(Some("a"), None), b"a\x00");
        assert_eq!(bytes(None, Some("b")), b"b\x01");
        assert_eq!(bytes(Some("old"), Some("ab")), b"\x04abold\x02");
        let long = "x".repeat(300);
        assert!(bytes(Some(""), Some(&long)).starts_with(b"\xd8\x04x"));
    }

    #[test]
    fn bytes_that_are_no_change_are_refused() {
        let serde = ChangedSerde(String::default_serde());
        for bytes in [&b""[..], b"a\x06", b"\x08ab\x02", b"\xff\xff\xff\xff\xff\xff\x02", b"\x01a\x02", b"\x03"] {
            assert!(serde.deserialize("t", Some(bytes)).is_err(), "{bytes:?}");
        }
        assert!(serde.deserialize("t", None).is_err());
    }
}
