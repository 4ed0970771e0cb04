//! The log by itself.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, Isolation, RecordBatch};
use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp, TopicPartition};

use super::{BatchIdentity, PartitionLog, ProducerId, ReadLimit, Tombstones};
use crate::payload::PayloadBuilder;
use crate::transaction::TransactionEnd::{Abort, Commit};

const ALL: ReadLimit = ReadLimit { records: usize::MAX, bytes: usize::MAX };

fn append(log: &mut PartitionLog, records: &[(&str, Option<&str>, i64)]) {
    append_as(log, None, records);
}

/// Appends in a transaction of `producer`, each batch in an epoch of its own, so that sequence numbers begin at 0.
fn append_in(log: &mut PartitionLog, producer: i64, epoch: i16, keys: &[&str]) {
    let identity = BatchIdentity { producer: ProducerId(producer), epoch, sequence: 0, transactional: true };
    let records: Vec<_> = keys.iter().map(|key| (*key, Some("1"), 1)).collect();
    append_as(log, Some(identity), &records);
}

fn append_as(log: &mut PartitionLog, identity: Option<BatchIdentity>, records: &[(&str, Option<&str>, i64)]) {
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
    log.append(&builder.finish(), None, identity).unwrap();
}

fn offsets(log: &PartitionLog, from: i64, limit: ReadLimit) -> (Vec<i64>, i64) {
    offsets_seen(log, from, Isolation::ReadCommitted, limit)
}

fn offsets_seen(log: &PartitionLog, from: i64, isolation: Isolation, limit: ReadLimit) -> (Vec<i64>, i64) {
    let read = log.read(&TopicPartition::new("t", 0), Offset::new(from), isolation, limit);
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

#[test]
fn reading_stops_at_the_first_open_transaction_and_passes_what_was_aborted() {
    let mut log = PartitionLog::default();
    append(&mut log, &[("a", Some("1"), 1)]);
    append_in(&mut log, 1, 0, &["b", "c"]);
    append_in(&mut log, 2, 0, &["d"]);
    append(&mut log, &[("e", Some("1"), 1)]);
    assert_eq!(offsets(&log, 0, ALL), (vec![0], 1));
    assert_eq!(offsets_seen(&log, 0, Isolation::ReadUncommitted, ALL), (vec![0, 1, 2, 3, 4], 5));
    assert_eq!(offsets(&log, 3, ALL), (vec![], 3), "who is beyond already sees nothing more");
    log.end_transaction(ProducerId(1), 0, Abort).unwrap();
    assert_eq!((log.last_stable_offset(), log.high_watermark()), (Offset::new(3), Offset::new(6)));
    assert_eq!(offsets(&log, 0, ALL), (vec![0], 3));
    assert_eq!(offsets(&log, 2, ReadLimit { records: 1, ..ALL }), (vec![], 3));
    log.end_transaction(ProducerId(2), 0, Commit).unwrap();
    assert_eq!(offsets(&log, 0, ALL), (vec![0, 3, 4], 7));
    assert_eq!(offsets(&log, 1, ReadLimit { records: 2, ..ALL }), (vec![3, 4], 7), "markers at the end are passed");
    assert_eq!(offsets_seen(&log, 2, Isolation::ReadUncommitted, ALL), (vec![2, 3, 4], 7));
}

#[test]
fn an_abort_concerns_one_transaction_of_one_producer() {
    let mut log = PartitionLog::default();
    append_in(&mut log, 1, 0, &["a"]);
    log.end_transaction(ProducerId(1), 1, Commit).unwrap();
    append_in(&mut log, 2, 0, &["b"]);
    append_in(&mut log, 1, 1, &["c"]);
    log.end_transaction(ProducerId(1), 2, Abort).unwrap();
    // One that has written nothing here.
    log.end_transaction(ProducerId(1), 3, Abort).unwrap();
    log.end_transaction(ProducerId(2), 1, Commit).unwrap();
    assert_eq!(offsets(&log, 0, ALL), (vec![0, 2], 7));
}

#[test]
fn a_marker_ends_the_epoch_before_it() {
    let mut log = PartitionLog::default();
    append_in(&mut log, 1, 4, &["a"]);
    assert!(log.is_open(ProducerId(1), 4) && !log.is_open(ProducerId(1), 3) && !log.is_open(ProducerId(2), 4));
    log.end_transaction(ProducerId(1), 5, Commit).unwrap();
    assert!(!log.is_open(ProducerId(1), 4) && !log.is_open(ProducerId(1), 5));
    assert!(log.end_transaction(ProducerId(1), 4, Commit).is_err());
    let late = BatchIdentity { producer: ProducerId(1), epoch: 4, sequence: 1, transactional: true };
    let refused = log.append(&PayloadBuilder::default().finish(), None, Some(late));
    assert!(matches!(refused, Err(ClientError::Fenced(_))), "{refused:?}");
}

#[test]
fn compaction_keeps_to_what_is_stable_and_drops_what_was_aborted() {
    let mut log = PartitionLog::default();
    append(&mut log, &[("a", Some("1"), 1)]);
    append_in(&mut log, 1, 0, &["a", "b"]);
    log.end_transaction(ProducerId(1), 0, Abort).unwrap();
    append_in(&mut log, 2, 0, &["a"]);
    append(&mut log, &[("a", Some("2"), 2)]);
    log.compact(Tombstones::Keep);
    assert_eq!(offsets_seen(&log, 0, Isolation::ReadUncommitted, ALL), (vec![0, 4, 5], 6));
    assert_eq!(offsets(&log, 0, ALL), (vec![0], 4));
    log.end_transaction(ProducerId(2), 0, Commit).unwrap();
    log.compact(Tombstones::Keep);
    assert_eq!(offsets(&log, 0, ALL), (vec![5], 7));
}

#[test]
fn deleting_into_an_open_transaction_leaves_the_rest_of_it_open() {
    let mut log = PartitionLog::default();
    append_in(&mut log, 1, 0, &["a", "b", "c"]);
    log.delete_before(Offset::new(1));
    assert_eq!((log.watermarks().low, log.last_stable_offset()), (Offset::new(1), Offset::new(1)));
    assert_eq!(offsets(&log, 1, ALL), (vec![], 1));
    log.end_transaction(ProducerId(1), 0, Commit).unwrap();
    assert_eq!(offsets(&log, 1, ALL), (vec![1, 2], 4));
}
