//! What the two sides of a foreign-key join write to each other, and to the store of subscriptions.

use headwater_record::{Encoded, Partition, Serde, SerdeError, SharedSerde};

use super::hash::Hash;

/// The version that is written; Java's `SubscriptionWrapper#CURRENT_VERSION`.
pub(super) const SUBSCRIPTION: u8 = 1;
/// Java's `SubscriptionResponseWrapper#CURRENT_VERSION`.
pub(super) const RESPONSE: u8 = 0;
/// Set in the first byte where there is no hash.
const NO_HASH: u8 = 0x80;

/// What is to be done with a subscription, by Java's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// It ends, and another one answers for the row.
    DeleteKeyNoPropagate,
    /// It ends, and the row's result with it.
    DeleteKeyAndPropagate,
    /// It is to be answered in any case.
    PropagateNullIfNoFkValAvailable,
    /// It is to be answered if there is something to join with.
    PropagateOnlyIfFkValAvailable,
}

impl Instruction {
    /// In the order of their bytes.
    const ALL: [Instruction; 4] = [
        Instruction::DeleteKeyNoPropagate,
        Instruction::DeleteKeyAndPropagate,
        Instruction::PropagateNullIfNoFkValAvailable,
        Instruction::PropagateOnlyIfFkValAvailable,
    ];

    /// Whether the subscription ends.
    pub(super) fn deletes(self) -> bool {
        matches!(self, Instruction::DeleteKeyNoPropagate | Instruction::DeleteKeyAndPropagate)
    }
}

/// A row of the left table wants to hear of a row of the right one (Java's `SubscriptionWrapper`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    /// 0 (up to Kafka 3.3) or 1. Later ones are read as 1, and refused by who receives them.
    pub(super) version: u8,
    /// The hash of the row; none when it is gone.
    pub(super) hash: Option<Hash>,
    pub(super) instruction: Instruction,
    /// The bytes of the row's key.
    pub(super) primary_key: Vec<u8>,
    /// Where the row lies; none in version 0.
    pub(super) primary_partition: Option<Partition>,
}

impl Subscription {
    /// Appends its bytes.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        put_head(self.version, self.hash.as_ref(), Some(self.instruction), into);
        into.extend_from_slice(&self.primary_key);
        if self.version > 0 {
            into.extend_from_slice(&self.primary_partition.unwrap_or_default().to_be_bytes());
        }
    }

    /// The subscription whose bytes these are; `None` when they are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Subscription> {
        let (&[head, instruction], rest) = bytes.split_first_chunk::<2>()?;
        let (version, hash, rest) = after_head(head, rest)?;
        let (primary_key, primary_partition) = if version > 0 {
            let (key, partition) = rest.split_last_chunk::<4>()?;
            (key, Some(Partition::from_be_bytes(*partition)))
        } else {
            (rest, None)
        };
        let instruction = *Instruction::ALL.get(usize::from(instruction))?;
        Some(Subscription { version, hash, instruction, primary_key: primary_key.to_vec(), primary_partition })
    }
}

/// Appends the bytes of a response: to the row of this hash, with the bytes of the value to join with; none is empty.
pub(super) fn put_response(hash: Option<&Hash>, value: &[u8], into: &mut Vec<u8>) {
    put_head(RESPONSE, hash, None, into);
    into.extend_from_slice(value);
}

fn put_head(version: u8, hash: Option<&Hash>, instruction: Option<Instruction>, into: &mut Vec<u8>) {
    into.push(if hash.is_some() { version } else { version | NO_HASH });
    into.extend(instruction.map(|instruction| instruction as u8));
    into.extend_from_slice(hash.map(Hash::as_slice).unwrap_or_default());
}

/// Version and hash, and what follows.
fn after_head(head: u8, rest: &[u8]) -> Option<(u8, Option<Hash>, &[u8])> {
    let version = head & !NO_HASH;
    if head & NO_HASH != 0 {
        return Some((version, None, rest));
    }
    let (hash, rest) = rest.split_first_chunk()?;
    Some((version, Some(*hash), rest))
}

/// Appends what the subscriptions to a foreign key begin with in their store: its length and its bytes.
pub(super) fn put_prefix(foreign_key: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&(foreign_key.len() as i32).to_be_bytes());
    into.extend_from_slice(foreign_key);
}

/// Something that is written as the bytes that it has, to the partition that was chosen.
#[derive(Debug, Default)]
pub(super) struct Parcel {
    pub(super) bytes: Vec<u8>,
    /// `None`: by the key.
    pub(super) to: Option<Partition>,
}

/// Writes parcels.
pub(super) struct ParcelSerde;

impl Serde<Parcel> for ParcelSerde {
    fn serialize(&self, _: &str, value: &Parcel, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.extend_from_slice(&value.bytes);
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _: &str, bytes: Option<&[u8]>) -> Result<Parcel, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { type_name: "Parcel" })?;
        Ok(Parcel { bytes: bytes.to_vec(), to: None })
    }
}

/// Subscriptions as their store has them.
pub(super) struct SubscriptionSerde;

impl Serde<Subscription> for SubscriptionSerde {
    fn serialize(&self, _: &str, value: &Subscription, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        value.encode(into);
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _: &str, bytes: Option<&[u8]>) -> Result<Subscription, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { type_name: "Subscription" })?;
        Subscription::decode(bytes).ok_or_else(|| SerdeError::malformed::<Subscription>(MALFORMED.to_owned()))
    }
}

