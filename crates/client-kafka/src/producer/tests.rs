//! A producer and a broker that is played here, over TCP: one that closes, is silent, refuses, or is too old.

mod gathering;
mod leased;
mod played;
mod transactions;

use headwater_client::{Appended, BatchAck, ClientConfig, ClientError, PartitionRef, Producer};
use headwater_record::{Clock, Deadline, Header, Offset, OwnedRecord, RawHeaders, RawRecord, Timestamp, Topic};
use std::time::Duration;

use super::KafkaProducer;
use super::sender::Event;
use crate::clock::SystemClock;
use crate::io::Io;
use played::{Broker, Reply};

const TOPIC: &str = "t";

fn until() -> Deadline {
    Deadline::after(SystemClock.now(), Duration::from_secs(30))
}

fn producer(broker: &Broker, settings: &[(&str, &str)]) -> (KafkaProducer, PartitionRef) {
    let config = ClientConfig::new().with("bootstrap.servers", broker.address()).with("retry.backoff.ms", "5");
    let config = settings.iter().fold(config, |config, (key, value)| config.with(*key, *value));
    let mut producer = KafkaProducer::new(Io::default(), &config).expect("a producer");
    let to = producer.partition(&Topic::from(TOPIC), 0).expect("a partition");
    (producer, to)
}

fn record(value: &[u8]) -> RawRecord<'_> {
    RawRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::from_millis(5),
        key: None,
        value: Some(value),
        headers: RawHeaders::NONE,
    }
}

/// Appends batches of so many records each, and hands each over.
fn append(producer: &mut KafkaProducer, to: PartitionRef, batches: &[usize]) {
    for count in batches {
        for _ in 0..*count {
            assert_eq!(producer.append(to, record(b"value")), Ok(Appended::Stored));
        }
        producer.close(to.index()).expect("the sender is there");
    }
}

/// Waits for all answers: offsets and counts of batches that are stored, or what is said of the others.
fn flushed(producer: &mut KafkaProducer) -> Vec<Result<(i64, u32), ClientError>> {
    let mut acks = Vec::new();
    producer.flush(until(), &mut acks).expect("nothing concerns all of it");
    let told = acks.into_iter().map(|ack| match ack {
        BatchAck::Stored { base_offset, count, .. } => Ok((base_offset.value(), count)),
        BatchAck::Failed { error, .. } => Err(error),
    });
    told.collect()
}

#[test]
fn a_batch_whose_connection_was_closed_is_sent_again_with_its_sequence() {
    for (what, replies) in [("closed", vec![Reply::Close]), ("silent", vec![Reply::Nothing])] {
        let broker = Broker::play(replies);
        let (mut producer, to) = producer(&broker, &[("request.timeout.ms", "300")]);
        append(&mut producer, to, &[3]);
        assert_eq!(flushed(&mut producer), [Ok((0, 3))], "{what}");
        assert_eq!(broker.seen(), [(0, 0, 3), (0, 0, 3)], "{what}");
        append(&mut producer, to, &[1]);
        assert_eq!(flushed(&mut producer), [Ok((3, 1))], "{what}");
        assert_eq!(broker.seen().last(), Some(&(0, 3, 1)), "{what}");
    }
}

#[test]
fn all_that_was_under_way_is_sent_again_in_order() {
    let broker = Broker::play(vec![Reply::Store, Reply::Nothing, Reply::Nothing, Reply::Close]);
    let (mut producer, to) = producer(&broker, &[]);
    append(&mut producer, to, &[1]);
    assert_eq!(flushed(&mut producer), [Ok((0, 1))]);
    append(&mut producer, to, &[1, 2, 3]);
    assert_eq!(flushed(&mut producer), [Ok((1, 1)), Ok((2, 2)), Ok((4, 3))]);
    let three = [(0, 1, 1), (0, 2, 2), (0, 4, 3)];
    assert_eq!(broker.seen(), [&[(0, 0, 1)][..], &three, &three].concat());
}

