//! A producer whose member is not confirmed: what waits, for how long, and what is given up.

use std::sync::Arc;

use headwater_client::{GroupError, Lease};

use super::*;
use crate::clock::SinceBoot;

const LONG: Duration = Duration::from_hours(1);

fn leased(broker: &Broker, settings: &[(&str, &str)]) -> (KafkaProducer, PartitionRef, Lease) {
    let (mut producer, to) = producer(broker, settings);
    let lease = Lease::new(Arc::new(SinceBoot));
    producer.obey(lease.clone());
    (producer, to, lease)
}

fn grant(lease: &Lease) {
    lease.granted(lease.now(), LONG, LONG);
}

/// Polls until so many batches are told of: offsets and counts of those that are stored, or what is said of the others.
fn told(producer: &mut KafkaProducer, count: usize) -> Vec<Result<(i64, u32), ClientError>> {
    let (mut acks, patience) = (Vec::new(), until());
    while acks.len() < count {
        assert!(!patience.passed(SystemClock.now()));
        match producer.poll(Deadline::after(SystemClock.now(), Duration::from_millis(10)), &mut acks) {
            Ok(()) | Err(ClientError::Group(GroupError::Unconfirmed | GroupError::UnknownMember)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let told = acks.into_iter().map(|ack| match ack {
        BatchAck::Stored { base_offset, count, .. } => Ok((base_offset.value(), count)),
        BatchAck::Failed { error, .. } => Err(error),
    });
    told.collect()
}

#[test]
fn what_waits_for_the_lease_is_sent_later_than_batches_may_take() {
    let broker = Broker::play(Vec::new());
    let settings = [("delivery.timeout.ms", "300"), ("request.timeout.ms", "250"), ("linger.ms", "0")];
    let (mut producer, to, lease) = leased(&broker, &settings);
    append(&mut producer, to, &[3, 2]);
    let unconfirmed = Err(ClientError::Group(GroupError::Unconfirmed));
    assert_eq!(producer.flush(until(), &mut Vec::new()), unconfirmed, "nobody waits for it");
    let later = Deadline::after(SystemClock.now(), Duration::from_millis(600));
    assert_eq!(producer.poll(later, &mut Vec::new()), unconfirmed);
    assert!(later.passed(SystemClock.now()), "what waits may be sent any time");
    assert!(broker.seen().is_empty());
    grant(&lease);
    assert_eq!(told(&mut producer, 2), [Ok((0, 3)), Ok((3, 2))]);
    append(&mut producer, to, &[1]);
    assert_eq!(flushed(&mut producer), [Ok((5, 1))]);
}

#[test]
fn what_is_under_way_is_heard_of_and_the_rest_given_up() {
    let broker = Broker::play(Vec::new());
    let (mut producer, to, lease) = leased(&broker, &[]);
    grant(&lease);
    append(&mut producer, to, &[1]);
    assert_eq!(flushed(&mut producer), [Ok((0, 1))]);
    broker.hold(true);
    append(&mut producer, to, &[1]);
    let patience = until();
    while broker.seen().len() < 2 {
        assert!(!patience.passed(SystemClock.now()));
        let _ = producer.poll(Deadline::after(SystemClock.now(), Duration::from_millis(5)), &mut Vec::new());
    }
    lease.end();
    append(&mut producer, to, &[2, 3]);
    producer.abandon();
    broker.hold(false);
    let given_up = || Err(ClientError::Abandoned);
    assert_eq!(told(&mut producer, 3), [Ok((1, 1)), given_up(), given_up()]);
    grant(&lease);
    append(&mut producer, to, &[4]);
    assert_eq!(flushed(&mut producer), [Ok((2, 4))]);
    assert_eq!(broker.seen(), [(0, 0, 1), (0, 1, 1), (0, 2, 4)], "the sequences of what was never sent are free");
}

#[test]
fn what_is_under_way_when_all_is_given_up_is_not_sent_again() {
    let replies = [Reply::Nothing, Reply::Close, Reply::Code(6), Reply::Code(7), Reply::Code(3)];
    for lost in replies {
        let broker = Broker::play(vec![Reply::Store, lost]);
        let (mut producer, to, lease) = leased(&broker, &[("request.timeout.ms", "300")]);
        grant(&lease);
        append(&mut producer, to, &[1]);
        assert_eq!(flushed(&mut producer), [Ok((0, 1))]);
        broker.hold(true);
        append(&mut producer, to, &[2]);
        let patience = until();
        while broker.seen().len() < 2 {
            assert!(!patience.passed(SystemClock.now()));
            let _ = producer.poll(Deadline::after(SystemClock.now(), Duration::from_millis(5)), &mut Vec::new());
        }
        lease.end();
        producer.abandon();
        broker.hold(false);
        // The member is confirmed again before it is heard what became of the batch.
        grant(&lease);
        assert_eq!(told(&mut producer, 1), [Err(ClientError::Abandoned)], "{lost:?}");
        append(&mut producer, to, &[4]);
        assert_eq!(flushed(&mut producer), [Ok((1, 4))], "{lost:?}");
        assert!(broker.seen()[2..].iter().all(|(_, _, count)| *count == 4), "{lost:?}: {:?}", broker.seen());
    }
}