const MALFORMED: &str = "not the bytes of a foreign-key join's message: too short, or of an unknown instruction";

/// A subscription that was received, with its row's key.
pub(super) struct Received<K> {
    pub(super) subscription: Subscription,
    pub(super) key: K,
}

/// Reads subscriptions from their topic.
pub(super) struct ReceivedSerde<K> {
    pub(super) key: SharedSerde<K>,
    /// What the key's serde is told.
    pub(super) key_topic: String,
}

impl<K> Serde<Received<K>> for ReceivedSerde<K> {
    fn serialize(&self, topic: &str, value: &Received<K>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        SubscriptionSerde.serialize(topic, &value.subscription, into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Received<K>, SerdeError> {
        let subscription = SubscriptionSerde.deserialize(topic, bytes)?;
        let key = self.key.deserialize(&self.key_topic, Some(&subscription.primary_key))?;
        Ok(Received { subscription, key })
    }
}

/// The answer to a subscription (Java's `SubscriptionResponseWrapper`).
pub(super) struct Response<V> {
    pub(super) version: u8,
    /// Of the row that is answered.
    pub(super) hash: Option<Hash>,
    /// What to join it with. A value whose bytes are empty arrives as none, as in Java.
    pub(super) value: Option<V>,
}

/// Reads responses from their topic.
pub(super) struct ResponseSerde<V>(pub(super) SharedSerde<V>);

impl<V> Serde<Response<V>> for ResponseSerde<V> {
    fn serialize(&self, topic: &str, value: &Response<V>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        put_head(value.version, value.hash.as_ref(), None, into);
        value.value.as_ref().map_or(Ok(Encoded::Bytes), |value| self.0.serialize(topic, value, into))
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Response<V>, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { type_name: "Response" })?;
        let head = bytes.split_first().and_then(|(&head, rest)| after_head(head, rest));
        let (version, hash, rest) = head.ok_or_else(|| SerdeError::malformed::<Response<V>>(MALFORMED.to_owned()))?;
        let value = (!rest.is_empty()).then(|| self.0.deserialize(topic, Some(rest))).transpose()?;
        Ok(Response { version, hash, value })
    }
}

#[cfg(test)]
mod tests {
    use headwater_record::DefaultSerde;

    use super::*;

    const HASH: Hash = [7; 16];

    fn subscription(version: u8, hash: Option<Hash>) -> Subscription {
        let primary_partition = (version > 0).then_some(258);
        let instruction = Instruction::PropagateOnlyIfFkValAvailable;
        Subscription { version, hash, instruction, primary_key: b"ab".to_vec(), primary_partition }
    }

    #[test]
    fn subscriptions_of_all_versions_have_the_bytes_of_java() {
        let cases = [
            (subscription(1, Some(HASH)), [&[1, 3][..], &HASH, b"ab", &[0, 0, 1, 2]].concat()),
            (subscription(1, None), [&[0x81, 3][..], b"ab", &[0, 0, 1, 2]].concat()),
            (subscription(0, Some(HASH)), [&[0, 3][..], &HASH, b"ab"].concat()),
            (subscription(0, None), [&[0x80, 3][..], b"ab"].concat()),
        ];
        for (subscription, expected) in cases {
            let mut bytes = Vec::new();
            subscription.encode(&mut bytes);
            assert_eq!(bytes, expected);
            assert_eq!(Subscription::decode(&bytes), Some(subscription));
        }
    }

    #[test]
    fn a_later_version_is_read_as_the_last_known_one() {
        let read = Subscription::decode(&[0x82, 0, b'k', 0, 0, 0, 5]).unwrap();
        assert_eq!((read.version, read.primary_key.as_slice(), read.primary_partition), (2, &b"k"[..], Some(5)));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bytes in [&[][..], &[0x81], &[0x81, 0, 1, 2, 3], &[1, 0, 1, 2], &[0x80, 4, b'k']] {
            assert!(SubscriptionSerde.deserialize("t", Some(bytes)).is_err(), "{bytes:?}");
        }
        let responses = ResponseSerde(String::default_serde());
        assert!(SubscriptionSerde.deserialize("t", None).is_err() && responses.deserialize("t", None).is_err());
        assert!(responses.deserialize("t", Some(&[])).is_err());
        assert!(responses.deserialize("t", Some(&[0, 1, 2])).is_err());
    }

    #[test]
    fn responses_have_the_bytes_of_java_and_no_value_where_it_is_empty() {
        let serde = ResponseSerde(String::default_serde());
        let cases = [
            (Some(HASH), Some("X"), [&[0][..], &HASH, b"X"].concat()),
            (Some(HASH), None, [&[0][..], &HASH].concat()),
            (None, None, vec![0x80]),
        ];
        for (hash, value, expected) in cases {
            let (mut bytes, mut again) = (Vec::new(), Vec::new());
            put_response(hash.as_ref(), value.unwrap_or_default().as_bytes(), &mut bytes);
            assert_eq!(bytes, expected);
            let read = serde.deserialize("t", Some(&bytes)).unwrap();
            assert_eq!((read.version, read.hash, read.value.as_deref()), (RESPONSE, hash, value));
            serde.serialize("t", &read, &mut again).unwrap();
            assert_eq!(again, expected);
        }
    }

    #[test]
    fn the_store_has_subscriptions_by_the_length_and_bytes_of_the_foreign_key() {
        let mut prefix = Vec::new();
        put_prefix(b"xy", &mut prefix);
        assert_eq!(prefix, b"\0\0\0\x02xy");
    }
}
