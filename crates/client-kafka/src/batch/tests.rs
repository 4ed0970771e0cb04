//! What is built is read back, by this crate and by another; damage ends in errors.

use std::io::{Read as _, Write as _};

use bytes::{BufMut as _, Bytes, BytesMut};
use headwater_client::RecordBatch as _;
use headwater_record::{Header, Offset, OwnedRecord, Timestamp, TopicPartition};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records;
use kafka_protocol::records::{RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::by_hand::{self, Batch};
use super::{Builder, Codec, Compression, Fetched, Producing};

const BY: Producing = Producing { transactional: false, producer_id: 7, epoch: 1, sequence: 9 };
const ALL: [(Compression, records::Compression); 5] = [
    (Compression::None, records::Compression::None),
    (Compression::Gzip, records::Compression::Gzip),
    (Compression::Snappy, records::Compression::Snappy),
    (Compression::Lz4, records::Compression::Lz4),
    (Compression::Zstd, records::Compression::Zstd),
];

fn compression() -> impl Strategy<Value = (Compression, records::Compression)> {
    prop::sample::select(&ALL[..])
}

fn field() -> impl Strategy<Value = Option<Bytes>> {
    option::of(vec(any::<u8>(), 0..70).prop_map(Bytes::from))
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    let header = ("[a-cü]{0,3}", field()).prop_map(|(name, value)| Header { name: name.into(), value });
    prop_oneof![Just(Vec::new()), vec(header, 0..4)]
}

fn timestamp() -> BoxedStrategy<i64> {
    prop_oneof![Just(0), -1_i64..2_000, 1_700_000_000_000_i64..1_700_000_100_000].boxed()
}

fn any_timestamp() -> BoxedStrategy<i64> {
    prop_oneof![timestamp(), any::<i64>()].boxed()
}

/// Zstandard by another hand, which does not share the library in C with the code under test.
fn unzstd(packed: &mut Bytes, _: records::Compression) -> anyhow::Result<Bytes> {
    let mut plain = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(&packed[..])?.read_to_end(&mut plain)?;
    Ok(plain.into())
}

fn zstd(plain: &mut BytesMut, packed: &mut BytesMut, _: records::Compression) -> anyhow::Result<()> {
    let bytes = ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest);
    packed.writer().write_all(&bytes)?;
    Ok(())
}

/// Records as a producer gives them; offsets count from zero.
fn produced(timestamp: BoxedStrategy<i64>) -> impl Strategy<Value = Vec<OwnedRecord>> {
    vec((timestamp, field(), field(), headers()), 1..40).prop_map(|records| {
        let record = |(offset, (timestamp, key, value, headers))| OwnedRecord {
            offset: Offset::new(offset),
            timestamp: Timestamp::from_millis(timestamp),
            key,
            value,
            headers,
        };
        (0..).zip(records).map(record).collect()
    })
}

fn built(records: &[OwnedRecord], compression: Compression) -> Vec<u8> {
    let mut builder = Builder::new(vec![0xff; 100], 1 << 20);
    for record in records {
        assert!(builder.append(&record.view(), record.timestamp.millis()));
    }
    assert_eq!(builder.count() as usize, records.len());
    let mut built = builder.close();
    let plain = built.stamped(BY).len();
    built.compress(Codec::new(compression, None).expect("the default"));
    // Once is enough.
    built.compress(Codec::new(compression, None).expect("the default"));
    assert!(built.stamped(BY).len() <= plain);
    built.into_bytes()
}

fn fetched(bytes: Vec<u8>, from: i64, check_crcs: bool) -> Result<Fetched, headwater_client::ClientError> {
    Fetched::new(TopicPartition::new("t", 0), Bytes::from(bytes), Offset::new(from), Vec::new(), check_crcs)
}

fn all(mut fetched: Fetched) -> Vec<OwnedRecord> {
    let mut records = Vec::new();
    while let Some(record) = fetched.head() {
        records.push(record.to_owned());
        fetched.advance().expect("well formed");
    }
    assert_eq!(fetched.remaining(), 0);
    records
}

