//! When batches leave where `linger.ms` is not set. It bounds the wait nevertheless: here by an hour, so that nothing leaves for it.

use std::time::Duration;

use headwater_client::{Appended, BatchAck, PartitionRef, Producer};
use headwater_record::{Deadline, Topic};

use super::super::KafkaProducer;
use super::played::Broker;
use super::{TOPIC, producer, record, until};

const HOUR: Duration = Duration::from_hours(1);

fn eager(broker: &Broker) -> (KafkaProducer, PartitionRef) {
    let (mut producer, to) = producer(broker, &[]);
    producer.settings.linger = HOUR;
    (producer, to)
}

/// Appends a record, as a turn does that ends with a poll.
fn turn(producer: &mut KafkaProducer, to: PartitionRef) -> u32 {
    assert_eq!(producer.append(to, record(b"value")), Ok(Appended::Stored));
    polled(producer, Deadline::NOW)
}

/// How many records a poll says are stored.
fn polled(producer: &mut KafkaProducer, until: Deadline) -> u32 {
    let mut acks = Vec::new();
    producer.poll(until, &mut acks).expect("nothing concerns all of it");
    let stored = acks.iter().map(|ack| match ack {
        BatchAck::Stored { count, .. } => *count,
        BatchAck::Failed { error, .. } => panic!("{error}"),
    });
    stored.sum()
}

#[test]
fn a_batch_leaves_when_its_broker_is_free_and_gathers_while_it_is_not() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = eager(&broker);
    let mut stored = turn(&mut producer, to);
    while stored < 1 {
        stored += polled(&mut producer, until());
    }
    broker.hold(true);
    assert_eq!((0..4).map(|_| turn(&mut producer, to)).sum::<u32>(), 0);
    while broker.seen().len() < 2 {
        std::thread::yield_now();
    }
    broker.hold(false);
    while stored < 5 {
        let more = polled(&mut producer, until());
        assert!(more > 0, "what is left does not leave");
        stored += more;
    }
    assert_eq!(broker.seen(), [(0, 0, 1), (0, 1, 1), (0, 2, 3)]);
}

#[test]
fn nobody_waits_for_what_goes_elsewhere() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = eager(&broker);
    assert_eq!(turn(&mut producer, to) + polled(&mut producer, until()), 1);
    let without_leader = producer.partition(&Topic::from(TOPIC), 1).expect("a partition");
    assert_eq!(turn(&mut producer, without_leader), 0);
    assert_eq!(producer.gathering.unanswered(), 1);
    assert_eq!(turn(&mut producer, to) + polled(&mut producer, until()), 1);
    assert_eq!(broker.seen(), [(0, 0, 1), (0, 1, 1)]);
}

#[test]
fn what_a_busy_caller_brings_gathers_for_a_while() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = eager(&broker);
    assert_eq!(producer.append(to, record(&vec![7; 20_000])), Ok(Appended::Stored));
    assert_eq!([producer.has_brought_much(), producer.has_brought_much()], [true, false]);
    let began = producer.places[0].began;
    for (millis, left) in [(0, 0), (9, 0), (10, 1)] {
        producer.close_free(began.plus(Duration::from_millis(millis)), true).expect("the sender is there");
        assert_eq!(producer.gathering.unanswered(), left, "after {millis} ms");
    }
    assert_eq!(producer.append(to, record(&vec![7; 20_000])), Ok(Appended::Stored));
    // Whoever waits for answers brings nothing meanwhile.
    assert_eq!(polled(&mut producer, until()) + polled(&mut producer, until()), 2);
}

#[test]
fn where_linger_ms_is_set_it_is_obeyed() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to) = producer(&broker, &[("linger.ms", "3600000")]);
    assert_eq!((0..3).map(|_| turn(&mut producer, to)).sum::<u32>(), 0);
    assert_eq!(producer.gathering.unanswered(), 0);
    assert_eq!(super::flushed(&mut producer), [Ok((0, 3))]);
}