#[test]
fn a_broker_that_does_not_answer_yet_gets_one_request() {
    let broker = Broker::play(vec![Reply::Nothing]);
    let (mut producer, to) = producer(&broker, &[("request.timeout.ms", "300")]);
    append(&mut producer, to, &[1, 2]);
    assert_eq!(flushed(&mut producer), [Ok((0, 1)), Ok((1, 2))]);
    assert_eq!(broker.seen(), [(0, 0, 1), (0, 0, 1), (0, 1, 2)]);
}

#[test]
fn a_batch_that_is_too_large_is_sent_in_halves_and_one_record_comes_back() {
    let (too_large, disorder) = (Reply::Code(10), Reply::Code(45));
    let broker = Broker::play(vec![too_large, too_large, Reply::Store, too_large, disorder]);
    let (mut producer, to) = producer(&broker, &[]);
    append(&mut producer, to, &[4]);
    let told = flushed(&mut producer);
    let [Ok((0, 1)), Err(ClientError::RecordTooLarge { topic, bytes: 5 }), Ok((1, 2))] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(topic.as_str(), TOPIC);
    let whole_half_and_quarter = [(0, 0, 4), (0, 0, 2), (0, 0, 1)];
    // The second of the four is refused and leaves a gap.
    assert_eq!(broker.seen(), [&whole_half_and_quarter[..], &[(0, 1, 1), (0, 2, 2), (1, 0, 2)]].concat());
}

#[test]
fn halves_of_a_compressed_batch_are_compressed() {
    let broker = Broker::play(vec![Reply::Code(10)]);
    let (mut producer, to) = producer(&broker, &[("compression.type", "zstd")]);
    for _ in 0..4 {
        assert_eq!(producer.append(to, record(&[7; 1_000])), Ok(Appended::Stored));
    }
    assert_eq!(flushed(&mut producer), [Ok((0, 2)), Ok((2, 2))]);
    assert_eq!(broker.seen(), [(0, 0, 4), (0, 0, 2), (0, 2, 2)]);
    assert!(broker.largest() < 200, "{} bytes were sent", broker.largest());
    assert_eq!(producer.memory.used, 0);
}

#[test]
fn a_broker_that_lost_its_state_gets_a_new_epoch() {
    for code in [45, 47, 59] {
        let broker = Broker::play(vec![Reply::Store, Reply::Code(code)]);
        let (mut producer, to) = producer(&broker, &[]);
        append(&mut producer, to, &[2]);
        assert_eq!(flushed(&mut producer), [Ok((0, 2))]);
        append(&mut producer, to, &[1]);
        assert_eq!(flushed(&mut producer), [Ok((2, 1))]);
        assert_eq!(broker.seen(), [(0, 0, 2), (0, 2, 1), (1, 0, 1)], "{code}");
    }
}

#[test]
fn the_leader_is_looked_for_when_the_broker_is_not_it_any_more() {
    let broker = Broker::play(vec![Reply::Code(6)]);
    let (mut producer, to) = producer(&broker, &[]);
    append(&mut producer, to, &[2]);
    assert_eq!(flushed(&mut producer), [Ok((0, 2))]);
    assert_eq!((broker.seen(), broker.looks()), (vec![(0, 0, 2), (0, 0, 2)], 2));
}