#[test]
fn a_full_batch_takes_no_more_but_an_empty_one_takes_any_record() {
    let record = OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::ZERO,
        key: None,
        value: Some(vec![7; 500].into()),
        headers: vec![],
    };
    let mut builder = Builder::new(Vec::new(), 100);
    assert!(builder.append(&record.view(), 0));
    let length = builder.len();
    assert!(!builder.append(&record.view(), 0));
    assert_eq!((builder.count(), builder.len()), (1, length));
    // To the last byte.
    let mut builder = Builder::new(Vec::new(), 2 * length - super::header::BYTES);
    assert!(builder.append(&record.view(), 0) && builder.append(&record.view(), 0));
    assert!(!builder.append(&record.view(), 0));
}

#[test]
fn what_compresses_is_sent_compressed() {
    let record = OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::ZERO,
        key: None,
        value: Some(vec![7; 500].into()),
        headers: vec![],
    };
    for (compression, _) in ALL {
        let bytes = built(&vec![record.clone(); 10], compression);
        assert_eq!(bytes[22], compression as u8);
        assert_eq!(bytes.len() < 1_000, compression != Compression::None, "{compression:?}: {}", bytes.len());
    }
}

#[test]
fn compressions_have_the_names_of_kafka() {
    let named = ["none", "gzip", "snappy", "lz4", "zstd"].map(Compression::named);
    assert_eq!(named, ALL.map(|(compression, _)| Some(compression)));
    assert_eq!(Compression::named("GZIP"), None);
}

