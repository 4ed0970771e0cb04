//! The consumer's side, with a fetcher that is played here.
#![allow(clippy::disallowed_methods, reason = "the fetcher has a thread of its own")]

use std::sync::mpsc::Sender;

use bytes::Bytes;
use headwater_record::{Clock as _, RawHeaders, RawRecord, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::batch::{Builder, Producing};
use crate::clock::SystemClock;

const MARKS: Watermarks = Watermarks { low: Offset::ZERO, high: Offset::new(100) };

fn consumer() -> (KafkaConsumer, UnboundedReceiver<Order>, Sender<Heard>) {
    let (orders, ordered) = unbounded_channel();
    let (tell, heard) = mpsc::channel();
    let settings = Settings::of(&ClientConfig::new().with("bootstrap.servers", "a:1")).expect("settings");
    let consumer = KafkaConsumer::beside(settings, orders, heard, Io::default());
    (consumer, ordered, tell)
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("t", number)
}

fn from(offset: i64) -> From {
    From { offset: Offset::new(offset), epoch: -1 }
}

/// One batch of `count` records from offset 0 on, fetched from `at` on.
fn records(count: i64, at: i64) -> Records {
    let mut builder = Builder::new(Vec::new(), usize::MAX);
    for _ in 0..count {
        let headers = RawHeaders::NONE;
        let record =
            RawRecord { offset: Offset::UNKNOWN, timestamp: Timestamp::ZERO, key: None, value: Some(b"v"), headers };
        builder.append(&record, 0);
    }
    let mut built = builder.close();
    built.stamped(Producing::NOBODY);
    Records { from: from(at), bytes: Bytes::from(built.into_bytes()), aborted: Vec::new(), watermarks: MARKS }
}

/// How many records of which partition a poll gives.
fn polled(consumer: &mut KafkaConsumer) -> Vec<(i32, usize)> {
    let mut batches = Vec::new();
    consumer.poll(Deadline::NOW, &mut batches).expect("nothing went wrong");
    batches.iter().map(|batch| (batch.partition().partition, batch.remaining())).collect()
}

fn ordered(orders: &mut UnboundedReceiver<Order>) -> Vec<String> {
    let line = |order| match order {
        Order::Claim(claim, partition, at) => format!("{} is {partition} from {at:?}", claim.0),
        Order::GiveUp(claim) => format!("{} is given up", claim.0),
        Order::Fetch(claim, from) => format!("{} from {} of {}", claim.0, from.offset, from.epoch),
        Order::Wakeup => "wake up".to_owned(),
    };
    std::iter::from_fn(|| orders.try_recv().ok()).map(line).collect()
}

fn assigned(partitions: i32) -> (KafkaConsumer, UnboundedReceiver<Order>, Sender<Heard>) {
    let (mut consumer, mut orders, tell) = consumer();
    let all: Vec<_> = (0..partitions).map(|number| (partition(number), StartAt::Offset(Offset::ZERO))).collect();
    consumer.assign(&all).expect("they are not assigned yet");
    assert_eq!(ordered(&mut orders).len(), all.len());
    (consumer, orders, tell)
}

#[test]
fn what_is_handed_out_is_passed_and_what_follows_is_ordered() {
    let (mut consumer, mut orders, tell) = assigned(2);
    tell.send(Heard::Records(Claim(0), records(5, 2))).expect("it is heard");
    tell.send(Heard::Records(Claim(1), records(3, 0))).expect("it is heard");
    assert_eq!(polled(&mut consumer), [(0, 3), (1, 3)]);
    assert_eq!(ordered(&mut orders), ["0 from 5 of -1", "1 from 3 of -1"]);
    assert_eq!(consumer.position(&partition(0)), Some(Offset::new(5)));
    assert_eq!(consumer.watermarks(&partition(0)), Some(MARKS));
}

#[test]
fn a_poll_takes_one_answer_of_a_partition_however_quick_the_brokers_are() {
    let (mut consumer, mut orders, tell) = assigned(1);
    tell.send(Heard::Records(Claim(0), records(1, 0))).expect("it is heard");
    let fetcher = std::thread::spawn(move || {
        let mut answers = 0;
        // As many as would be noticed.
        while answers < 1_000
            && let Some(Order::Fetch(claim, _)) = orders.blocking_recv()
        {
            answers += 1;
            let _ = tell.send(Heard::Records(claim, records(1, 0)));
        }
    });
    for _ in 0..3 {
        let mut batches = Vec::new();
        consumer.poll(Deadline::after(SystemClock.now(), Duration::from_mins(1)), &mut batches).expect("records");
        assert_eq!(batches.len(), 1);
    }
    drop(consumer);
    fetcher.join().expect("it ends");
}

#[test]
fn what_comes_while_a_partition_is_paused_is_held_until_it_is_resumed() {
    let (mut consumer, mut orders, tell) = assigned(2);
    consumer.pause(&[partition(0)]).expect("it is paused");
    tell.send(Heard::Records(Claim(0), records(5, 0))).expect("it is heard");
    assert_eq!(polled(&mut consumer), []);
    assert_eq!(ordered(&mut orders), [""; 0], "no more than one answer is held");
    assert_eq!(consumer.position(&partition(0)), Some(Offset::ZERO));
    consumer.resume(&[partition(0)]).expect("it is resumed");
    consumer.pause(&[partition(0)]).expect("it is paused");
    assert_eq!(polled(&mut consumer), [], "it was paused again");
    consumer.resume(&[partition(0)]).expect("it is resumed");
    assert_eq!(polled(&mut consumer), [(0, 5)]);
    assert_eq!(ordered(&mut orders), ["0 from 5 of -1"]);
}

#[test]
fn nothing_of_before_a_seek_comes_after_it_and_a_pause_stays() {
    let (mut consumer, mut orders, tell) = assigned(1);
    consumer.pause(&[partition(0)]).expect("it is paused");
    tell.send(Heard::Records(Claim(0), records(5, 0))).expect("it is heard");
    assert_eq!(polled(&mut consumer), []);
    tell.send(Heard::Failed(Claim(0), ClientError::Closed)).expect("it is heard");
    consumer.seek(&partition(0), StartAt::End).expect("it is assigned");
    assert_eq!(ordered(&mut orders), ["0 is given up", "1 is t-0 from End"]);
    assert_eq!(consumer.position(&partition(0)), None);
    tell.send(Heard::Began(Claim(1), Offset::new(100))).expect("it is heard");
    tell.send(Heard::Records(Claim(0), records(5, 0))).expect("it is heard");
    tell.send(Heard::Records(Claim(1), records(2, 0))).expect("it is heard");
    assert_eq!(polled(&mut consumer), []);
    assert_eq!(consumer.position(&partition(0)), Some(Offset::new(100)));
    consumer.resume(&[partition(0)]).expect("it is resumed");
    assert_eq!(polled(&mut consumer), [(0, 2)]);
    consumer.unassign(&[partition(0)]).expect("it is assigned");
    tell.send(Heard::Records(Claim(1), records(2, 0))).expect("it is heard");
    assert_eq!(polled(&mut consumer), []);
    assert_eq!(consumer.position(&partition(0)), None);
}

#[test]
fn each_failure_is_told_once_and_silence_only_while_it_lasts() {
    let (mut consumer, _orders, tell) = assigned(2);
    let poll = |consumer: &mut KafkaConsumer| consumer.poll(Deadline::NOW, &mut Vec::new()).err();
    let gone = |number| ClientError::OffsetOutOfRange { partition: partition(number), offset: Offset::ZERO };
    let silence = || ClientError::Unavailable { servers: "a:1".to_owned(), reason: "refused".to_owned() };
    for heard in [Heard::Failed(Claim(0), gone(0)), Heard::Failed(Claim(1), gone(1)), Heard::Silence(silence())] {
        tell.send(heard).expect("it is heard");
    }
    assert_eq!([(); 4].map(|()| poll(&mut consumer)), [Some(gone(0)), Some(gone(1)), Some(silence()), None]);
    tell.send(Heard::Silence(silence())).expect("it is heard");
    tell.send(Heard::Records(Claim(0), records(1, 0))).expect("it is heard");
    assert_eq!(poll(&mut consumer), None, "somebody answered since");
    drop(tell);
    assert_eq!(poll(&mut consumer), Some(ClientError::Closed));
}

#[test]
fn a_damaged_answer_is_told_and_nothing_more_is_ordered() {
    let (mut consumer, mut orders, tell) = assigned(1);
    let mut damaged = records(3, 0);
    damaged.bytes = damaged.bytes.slice(..damaged.bytes.len() - 1);
    tell.send(Heard::Records(Claim(0), damaged)).expect("it is heard");
    let error = consumer.poll(Deadline::NOW, &mut Vec::new()).expect_err("it is damaged");
    assert!(matches!(&error, ClientError::Malformed { partition: of, .. } if *of == partition(0)), "{error}");
    assert_eq!(ordered(&mut orders), [""; 0]);
    assert_eq!(consumer.position(&partition(0)), Some(Offset::ZERO));
}

#[test]
fn a_poll_that_waits_is_woken_from_another_thread() {
    let (mut consumer, mut orders, tell) = assigned(1);
    let wakeup = consumer.wakeup();
    let woken = std::thread::spawn(move || {
        wakeup();
        assert_eq!(ordered(&mut orders), ["wake up"]);
        tell.send(Heard::Wakeup).expect("it is heard");
        (orders, tell)
    });
    let long = Deadline::after(SystemClock.now(), Duration::from_hours(1));
    consumer.poll(long, &mut Vec::new()).expect("nothing went wrong");
    let (orders, tell) = woken.join().expect("it does not panic");
    drop((orders, tell));
    assert!(
        matches!(consumer.poll(long, &mut Vec::new()), Err(ClientError::Closed)),
        "it still hears that the fetcher has ended"
    );
}
