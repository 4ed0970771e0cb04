//! The consumer's own framing around a subscription and an assignment (`ConsumerProtocolSubscription`, `…Assignment`).

use std::collections::BTreeMap;

use headwater_record::{Partition, Topic, TopicPartition};

use super::CodecError;
use super::bytes::{Reader, Writer};

/// The version written, as Java 3.5 and later do.
const VERSION: i16 = 3;

/// What a member tells: the metadata of its join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSubscription {
    /// Topics it wants, in order.
    pub topics: Vec<Topic>,
    /// The bytes of Kafka Streams, see [`SubscriptionInfo`](super::SubscriptionInfo).
    pub user_data: Option<Vec<u8>>,
    /// Partitions it owns, since version 1.
    pub owned: Vec<TopicPartition>,
    /// In which generation it came to own them, -1 when in none; since version 2.
    pub generation: i32,
    /// `client.rack`, since version 3.
    pub rack: Option<String>,
}

impl ConsumerSubscription {
    /// Its bytes, in version 3.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i16(VERSION);
        out.put_count(self.topics.len());
        for topic in &self.topics {
            out.put_topic(topic);
        }
        put_user_data(&mut out, self.user_data.as_deref());
        put_partitions(&mut out, &self.owned);
        out.put_i32(self.generation);
        match &self.rack {
            Some(rack) => out.put_string(rack),
            None => out.put_i16(-1),
        }
        out
    }

    /// Understands versions 0 to 3, and of newer ones what these have.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that mean nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut input = Reader::new("ConsumerProtocolSubscription", bytes);
        let version = version(&mut input)?;
        let topics = input.list("topics", |input| Ok(Topic::from(input.string("topic")?)))?;
        let user_data = input.nullable_bytes("user data")?.map(<[u8]>::to_vec);
        let owned = if version >= 1 { partitions(&mut input)? } else { Vec::new() };
        let generation = if version >= 2 { input.i32()? } else { -1 };
        let rack = if version >= 3 { input.nullable_string("rack")?.map(str::to_owned) } else { None };
        Ok(ConsumerSubscription { topics, user_data, owned, generation, rack })
    }
}

/// What a leader tells a member.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConsumerAssignment {
    /// The member's partitions, in order.
    pub partitions: Vec<TopicPartition>,
    /// The bytes of Kafka Streams, see [`AssignmentInfo`](super::AssignmentInfo).
    pub user_data: Option<Vec<u8>>,
}

impl ConsumerAssignment {
    /// Its bytes, in version 3.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i16(VERSION);
        put_partitions(&mut out, &self.partitions);
        put_user_data(&mut out, self.user_data.as_deref());
        out
    }

    /// Understands all versions: they have the same fields so far, and of newer ones what these have.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that mean nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut input = Reader::new("ConsumerProtocolAssignment", bytes);
        version(&mut input)?;
        let partitions = partitions(&mut input)?;
        let user_data = input.nullable_bytes("user data")?.map(<[u8]>::to_vec);
        Ok(ConsumerAssignment { partitions, user_data })
    }
}

fn version(input: &mut Reader<'_>) -> Result<i16, CodecError> {
    let version = input.i16()?;
    if version < 0 { Err(input.invalid("version", version)) } else { Ok(version) }
}

fn put_user_data(out: &mut Vec<u8>, user_data: Option<&[u8]>) {
    match user_data {
        Some(bytes) => out.put_bytes(bytes),
        None => out.put_i32(-1),
    }
}

fn put_partitions(out: &mut Vec<u8>, partitions: &[TopicPartition]) {
    let mut topics: BTreeMap<&Topic, Vec<Partition>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    out.put_count(topics.len());
    for (topic, numbers) in topics {
        out.put_topic(topic);
        out.put_count(numbers.len());
        for number in numbers {
            out.put_i32(number);
        }
    }
}

fn partitions(input: &mut Reader<'_>) -> Result<Vec<TopicPartition>, CodecError> {
    let topics = input.list("topics", |input| {
        let topic = Topic::from(input.string("topic")?);
        input.list("partitions", |input| Ok(TopicPartition::new(topic.clone(), input.i32()?)))
    })?;
    Ok(topics.into_iter().flatten().collect())
}
