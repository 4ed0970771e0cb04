//! What is written comes back as it was.

use headwater_record::{Header, Partition, TopicPartition, partition_for_key};

use super::{Failure, Outcome, Suite, content, ensure, equal, numbered, record};
use crate::StartAt;

pub(super) fn records_come_back_in_order_with_consecutive_offsets(suite: &Suite<'_>) -> Outcome {
    let topic = suite.topic("order", 2)?;
    let (first, second) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1));
    let (many, few) = (numbered(1_000), numbered(10));
    equal("the first offset", &suite.write(&first, &many)?.value(), &0)?;
    equal("the first offset", &suite.write(&second, &few)?.value(), &0)?;
    equal("the first offset of a second producer", &suite.write(&first, &few)?.value(), &1_000)?;

    let mut consumer = suite.consumer()?;
    consumer.assign(&[(first.clone(), StartAt::Beginning), (second.clone(), StartAt::Beginning)])?;
    let read = suite.read(consumer.as_mut(), 1_020)?;
    for (partition, written) in [(first, many.iter().chain(&few).collect::<Vec<_>>()), (second, few.iter().collect())] {
        let of_partition: Vec<_> =
            read.iter().filter(|(from, _)| *from == partition).map(|(_, record)| record).collect();
        equal("the number of records of the partition", &of_partition.len(), &written.len())?;
        for (expected_offset, (found, expected)) in (0_i64..).zip(of_partition.into_iter().zip(written)) {
            equal("the offset", &found.offset.value(), &expected_offset)?;
            equal("the record", &content(found), &content(expected))?;
        }
    }
    Ok(())
}

pub(super) fn headers_nulls_and_timestamps_are_kept(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("content", 1)?, 0);
    let header = |name: &str, value: Option<&'static [u8]>| Header { name: name.into(), value: value.map(bytes_of) };
    let mut with_headers = record(Some("k"), Some("v"), 123_456_789);
    with_headers.headers = vec![
        header("twice", Some(b"1")),
        header("null", None),
        header("twice", Some(b"2")),
        header("empty", Some(b"")),
    ];
    let written = [
        record(None, Some("no key"), 5),
        record(Some(""), Some("empty key"), 1),
        record(Some("no value"), None, 7),
        record(Some("empty value"), Some(""), 3),
        record(None, None, 3),
        with_headers,
        record(Some("after"), Some("headers"), 9),
    ];
    suite.write(&partition, &written)?;
    let mut consumer = suite.consumer()?;
    consumer.assign(&[(partition, StartAt::Beginning)])?;
    for ((_, found), expected) in suite.read(consumer.as_mut(), written.len())?.iter().zip(&written) {
        equal("the record", &content(found), &content(expected))?;
    }
    Ok(())
}

pub(super) fn timestamp_of_zero_is_kept(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("epoch", 1)?, 0);
    suite.write(&partition, &[record(None, Some("v"), 0)])?;
    let mut consumer = suite.consumer()?;
    consumer.assign(&[(partition, StartAt::Beginning)])?;
    let read = suite.read(consumer.as_mut(), 1)?;
    equal("the timestamp", &read.first().map(|(_, record)| record.timestamp.millis()), &Some(0))
}

pub(super) fn record_without_timestamp_gets_the_producers(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("untimed", 1)?, 0);
    let before = suite.now();
    suite.write(&partition, &[record(None, Some("v"), -1)])?;
    let mut consumer = suite.consumer()?;
    consumer.assign(&[(partition, StartAt::Beginning)])?;
    let read = suite.read(consumer.as_mut(), 1)?;
    let after = suite.now();
    let found = read.first().map(|(_, record)| record.timestamp).ok_or_else(|| Failure::new("no record"))?;
    ensure((before..=after).contains(&found), || format!("timestamp {found} is not within {before}..={after}"))
}

pub(super) fn key_has_its_partition(suite: &Suite<'_>) -> Outcome {
    const PARTITIONS: Partition = 5;
    // The hashes are those of Java's own test of `Utils.murmur2`; a partition is `toPositive(hash) % partitions`.
    let keys = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("abc", 479_470_107),
    ]
    .map(|(key, hash): (&str, i32)| (key, (hash & i32::MAX) % PARTITIONS));
    let topic = suite.topic("keys", PARTITIONS)?;
    let count = suite.producer()?.partition_count(&topic, suite.until())?;
    equal("the partition count", &count, &PARTITIONS)?;
    let mut consumer = suite.consumer()?;
    let all: Vec<_> =
        (0..count).map(|number| (TopicPartition::new(topic.clone(), number), StartAt::Beginning)).collect();
    consumer.assign(&all)?;
    for (key, _) in keys {
        let partition = partition_for_key(key.as_bytes(), count);
        suite.write(&TopicPartition::new(topic.clone(), partition), &[record(Some(key), Some("v"), 1)])?;
    }
    let read = suite.read(consumer.as_mut(), keys.len())?;
    for (key, expected) in keys {
        let found = read.iter().find(|(_, record)| record.key.as_deref() == Some(key.as_bytes()));
        equal(key, &found.map(|(from, _)| from.partition), &Some(expected))?;
    }
    Ok(())
}

fn bytes_of<B: From<&'static [u8]>>(bytes: &'static [u8]) -> B {
    B::from(bytes)
}
