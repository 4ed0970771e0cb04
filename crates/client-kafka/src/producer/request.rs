//! A Produce request: many batches for one broker, sent from where they lie.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use headwater_client::{ClientError, ErrorClass, Lease};
use headwater_record::{Partition, TopicPartition};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use tokio::time::timeout;

use super::answers::Said;
use super::sequences::Ticket;
use super::transaction::Protocol;
use crate::error::unavailable;
use crate::metadata::Brokers;

/// The first version in which lengths are of variable size: Kafka 2.8.
const OLDEST: i16 = 9;
/// The last version that names topics; later ones number them. A broker that gets it adds the partitions to the transaction (KIP-890).
const NEWEST: i16 = 12;

/// One batch of a request.
#[derive(Debug)]
pub(super) struct Part {
    /// Whose it is, and the number of its sending.
    pub(super) place: usize,
    pub(super) ticket: Ticket,
    pub(super) partition: TopicPartition,
    pub(super) batch: Bytes,
}

/// What became of a batch of a request.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// The broker said it.
    Said(Said),
    /// It was not asked, and may be another time.
    NotSent(ClientError),
    /// It was asked, but no answer came that can be understood.
    NotHeard(ClientError),
    /// It cannot be asked.
    Impossible(ClientError),
}

/// What a request says of itself.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The `transactional.id`, and how partitions come to be part of the transaction.
    pub(super) transaction: Option<(Arc<str>, Protocol)>,
    /// How many replicas have to have it: -1 is all in sync.
    pub(super) acks: i16,
    /// How long the broker may wait for them, and we for it.
    pub(super) timeout: Duration,
    /// Nothing is sent while it does not hold.
    pub(super) lease: Option<Lease>,
}

/// Sends `parts`, no two of them of one partition, to the broker at `address` and waits for its answer. What was
/// sent comes back without its batches, which nobody else holds any more then.
pub(super) async fn exchange(
    brokers: &Brokers,
    address: &str,
    terms: &Terms,
    mut parts: Vec<Part>,
) -> Vec<(Part, Fate)> {
    // Those of one topic have to be together.
    parts.sort_by(|one, other| one.partition.cmp(&other.partition));
    let answered = ask(brokers, address, terms, &mut parts).await;
    let mut said = match answered {
        Ok(said) => said,
        Err(fate) => return parts.into_iter().map(|part| (part, fate.clone())).collect(),
    };
    let fates = parts.into_iter().map(|part| {
        let topic = said.get_mut(part.partition.topic.as_str());
        let found = topic.and_then(|topic| topic.remove(&part.partition.partition));
        let silent = || Fate::NotHeard(unavailable(address, format!("the answer leaves out {}", part.partition)));
        let fate = found.map_or_else(silent, Fate::Said);
        (part, fate)
    });
    fates.collect()
}

type SaidOf = BTreeMap<String, BTreeMap<Partition, Said>>;

async fn ask(brokers: &Brokers, address: &str, terms: &Terms, parts: &mut [Part]) -> Result<SaidOf, Fate> {
    let connection = brokers.at(address).await.map_err(|error| match error.class() {
        ErrorClass::Retriable => Fate::NotSent(error),
        _ => Fate::Impossible(error),
    })?;
    let (oldest, newest) = match terms.transaction {
        None => (OLDEST, NEWEST),
        Some((_, Protocol::One)) => (OLDEST, NEWEST - 1),
        Some((_, Protocol::Two)) => (NEWEST, NEWEST),
    };
    let version = connection.version_of::<ProduceRequest>(newest).map_err(Fate::Impossible)?;
    if version < oldest {
        let needed = match oldest {
            OLDEST => "records are written to Kafka 2.8 and later",
            _ => "transactions of its cluster's transaction.version are written to Kafka 4.0 and later",
        };
        return Err(Fate::Impossible(ClientError::Broker {
            code: 35,
            message: format!("the broker at {address} is too old: {needed}"),
            retriable: false,
        }));
    }
    let (body, lease) = (body(terms, parts), terms.lease.as_ref());
    if terms.acks == 0 {
        let told = timeout(terms.timeout, connection.tell_encoded::<ProduceRequest>(version, &body, lease)).await;
        let too_long = |_| ClientError::TimedOut { request: "Produce".to_owned() };
        told.map_err(too_long).and_then(|told| told).map_err(Fate::NotHeard)?;
        return Ok(unanswered(parts));
    }
    let answer = connection.call_encoded::<ProduceRequest>(version, &body, terms.timeout, lease).await;
    answer.map(read).map_err(Fate::NotHeard)
}

