//! Answers of a broker, and what a reader is given of them.

use bytes::Bytes;
use headwater_client::{ClientError, RecordBatch as _};
use headwater_record::{Offset, TopicPartition};

use super::super::by_hand::{Batch, CONTROL, DELETE_HORIZON, LOG_APPEND_TIME, TRANSACTIONAL, framed, record};
use super::super::header::{BYTES, Compression};
use super::{Aborted, Fetched};

fn answer(batches: &[Batch]) -> Vec<u8> {
    batches.iter().flat_map(Batch::bytes).collect()
}

fn fetch(bytes: &[u8], from: i64, aborted: &[(i64, i64)]) -> Result<Fetched, ClientError> {
    let aborted: Vec<Aborted> =
        aborted.iter().map(|&(producer_id, first_offset)| Aborted { producer_id, first_offset }).collect();
    Fetched::new(TopicPartition::new("t", 0), Bytes::copy_from_slice(bytes), Offset::new(from), aborted, true)
}

/// Offsets and timestamps of what is read, where reading goes on, and what ended it before all was read.
fn read(mut fetched: Fetched) -> (Vec<(i64, i64)>, i64, Option<String>) {
    let mut records = Vec::new();
    while let Some(record) = fetched.head() {
        assert_eq!(fetched.next_offset(), record.offset);
        records.push((record.offset.value(), record.timestamp.millis()));
        let before = fetched.remaining();
        if let Err(error) = fetched.advance() {
            assert!(fetched.head().is_none());
            assert_eq!(fetched.remaining(), 0);
            assert_eq!(fetched.advance(), Ok(()), "a batch that is used up stays so");
            return (records, fetched.next_offset().value(), Some(error.to_string()));
        }
        assert!(fetched.remaining() < before);
    }
    assert_eq!(fetched.remaining(), 0);
    (records, fetched.next_offset().value(), None)
}

fn offsets(batches: &[Batch], from: i64, aborted: &[(i64, i64)]) -> (Vec<i64>, i64) {
    let fetched = fetch(&answer(batches), from, aborted).expect("well formed");
    let (records, next, error) = read(fetched);
    assert_eq!(error, None);
    (records.into_iter().map(|(offset, _)| offset).collect(), next)
}

#[test]
fn nothing_is_read_of_nothing() {
    assert_eq!(offsets(&[], 7, &[]), (vec![], 7));
}

#[test]
fn reading_begins_where_it_was_asked_to_and_goes_on_after_all_batches() {
    let compacted = Batch::of(0, &[1, 3]).until(9);
    let producer_state = Batch::of(10, &[]).by(5, 0).until(12);
    let last = Batch::of(13, &[13, 14]);
    let all = [compacted, producer_state, last];
    let cases: [(&str, &[Batch], i64, &[i64], i64); 8] = [
        ("from the beginning", &all, 0, &[1, 3, 13, 14], 15),
        ("within a batch", &all, 2, &[3, 13, 14], 15),
        ("in the gap at a batch's end", &all, 4, &[13, 14], 15),
        ("within the last batch", &all, 14, &[14], 15),
        ("after all records", &all, 15, &[], 15),
        ("a batch that lost its last records", &all[..1], 0, &[1, 3], 10),
        ("a batch that lost all that was asked for", &all[..1], 5, &[], 10),
        ("a batch without records", &all[1..2], 10, &[], 13),
    ];
    for (name, batches, from, expected, next) in cases {
        assert_eq!(offsets(batches, from, &[]), (expected.to_vec(), next), "{name}");
    }
}

#[test]
fn remaining_counts_records_and_not_offsets() {
    let bytes = answer(&[Batch::of(0, &[1, 3]).until(9), Batch::marker(10, 1, 1), Batch::of(11, &[12])]);
    assert_eq!(fetch(&bytes, 0, &[]).map(|fetched| fetched.remaining()), Ok(3));
    assert_eq!(fetch(&bytes, 2, &[]).map(|fetched| fetched.remaining()), Ok(2));
}

#[test]
fn offsets_never_go_back() {
    assert_eq!(offsets(&[Batch::of(0, &[0, 2, 1, 3])], 0, &[]), (vec![0, 2, 3], 4));
    assert_eq!(offsets(&[Batch::of(4, &[4, 5]), Batch::of(3, &[3, 5, 6])], 0, &[]), (vec![4, 5, 6], 7));
    assert_eq!(offsets(&[Batch::of(4, &[4, 5]), Batch::of(2, &[2])], 0, &[]), (vec![4, 5], 6));
}