#[test]
fn a_broker_that_never_answers_makes_records_come_back_with_the_reason() {
    let broker = Broker::play((0..100).map(|_| Reply::Nothing).collect());
    let timeouts = [("request.timeout.ms", "50"), ("delivery.timeout.ms", "300"), ("linger.ms", "0")];
    let (mut producer, to) = producer(&broker, &timeouts);
    append(&mut producer, to, &[2]);
    let told = flushed(&mut producer);
    let [Err(error @ ClientError::TimedOut { .. })] = &told[..] else { panic!("{told:?}") };
    let text = error.to_string();
    for part in ["write of 2 records to t-0", "delivery.timeout.ms=300", "no answer in time to Produce"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_the_broker_refuses_comes_back_as_it_was() {
    let broker = Broker::play(vec![Reply::Code(87)]);
    let (mut producer, to) = producer(&broker, &[]);
    let header = |name: &str, value: Option<&'static str>| Header { name: name.into(), value: value.map(Into::into) };
    let written: Vec<OwnedRecord> = (0..3)
        .map(|number| OwnedRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::from_millis(number),
            key: (number == 1).then(|| "key".into()),
            value: (number != 1).then(|| "value".into()),
            headers: if number == 2 { vec![header("h", None), header("h", Some("v"))] } else { Vec::new() },
        })
        .collect();
    for record in &written {
        assert_eq!(producer.append(to, record.view()), Ok(Appended::Stored));
    }
    let mut acks = Vec::new();
    producer.flush(until(), &mut acks).expect("it concerns one batch");
    let [BatchAck::Failed { to: refused, error, records }] = &mut acks[..] else { panic!("{acks:?}") };
    assert_eq!((*refused, error.to_string()), (to, "InvalidRecord for t-0: as played (Kafka error 87)".to_owned()));
    let mut found = Vec::new();
    while let Some(record) = records.head().map(|record| record.to_owned()) {
        found.push(record);
        records.advance().expect("well formed");
    }
    assert_eq!(found, written);
    // Nothing followed it: the sequence is free.
    append(&mut producer, to, &[1]);
    assert_eq!(flushed(&mut producer), [Ok((0, 1))]);
    assert_eq!(broker.seen(), [(0, 0, 3), (0, 0, 1)]);
}

#[test]
fn what_concerns_the_producer_is_said_as_long_as_it_lasts() {
    let broker = Broker::play(Vec::new());
    broker.name_with(31);
    let (mut producer, to) = producer(&broker, &[]);
    append(&mut producer, to, &[2]);
    let error = producer.flush(until(), &mut Vec::new());
    assert!(matches!(error, Err(ClientError::NotAuthorised(_))), "{error:?}");
    let error = producer.poll(until(), &mut Vec::new());
    assert!(matches!(error, Err(ClientError::NotAuthorised(_))), "{error:?}");
    broker.name_with(0);
    let mut acks = Vec::new();
    while acks.is_empty() {
        // What was true before may still be said.
        let _ = producer.poll(until(), &mut acks);
    }
    assert!(matches!(acks[..], [BatchAck::Stored { count: 2, .. }]), "{acks:?}");
    assert_eq!(producer.poll(Deadline::NOW, &mut acks), Ok(()));
}

#[test]
fn a_broker_that_is_too_old_is_refused() {
    let broker = Broker::play(Vec::new());
    broker.speak_produce_up_to(8);
    let (mut producer, to) = producer(&broker, &[]);
    append(&mut producer, to, &[1]);
    let told = flushed(&mut producer);
    let [Err(error @ ClientError::Broker { code: 35, retriable: false, .. })] = &told[..] else { panic!("{told:?}") };
    assert!(error.to_string().contains("is too old: records are written to Kafka 2.8 and later"), "{error}");
}

#[test]
fn where_no_answer_is_asked_for_none_is_awaited() {
    let broker = Broker::play(vec![Reply::Nothing, Reply::Nothing]);
    let (mut producer, to) = producer(&broker, &[("acks", "0")]);
    append(&mut producer, to, &[2, 1]);
    assert_eq!(flushed(&mut producer), [Ok((-1, 2)), Ok((-1, 1))]);
    while broker.seen().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(broker.seen(), [(-1, -1, 2), (-1, -1, 1)]);
}

#[test]
fn a_full_buffer_takes_no_more_until_there_are_answers() {
    // With batches under way, and with nothing but an open one that would linger for an hour.
    for batch_size in ["1000", "1000000"] {
        let broker = Broker::play(Vec::new());
        let settings = [("buffer.memory", "4000"), ("batch.size", batch_size), ("linger.ms", "3600000")];
        let (mut producer, to) = producer(&broker, &settings);
        let value = [7; 300];
        let mut appended = 0;
        while producer.append(to, record(&value)) == Ok(Appended::Stored) {
            appended += 1;
        }
        assert!((10..=13).contains(&appended), "{appended} records of 300 bytes in 4000");
        let mut acks = Vec::new();
        while producer.append(to, record(&value)) == Ok(Appended::Full) {
            producer.poll(until(), &mut acks).expect("nothing concerns all of it");
            assert!(!acks.is_empty(), "a poll that makes no room");
        }
        producer.flush(until(), &mut acks).expect("nothing concerns all of it");
        let stored = acks.iter().map(|ack| match ack {
            BatchAck::Stored { count, .. } => *count,
            BatchAck::Failed { error, .. } => panic!("{error}"),
        });
        assert_eq!((stored.sum::<u32>(), producer.memory.used), (appended + 1, 0));
    }
}

#[test]
fn a_record_that_no_request_takes_is_refused_at_once() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = producer(&broker, &[("max.request.size", "1000")]);
    assert_eq!(producer.append(to, record(b"before")), Ok(Appended::Stored));
    let refused = ClientError::RecordTooLarge { topic: TOPIC.into(), bytes: 1_000 };
    assert_eq!(producer.append(to, record(&[1; 1_000])), Err(refused));
    assert_eq!(producer.append(to, record(b"after")), Ok(Appended::Stored));
    assert_eq!(flushed(&mut producer), [Ok((0, 2))], "the open batch is none the worse for it");
}

