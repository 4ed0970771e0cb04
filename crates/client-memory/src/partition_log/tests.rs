//! The log by itself.
#![forbid(unsafe_code)]

use headwater_client::{Isolation, RecordBatch};
use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp, TopicPartition};

use super::{PartitionLog, ReadLimit, Tombstones};
use crate::payload::PayloadBuilder;

const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };

fn append(log: &mut PartitionLog, records: &[(&str, Option<&str>, i64)]) {
    let mut builder = PayloadBuilder::default();
    for (key, value, timestamp) in records {
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::UNKNOWN,
            key: Some(key.as_bytes()),
            value: value.map(str::as_bytes),
            headers: RawHeaders::NONE,
        };
        builder.push(&record, Timestamp::from_millis(*timestamp));
    }
    log.append(&builder.finish(), None, None).unwrap();
}

fn offsets(log: &PartitionLog, from: i64, limit: ReadLimit) -> (Vec<i64>, i64) {
    let read = log.read(&TopicPartition::new("t", 0), Offset::new(from), Isolation::ReadCommitted, limit);
    let mut offsets = Vec::new();
    if let Some(mut batch) = read.batch {
        assert_eq!(batch.remaining(), read.records);
        while let Some(record) = batch.head() {
            offsets.push(record.offset.value());
            batch.advance().unwrap();
        }
        assert_eq!(batch.next_offset(), read.next);
    }
    (offsets, read.next.value())
}

#[test]
fn a_read_spans_batches_and_stops_at_its_limit() {
    let mut log = PartitionLog::default();
    append(&mut log, &[("a", Some("1"), 1), ("b", Some("1"), 2)]);
    append(&mut log, &[("c", Some("1"), 3)]);
    append(&mut log, &[("d", Some("1"), 4), ("e", Some("1"), 5)]);
    assert_eq!(offsets(&log, 0, ALL), (vec![0, 1, 2, 3, 4], 5));
    assert_eq!(offsets(&log, 1, ReadLimit { records: 3, ..ALL }), (vec![1, 2, 3], 4));
    assert_eq!(offsets(&log, 0, ReadLimit { bytes: 1, ..ALL }), (vec![0, 1], 2), "a batch is read whole");
    assert_eq!(offsets(&log, 5, ALL), (vec![], 5));
}

#[test]
fn compaction_leaves_gaps_and_reading_goes_past_them() {
    let mut log = PartitionLog::default();
    append(&mut log, &[("a", Some("1"), 1), ("b", Some("1"), 2), ("a", Some("2"), 3), ("c", Some("1"), 4)]);
    append(&mut log, &[("c", None, 5)]);
    log.compact(Tombstones::Keep);
    assert_eq!(offsets(&log, 0, ALL), (vec![1, 2, 4], 5));
    log.compact(Tombstones::Remove);
    assert_eq!(offsets(&log, 0, ALL), (vec![1, 2], 5), "the end of the log stays where it was");
    assert_eq!(offsets(&log, 3, ALL), (vec![], 5));
    assert_eq!(offsets(&log, 0, ReadLimit { records: 1, ..ALL }), (vec![1], 2));
    append(&mut log, &[("d", Some("1"), 6)]);
    assert_eq!(offsets(&log, 2, ALL), (vec![2, 5], 6));
}

#[test]
fn deleting_within_a_batch_hides_its_beginning() {
    let mut log = PartitionLog::default();
    append(&mut log, &[("a", Some("1"), 1), ("b", Some("1"), 2), ("c", Some("1"), 3)]);
    append(&mut log, &[("d", Some("1"), 4)]);
    log.delete_before(Offset::new(2));
    assert!(!log.contains(Offset::new(1)));
    assert_eq!(log.records(Isolation::ReadCommitted).len(), 2);
    assert_eq!(offsets(&log, 2, ALL), (vec![2, 3], 4));
    assert_eq!(log.offset_at(1), Some(Offset::new(2)));
    log.delete_before(Offset::new(4));
    assert_eq!((log.records(Isolation::ReadCommitted).len(), log.watermarks().low), (0, Offset::new(4)));
}

#[test]
fn an_offset_is_found_by_time_even_where_time_goes_back() {
    let mut log = PartitionLog::default();
    append(&mut log, &[("a", Some("1"), 10), ("b", Some("1"), 5)]);
    append(&mut log, &[("c", Some("1"), 7), ("d", Some("1"), 20)]);
    assert_eq!(log.offset_at(6), Some(Offset::new(0)));
    assert_eq!(log.offset_at(11), Some(Offset::new(3)));
    assert_eq!(log.offset_at(21), None);
}