#[test]
fn only_committed_records_are_read_when_the_aborted_are_told() {
    let by = |producer: i64, offsets: &[i64]| Batch::of(offsets[0], offsets).by(producer, TRANSACTIONAL);
    let one = || by(1, &[0, 1]);
    let all = [
        one(),
        by(2, &[2]),
        Batch::of(3, &[3]).by(1, 0),
        Batch::marker(4, 1, 0),
        by(1, &[5]),
        Batch::marker(6, 2, 1),
        Batch::marker(7, 1, 0),
        Batch::of(8, &[8]),
    ];
    let leader_change = Batch::marker(2, 1, 2);
    let removed_marker = Batch::of(2, &[]).by(1, TRANSACTIONAL | CONTROL);
    let cases: [(&str, &[Batch], i64, &[(i64, i64)], &[i64], i64); 11] = [
        ("uncommitted are read", &all, 0, &[], &[0, 1, 2, 3, 5, 8], 9),
        ("the first is aborted, what its producer did apart is not", &all, 0, &[(1, 0)], &[2, 3, 5, 8], 9),
        ("both of a producer", &all, 0, &[(1, 0), (1, 5)], &[2, 3, 8], 9),
        ("in any order", &all, 0, &[(1, 5), (1, 0)], &[2, 3, 8], 9),
        ("the second alone", &all, 0, &[(1, 5)], &[0, 1, 2, 3, 8], 9),
        ("it began before what was asked for", &all[4..], 5, &[(1, 0)], &[8], 9),
        ("its first record is within a batch", &all, 0, &[(1, 1)], &[2, 3, 5, 8], 9),
        ("of producers that are not here", &all, 0, &[(9, 0)], &[0, 1, 2, 3, 5, 8], 9),
        ("nothing but aborted and markers", &[one(), Batch::marker(2, 1, 0)], 0, &[(1, 0)], &[], 3),
        ("other markers end nothing", &[one(), leader_change, by(1, &[3])], 0, &[(1, 0)], &[], 4),
        ("nor does one that compaction emptied", &[one(), removed_marker, by(1, &[3])], 0, &[(1, 0)], &[], 4),
    ];
    for (name, batches, from, aborted, expected, next) in cases {
        assert_eq!(offsets(batches, from, aborted), (expected.to_vec(), next), "{name}");
    }
}

#[test]
fn timestamps_are_those_of_the_producer_or_of_the_broker() {
    let timestamps = |attributes: i16, deltas: &[i64]| {
        let mut batch = Batch::of(0, &[]).until(9).by(-1, attributes);
        for (offset, delta) in deltas.iter().enumerate() {
            batch.push(&record(offset as i64, *delta, None, None, &[]));
        }
        let (records, ..) = read(fetch(&batch.bytes(), 0, &[]).expect("well formed"));
        records.into_iter().map(|(_, timestamp)| timestamp).collect::<Vec<_>>()
    };
    assert_eq!(timestamps(0, &[0, 5, -100, -101]), [100, 105, 0, -1]);
    assert_eq!(timestamps(LOG_APPEND_TIME, &[0, 5, -100]), [500; 3]);
    // The base is then when the batch's tombstones may go; the deltas were made anew with it.
    assert_eq!(timestamps(DELETE_HORIZON, &[-30, 5]), [70, 105]);
}

#[test]
fn what_is_cut_short_at_the_end_is_asked_for_again() {
    let first = Batch::of(0, &[0, 1]).bytes();
    let second = Batch::of(2, &[2]).bytes();
    for cut in 0..second.len() {
        let bytes = [&first[..], &second[..cut]].concat();
        let (records, next, error) = read(fetch(&bytes, 0, &[]).expect("well formed"));
        assert_eq!((records.len(), next, error), (2, 2, None), "{cut}");
        // It comes whole when it is the first; else asking again would bring the same for ever.
        assert_eq!(fetch(&second[..cut], 2, &[]).is_err(), cut > 0, "{cut}");
    }
}

#[test]
fn damage_ends_what_is_read_and_is_told_when_it_comes_first() {
    let first = Batch::of(0, &[0, 1]).bytes();
    let mut damaged = Batch::of(2, &[2, 3]).bytes();
    *damaged.last_mut().expect("a byte") ^= 1;
    let bytes = [&first[..], &damaged, &first].concat();
    let (records, next, error) = read(fetch(&bytes, 0, &[]).expect("the first is well formed"));
    assert_eq!((records.len(), next, error), (2, 2, None));
    let error = fetch(&damaged, 2, &[]).expect_err("damaged").to_string();
    assert!(error.contains("t-0") && error.contains("offset 2: its checksum does not hold"), "{error}");
    let unchecked = Fetched::new(TopicPartition::new("t", 0), Bytes::from(bytes), Offset::new(0), Vec::new(), false);
    assert!(read(unchecked.expect("not checked")).2.is_some_and(|error| error.contains("length is negative")));
}

