//! Answers that come late, in virtual time.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater_client::{Appended, BatchAck, ClientConfig, ClientError, ClientSupplier};
use headwater_client_memory::{Cluster, ManualClock};
use headwater_record::{Clock, Deadline, Offset, RawHeaders, RawRecord, Timestamp, Topic};

const DELAY: Duration = Duration::from_millis(50);

fn late() -> (Cluster, ManualClock) {
    let clock = ManualClock::default();
    let cluster = Cluster::new(Arc::new(clock.clone()));
    cluster.create_topic("out", 1).unwrap();
    cluster.faults().delay_answers(&clock, DELAY);
    (cluster, clock)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn record() -> RawRecord<'static> {
    RawRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::ZERO,
        key: None,
        value: Some(b"v"),
        headers: RawHeaders::NONE,
    }
}

#[test]
fn whoever_waits_for_an_answer_lets_time_pass() {
    let (cluster, clock) = late();
    let mut admin = cluster.admin(&ClientConfig::new()).unwrap();
    assert_eq!(admin.list_topics(Deadline::NEVER).unwrap().len(), 1);
    assert_eq!(clock.now(), at(50));
    cluster.faults().clear();
    admin.list_topics(Deadline::NEVER).unwrap();
    assert_eq!(clock.now(), at(50), "answers are in time again");
}

#[test]
fn an_answer_after_the_deadline_is_lost_but_not_the_request() {
    let (cluster, clock) = late();
    let mut admin = cluster.admin(&ClientConfig::new()).unwrap();
    let error = admin.delete_topics(&[Topic::from("out")], Deadline::at(at(20))).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    assert_eq!(clock.now(), at(20));
    assert!(cluster.topics().is_empty());
}

#[test]
fn what_is_written_is_acknowledged_later_and_in_order() {
    let (cluster, clock) = late();
    let mut producer = cluster.producer(&ClientConfig::new()).unwrap();
    let to = producer.partition(&Topic::from("out"), 0).unwrap();
    let mut acks = Vec::new();
    assert_eq!(producer.append(to, record()).unwrap(), Appended::Stored);
    producer.poll(Deadline::NOW, &mut acks).unwrap();
    assert_eq!(cluster.records(&Topic::from("out")).len(), 1, "it lies in the log");
    assert!(acks.is_empty(), "and nobody knows: {acks:?}");
    clock.advance(Duration::from_millis(30));
    assert_eq!(producer.append(to, record()).unwrap(), Appended::Stored);
    producer.poll(Deadline::NOW, &mut acks).unwrap();
    assert!(acks.is_empty(), "{acks:?}");
    clock.advance(Duration::from_millis(20));
    producer.poll(Deadline::NOW, &mut acks).unwrap();
    assert!(matches!(acks[..], [BatchAck::Stored { base_offset: Offset::ZERO, .. }]), "{acks:?}");
    producer.flush(Deadline::NEVER, &mut acks).unwrap();
    assert_eq!((acks.len(), clock.now()), (2, at(80)), "a flush waits for the last");
}

#[test]
fn a_delay_may_concern_one_client_alone() {
    let (cluster, clock) = late();
    cluster.faults().of_client("near").delay_answers(&clock, Duration::from_millis(1));
    let mut near = cluster.admin(&ClientConfig::new().with("client.id", "near")).unwrap();
    near.list_topics(Deadline::NEVER).unwrap();
    assert_eq!(clock.now(), at(1));
}