proptest! {
    #[test]
    fn what_was_built_is_read_back_from_any_offset(
        records in produced(any_timestamp()),
        (compression, _) in compression(),
        from in any::<Index>(),
    ) {
        let from = from.index(records.len());
        let fetched = fetched(built(&records, compression), from as i64, true).expect("well formed");
        prop_assert_eq!(fetched.remaining(), records.len() - from);
        prop_assert_eq!(all(fetched), &records[from..]);
    }

    /// Batches after each other, of different codecs: the memory of one is used again for the next.
    #[test]
    fn batches_are_read_one_after_the_other(parts in vec((produced(any_timestamp()), compression()), 1..5)) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (mut records, (compression, _)) in parts {
            let base = expected.len() as i64;
            let mut batch = built(&records, compression);
            batch[..8].copy_from_slice(&base.to_be_bytes());
            bytes.extend(batch);
            for record in &mut records {
                record.offset = Offset::new(base + record.offset.value());
            }
            expected.extend(records);
        }
        prop_assert_eq!(all(fetched(bytes, 0, true).expect("well formed")), expected);
    }

    #[test]
    fn what_was_built_is_read_by_another(records in produced(timestamp()), (compression, theirs) in compression()) {
        let mut bytes = Bytes::from(built(&records, compression));
        let info = RecordBatchDecoder::decode_batch_info(&mut bytes.clone()).expect("well formed");
        prop_assert!(info.len() == 1);
        prop_assert_eq!((info[0].producer_id, info[0].producer_epoch, info[0].base_sequence), (7, 1, 9));
        prop_assert!([records::Compression::None, theirs].contains(&info[0].compression));
        let with = (info[0].compression == records::Compression::Zstd).then_some(unzstd);
        let set = RecordBatchDecoder::decode_with_custom_compression(&mut bytes, with).expect("well formed");
        prop_assert_eq!(set.records.len(), records.len());
        for (theirs, ours) in set.records.iter().zip(&records) {
            prop_assert_eq!((theirs.offset, theirs.timestamp), (ours.offset.value(), ours.timestamp.millis()));
            prop_assert_eq!((&theirs.key, &theirs.value), (&ours.key, &ours.value));
            // It keeps one header of each name, the last.
            let headers: IndexMap<_, _> =
                ours.headers.iter().map(|header| (StrBytes::from_string(header.name.to_string()), header.value.clone())).collect();
            prop_assert_eq!(&theirs.headers, &headers);
        }
    }

    #[test]
    fn what_another_wrote_is_read(records in produced(timestamp()), (_, compression) in compression()) {
        let theirs: Vec<records::Record> = records
            .iter()
            .map(|record| records::Record {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: 3,
                producer_id: 5,
                producer_epoch: 1,
                timestamp_type: records::TimestampType::Creation,
                offset: record.offset.value(),
                sequence: record.offset.value() as i32,
                timestamp: record.timestamp.millis(),
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record
                    .headers
                    .iter()
                    .map(|header| (StrBytes::from_string(header.name.to_string()), header.value.clone()))
                    .collect(),
            })
            .collect();
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression };
        let with = (compression == records::Compression::Zstd).then_some(zstd);
        RecordBatchEncoder::encode_with_custom_compression(&mut bytes, &theirs, &options, with).expect("encoded");
        let ours = all(fetched(bytes.to_vec(), 0, true).expect("well formed"));
        prop_assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            prop_assert_eq!((ours.offset.value(), ours.timestamp.millis()), (theirs.offset, theirs.timestamp));
            prop_assert_eq!((ours.key, ours.value), (theirs.key, theirs.value));
            let headers: Vec<(String, Option<Bytes>)> =
                ours.headers.into_iter().map(|header| (header.name.to_string(), header.value)).collect();
            let theirs: Vec<_> = theirs.headers.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
            prop_assert_eq!(headers, theirs);
        }
    }

    /// Any names and gaps, as brokers keep what others wrote and compact it.
    #[test]
    fn any_records_are_read(
        base in 0..i64::MAX / 2,
        records in vec((1..100_i64, any::<i64>(), field(), field(), vec((vec(any::<u8>(), 0..5), field()), 0..3)), 1..20),
    ) {
        let mut batch = Batch::of(base, &[]);
        batch.base_timestamp = 1 << 40;
        let (mut delta, mut expected) = (-1, Vec::new());
        for (gap, timestamp, key, value, headers) in &records {
            delta += gap;
            let bytes: Vec<by_hand::Header<'_>> =
                headers.iter().map(|(name, value)| (Some(&name[..]), value.as_deref())).collect();
            batch.push(&by_hand::record(delta, *timestamp, key.as_deref(), value.as_deref(), &bytes));
            let header = |(name, value): &(Vec<u8>, Option<Bytes>)| Header {
                name: String::from_utf8_lossy(name).into(),
                value: value.clone(),
            };
            expected.push(OwnedRecord {
                offset: Offset::new(base + delta),
                timestamp: Timestamp::from_millis((1_i64 << 40).wrapping_add(*timestamp)),
                key: key.clone(),
                value: value.clone(),
                headers: headers.iter().map(header).collect(),
            });
        }
        let batch = batch.until(base + delta);
        prop_assert_eq!(all(fetched(batch.bytes(), base, true).expect("well formed")), expected);
    }

    #[test]
    fn any_damage_ends_in_an_error_or_in_records(
        records in produced(any_timestamp()),
        (compression, _) in compression(),
        damage in vec((any::<Index>(), any::<u8>()), 0..8),
        cut in option::of(any::<Index>()),
        from in 0..40_i64,
        check_crcs in any::<bool>(),
    ) {
        let good = built(&records, compression);
        let mut bytes = good.repeat(2);
        for (at, with) in damage {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        if let Ok(mut fetched) = fetched(bytes, from, check_crcs) {
            let mut least = from;
            let mut before = fetched.remaining();
            while let Some(record) = fetched.head() {
                prop_assert!(record.offset.value() >= least);
                least = record.offset.value() + 1;
                let _ = (record.to_owned(), fetched.advance());
                prop_assert!(fetched.remaining() < before);
                before = fetched.remaining();
            }
            prop_assert_eq!(before, 0);
            prop_assert!(fetched.next_offset().value() >= least);
        }
    }

    #[test]
    fn any_bytes_end_in_an_error_or_in_records(bytes in vec(any::<u8>(), 0..200), header in any::<bool>()) {
        // Half of them with a header that holds.
        let bytes = if header { Batch { records: bytes, count: 9, ..Batch::of(0, &[]).until(9) }.bytes() } else { bytes };
        if let Ok(mut fetched) = fetched(bytes, 0, true) {
            while fetched.head().is_some() {
                let _ = fetched.advance();
            }
        }
    }
}