#[test]
fn what_lingers_long_enough_is_sent_by_a_poll() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = producer(&broker, &[("linger.ms", "20")]);
    assert_eq!(producer.append(to, record(b"v")), Ok(Appended::Stored));
    let mut acks = Vec::new();
    producer.poll(until(), &mut acks).expect("nothing concerns all of it");
    assert!(matches!(acks[..], [BatchAck::Stored { count: 1, .. }]), "{acks:?}");
}

#[test]
fn connections_end_with_the_producer() {
    let broker = Broker::play(vec![Reply::Nothing]);
    let io = Io::default();
    let config = ClientConfig::new().with("bootstrap.servers", broker.address());
    let mut producer = KafkaProducer::new(io.clone(), &config).expect("a producer");
    let to = producer.partition(&Topic::from(TOPIC), 0).expect("a partition");
    append(&mut producer, to, &[1]);
    while broker.seen().is_empty() {
        std::thread::yield_now();
    }
    assert!(broker.clients() > 0);
    drop(producer);
    while broker.clients() > 0 {
        std::thread::yield_now();
    }
    drop(io);
}

#[test]
fn a_producer_whose_sender_is_gone_says_so_and_does_not_wait() {
    let broker = Broker::play(vec![Reply::Nothing]);
    let (mut producer, to) = producer(&broker, &[]);
    append(&mut producer, to, &[1]);
    assert!(producer.sender.send(Event::Dropped).is_ok());
    assert_eq!(producer.flush(until(), &mut Vec::new()), Err(ClientError::Closed));
    assert_eq!(producer.poll(until(), &mut Vec::new()), Err(ClientError::Closed));
    assert_eq!(producer.partition(&Topic::from("other"), 0), Err(ClientError::Closed));
}

#[test]
fn a_flush_that_is_not_through_says_which_topic_nobody_leads() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = producer(&broker, &[]);
    let gone = producer.partition(&Topic::from("gone"), 9).expect("a number");
    append(&mut producer, to, &[1]);
    append(&mut producer, gone, &[1]);
    let (mut acks, soon) = (Vec::new(), Deadline::after(SystemClock.now(), Duration::from_millis(500)));
    let error = producer.flush(soon, &mut acks).expect_err("there is no such topic");
    assert!(matches!(error, ClientError::TimedOut { .. }), "it may come: {error:?}");
    assert!(error.to_string().contains("topic gone"), "{error}");
    assert_eq!(acks.len(), 1);
}