/// The body of the request in versions 9 to 12. Batches move into it from `parts`.
fn body(terms: &Terms, parts: &mut [Part]) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    let mut between = BytesMut::with_capacity(64 + 32 * parts.len());
    match &terms.transaction {
        None => put_unsigned(&mut between, 0),
        Some((id, _)) => {
            put_unsigned(&mut between, 1 + id.len());
            between.put_slice(id.as_bytes());
        }
    }
    between.put_i16(terms.acks);
    between.put_i32(i32::try_from(terms.timeout.as_millis()).unwrap_or(i32::MAX));
    let of_one_topic = |one: &Part, other: &Part| one.partition.topic == other.partition.topic;
    put_unsigned(&mut between, 1 + parts.chunk_by(of_one_topic).count());
    for topic in parts.chunk_by_mut(of_one_topic) {
        let name = topic.first().map_or("", |part| part.partition.topic.as_str());
        put_unsigned(&mut between, 1 + name.len());
        between.put_slice(name.as_bytes());
        put_unsigned(&mut between, 1 + topic.len());
        for part in topic {
            between.put_i32(part.partition.partition);
            put_unsigned(&mut between, 1 + part.batch.len());
            pieces.push(between.split().freeze());
            pieces.push(std::mem::take(&mut part.batch));
            put_unsigned(&mut between, 0);
        }
        put_unsigned(&mut between, 0);
    }
    put_unsigned(&mut between, 0);
    pieces.push(between.freeze());
    pieces
}

fn put_unsigned(out: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn read(response: ProduceResponse) -> SaidOf {
    let topics = response.responses.into_iter().map(|topic| {
        let partitions = topic.partition_responses.into_iter().map(|said| {
            // What is wrong with single records says more than that something is.
            let of_record = said.record_errors.into_iter().find_map(|error| error.batch_index_error_message);
            let message = of_record.or(said.error_message).map(|message| message.to_string());
            (said.index, Said { code: said.error_code, base_offset: said.base_offset, message })
        });
        (topic.name.0.to_string(), partitions.collect())
    });
    topics.collect()
}

/// What is taken for said where no answer was asked for.
fn unanswered(parts: &[Part]) -> SaidOf {
    let mut said = SaidOf::new();
    for TopicPartition { topic, partition } in parts.iter().map(|part| &part.partition) {
        let nothing = Said { code: 0, base_offset: -1, message: None };
        said.entry(topic.as_str().to_owned()).or_default().insert(*partition, nothing);
    }
    said
}

#[cfg(test)]
mod tests {
    use kafka_protocol::protocol::Decodable;

    use super::super::sequences::tests::ticket;
    use super::*;

    #[test]
    fn a_request_is_read_by_others_as_it_was_meant() {
        let part = |topic: &str, partition, batch: Vec<u8>| Part {
            place: 0,
            ticket: ticket(0),
            partition: TopicPartition::new(topic, partition),
            batch: batch.into(),
        };
        let large = vec![7; 300_000];
        for (version, id) in (OLDEST..=NEWEST).flat_map(|version| [(version, None), (version, Some("a-1"))]) {
            let mut parts = [part("a", 0, vec![1; 61]), part("a", 1, large.clone()), part("b", 200, vec![3; 200])];
            let transaction = id.map(|id| (id.into(), Protocol::Two));
            let terms = Terms { transaction, acks: -1, timeout: Duration::from_millis(1_234), lease: None };
            let pieces = body(&terms, &mut parts);
            assert!(parts.iter().all(|part| part.batch.is_empty()));
            let mut bytes = Bytes::from(pieces.concat());
            let request = ProduceRequest::decode(&mut bytes, version).expect("well formed");
            assert!(bytes.is_empty());
            assert_eq!(request.transactional_id.as_ref().map(|id| &*id.0 as &str), id);
            assert_eq!((request.acks, request.timeout_ms), (-1, 1_234));
            let found: Vec<_> = request
                .topic_data
                .iter()
                .flat_map(|topic| topic.partition_data.iter().map(|data| (topic.name.0.to_string(), data)))
                .map(|(name, data)| (name, data.index, data.records.clone().unwrap_or_default().to_vec()))
                .collect();
            let expected = [
                ("a".to_owned(), 0, vec![1; 61]),
                ("a".to_owned(), 1, large.clone()),
                ("b".to_owned(), 200, vec![3; 200]),
            ];
            assert_eq!(found, expected);
        }
    }
}