#[test]
fn a_malformed_header_is_told() {
    let good = Batch::of(5, &[5, 6]);
    let cases: [(&str, Batch); 9] = [
        ("message format before 2", Batch { magic: 1, ..good.clone() }),
        ("last offset is before its first", Batch { last_delta: -1, ..good.clone() }),
        ("number of records is negative", Batch { count: -1, ..good.clone() }),
        ("offsets are out of range", Batch { base_offset: -1, ..good.clone() }),
        ("offsets are out of range", Batch { base_offset: i64::MAX - 1, ..good.clone() }),
        ("compressed in a way that is not known", Batch { attributes: 5, ..good.clone() }),
        ("middle of a record", good.clone().compressed(Compression::None, vec![])),
        ("gzip bytes are damaged", good.clone().compressed(Compression::Gzip, vec![1, 2, 3])),
        ("more records than it says", Batch { count: 1, ..good.clone() }),
    ];
    for (reason, batch) in cases {
        let error = fetch(&batch.bytes(), 0, &[]).expect_err(reason).to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
    let mut bytes = good.bytes();
    bytes[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
    assert!(fetch(&bytes, 0, &[]).expect_err("a length").to_string().contains("length is negative"));
    bytes[8..12].copy_from_slice(&(BYTES as i32 - 13).to_be_bytes());
    assert!(fetch(&bytes, 0, &[]).expect_err("a length").to_string().contains("shorter than its header"));
}

#[test]
fn a_malformed_record_ends_the_batch_at_its_offset() {
    let long = [0x80; 11];
    let cases: [(&str, Vec<u8>); 12] = [
        ("middle of a record", vec![]),
        ("middle of a record", vec![200, 1, 0, 0, 4]),
        ("middle of a record", framed(&[0])),
        ("another length", framed(&[0, 0, 4, 1, 1, 0, 0])),
        ("another length", vec![8, 0, 0, 4, 1, 1, 0]),
        ("length is negative", vec![1]),
        ("length is negative", framed(&[0, 0, 4, 3, 1, 0])),
        ("length is negative", framed(&[0, 0, 4, 1, 1, 1])),
        ("more than ten bytes", framed(&[&[0][..], &long].concat())),
        ("header has no name", record(2, 0, None, None, &[(None, None)])),
        ("offset outside of its batch", record(5, 0, None, None, &[])),
        ("offset outside of its batch", record(-1, 0, None, None, &[])),
    ];
    for (reason, bytes) in cases {
        let mut batch = Batch::of(10, &[10, 11]).until(14);
        batch.push(&bytes);
        batch.count += 5;
        let later = Batch::of(15, &[15]);
        let (records, next, error) = read(fetch(&answer(&[batch, later]), 0, &[]).expect("it begins well"));
        assert_eq!((records.len(), next), (2, 12), "{reason}");
        assert!(error.as_ref().is_some_and(|error| error.contains(reason)), "{reason}: {error:?}");
        assert!(error.is_some_and(|error| error.contains("offset 12")), "{reason}");
    }
}

#[test]
fn a_malformed_record_at_the_beginning_of_a_batch_ends_before_it() {
    let mut malformed = Batch::of(20, &[]).until(29);
    malformed.push(&[1]);
    // Not at 2, though that is what follows the record before: the batch in between has nothing for readers.
    let before = [Batch::of(0, &[0, 1]), Batch::marker(2, 1, 1), malformed.clone()];
    let (records, next, error) = read(fetch(&answer(&before), 0, &[]).expect("it begins well"));
    assert_eq!((records.len(), next), (2, 20));
    assert!(error.is_some_and(|error| error.contains("offset 20: a length is negative")));
    let error = fetch(&malformed.bytes(), 25, &[]).expect_err("malformed").to_string();
    assert!(error.contains("offset 25: a length is negative"), "{error}");
}

#[test]
fn names_of_headers_that_are_no_utf8_are_read_as_java_reads_them() {
    let mut batch = Batch::of(0, &[]);
    batch.push(&record(
        0,
        0,
        None,
        None,
        &[(Some(b"a\xffb"), Some(b"1")), (Some(b""), None), (Some("ü".as_bytes()), None)],
    ));
    let fetched = fetch(&batch.bytes(), 0, &[]).expect("well formed");
    let record = fetched.head().expect("a record").to_owned();
    let names: Vec<&str> = record.headers.iter().map(|header| &*header.name).collect();
    assert_eq!(names, ["a\u{fffd}b", "", "ü"]);
    assert_eq!(record.headers[0].value.as_deref(), Some(&b"1"[..]));
}

#[test]
fn what_is_held_is_the_answer_and_the_batch_that_is_decompressed() {
    let batch = Batch::of(0, &[0, 1]);
    let plain = batch.bytes();
    assert_eq!(fetch(&plain, 0, &[]).map(|fetched| fetched.held_bytes()), Ok(plain.len()));
    let packed = snap::raw::Encoder::new().compress_vec(&batch.records).expect("compressed");
    let records = batch.records.len();
    let bytes = batch.compressed(Compression::Snappy, packed).bytes();
    assert_eq!(fetch(&bytes, 0, &[]).map(|fetched| fetched.held_bytes()), Ok(bytes.len() + records));
}
