//! The bytes that Kafka's releases wrote, as its own tests keep them, and what is restored from them.

use headwater_record::{Header, Headers, Offset, RawHeaders, RawRecord, Timestamp};

use super::{BufferedBytes, BufferedChange, SuppressBytes};
use crate::{RecordContext, StateStore, StoreError};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Applies records, each a key and perhaps a value in hexadecimal.
fn apply(store: &mut SuppressBytes, version: Option<u8>, records: &[(&str, Option<&str>)]) -> Result<(), StoreError> {
    let header = |version: u8| Header { name: "v".into(), value: Some(vec![version].into()) };
    let headers: Vec<Header> = version.map(header).into_iter().collect();
    let records: Vec<(&str, Option<Vec<u8>>)> = records.iter().map(|(key, hex)| (*key, hex.map(bytes))).collect();
    let mut views = records.iter().zip(0..).map(|((key, value), index)| RawRecord {
        offset: Offset::new(index),
        timestamp: Timestamp::from_millis(100 + index),
        key: Some(key.as_bytes()),
        value: value.as_deref(),
        headers: RawHeaders::of(&headers),
    });
    store.restore(&mut views)
}

/// What is buffered, in the order of keys.
fn shown(store: &mut SuppressBytes) -> Vec<String> {
    let text = |part: &Option<Box<[u8]>>| {
        part.as_ref().map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let show = |key: &[u8], entry: &BufferedBytes| {
        let BufferedBytes { time, context, prior, old, new, .. } = entry;
        let topic = context.topic.as_ref().map_or("-", |topic| topic.as_str());
        let (key, at) = (String::from_utf8_lossy(key), (context.timestamp, context.offset, context.partition));
        format!("{key}@{time} {}/{}/{} {topic} {}.{}.{}", text(prior), text(old), text(new), at.0, at.1, at.2)
    };
    let entries = store.take();
    let mut shown: Vec<String> = entries.iter().map(|(key, entry)| show(key, entry)).collect();
    shown.sort();
    shown
}

fn restored(version: Option<u8>, doomed: &str, asdf: &str, first: &str, second: &str) -> Vec<String> {
    let mut store = SuppressBytes::new("s");
    let records = [("doomed", doomed), ("asdf", asdf), ("zxcv", first), ("zxcv", second)];
    let records = records.map(|(key, value)| (key, Some(value)));
    apply(&mut store, version, &records).unwrap();
    assert_eq!(store.len(), 3);
    apply(&mut store, version, &[("doomed", None), ("never there", None)]).unwrap();
    shown(&mut store)
}

#[test]
fn changelogs_of_kafka_2_1_have_their_context_from_the_record() {
    let restored = restored(
        None,
        "0000000000000000FFFFFFFF00000006646F6F6D6564",
        "0000000000000002FFFFFFFF0000000471776572",
        "00000000000000010000000870726576696F757300000005656F34696D",
        "000000000000000100000005656F34696D000000046E657874",
    );
    assert_eq!(restored, ["asdf@2 -/-/qwer - 101.1.-1", "zxcv@1 previous/eo4im/next - 103.3.-1"]);
}

#[test]
fn changelogs_of_kafka_2_2_are_read() {
    let restored = restored(
        Some(1),
        "00000000000000000000000000000000000000000000000000000005746F70696300000000FFFFFFFF0000000EFFFFFFFF00000006646F6F6D6564",
        "00000000000000020000000000000001000000000000000000000005746F70696300000000FFFFFFFF0000000CFFFFFFFF0000000471776572",
        "00000000000000010000000000000002000000000000000000000005746F70696300000000FFFFFFFF000000150000000870726576696F757300000005336F34696D",
        "00000000000000010000000000000003000000000000000000000005746F70696300000000FFFFFFFF0000001100000005336F34696D000000046E657874",
    );
    assert_eq!(restored, ["asdf@2 -/-/qwer topic 1.0.0", "zxcv@1 previous/3o4im/next topic 3.0.0"]);
}

#[test]
fn changelogs_of_kafka_2_3_are_read() {
    let restored = restored(
        Some(2),
        "0000000000000000000000000000000000000005746F70696300000000FFFFFFFF0000000EFFFFFFFF00000006646F6F6D6564FFFFFFFF0000000000000000",
        "0000000000000001000000000000000000000005746F70696300000000FFFFFFFF0000000CFFFFFFFF0000000471776572FFFFFFFF0000000000000002",
        "0000000000000002000000000000000000000005746F70696300000000FFFFFFFF000000140000000749474E4F52454400000005336F34696D0000000870726576696F75730000000000000001",
        "0000000000000003000000000000000000000005746F70696300000000FFFFFFFF0000001100000005336F34696D000000046E6578740000000870726576696F75730000000000000001",
    );
    assert_eq!(restored, ["asdf@2 -/-/qwer topic 1.0.0", "zxcv@1 previous/3o4im/next topic 3.0.0"]);
}

/// Three releases wrote a new format under the number of the old one (KAFKA-10173).
#[test]
fn changelogs_since_kafka_2_4_are_read_under_either_number() {
    for version in [2, 3] {
        let restored = restored(
            Some(version),
            "0000000000000000000000000000000000000005746F70696300000000FFFFFFFFFFFFFFFFFFFFFFFF00000006646F6F6D65640000000000000000",
            "0000000000000001000000000000000000000005746F70696300000000FFFFFFFFFFFFFFFFFFFFFFFF00000004717765720000000000000002",
            "0000000000000002000000000000000000000005746F70696300000000FFFFFFFF0000000870726576696F75730000000749474E4F52454400000005336F34696D0000000000000001",
            "0000000000000003000000000000000000000005746F70696300000000FFFFFFFF0000000870726576696F757300000005336F34696D000000046E6578740000000000000001",
        );
        assert_eq!(restored, ["asdf@2 -/-/qwer topic 1.0.0", "zxcv@1 previous/3o4im/next topic 3.0.0"]);
    }
}

#[test]
fn a_change_is_written_as_java_writes_it_and_read_again() {
    let headers = Headers::new();
    headers.add("h", Some(b"2"));
    headers.add("n", None);
    let context = RecordContext {
        timestamp: Timestamp::from_millis(15),
        offset: Offset::new(1),
        partition: 0,
        topic: Some("in".into()),
        headers,
    };
    let mut store = SuppressBytes::new("s");
    for (prior, old, hex, shown_as) in [
        (None, Some("o"), "FFFFFFFF000000016F", "k@20 -/o/v in 15.1.0"),
        (Some("o"), Some("o"), "000000016FFFFFFFFE", "k@20 o/o/v in 15.1.0"),
        (Some("o"), None, "000000016FFFFFFFFF", "k@20 o/-/v in 15.1.0"),
        (None, None, "FFFFFFFFFFFFFFFF", "k@20 -/-/v in 15.1.0"),
    ] {
        let time = Timestamp::from_millis(20);
        let (prior, old, new) = (prior.map(str::as_bytes), old.map(str::as_bytes), Some(&b"v"[..]));
        let mut written = Vec::new();
        BufferedChange { time, context: &context, prior, old, new }.encode(&mut written);
        let head = "000000000000000F000000000000000100000002696E0000000000000002000000016800000001320000\
                    00016EFFFFFFFF";
        let expected = format!("{head}{hex}00000001760000000000000014");
        assert_eq!(written, bytes(&expected));
        apply(&mut store, Some(3), &[("k", Some(&expected))]).unwrap();
        assert_eq!(shown(&mut store), [shown_as]);
    }
}

#[test]
fn the_stamps_of_a_change_are_read_from_its_headers() {
    let value = bytes(
        "0000000000000001000000000000000000000005746F70696300000000FFFFFFFF000000016FFFFFFFFE00000001760000000000000014",
    );
    let read = |headers: &[(&str, Option<&[u8]>)]| {
        let named = |(name, value): &(&str, Option<&[u8]>)| Header {
            name: (*name).into(),
            value: value.map(|value| value.to_vec().into()),
        };
        let headers: Vec<Header> = [("v", Some(&[3][..]))].iter().chain(headers).map(named).collect();
        let record = RawRecord {
            offset: Offset::ZERO,
            timestamp: Timestamp::from_millis(1),
            key: Some(b"k"),
            value: Some(&value),
            headers: RawHeaders::of(&headers),
        };
        let mut store = SuppressBytes::new("s");
        store.restore(&mut [record].into_iter())?;
        Ok(store.take().into_values().next().map(|entry| (entry.prior_stamp, entry.old_stamp)).unwrap())
    };
    let (unknown, known): (&[u8], &[u8]) = (&bytes("00ffffffffffffffff"), &bytes("0a0202680231000000000000000a"));
    assert_eq!(read(&[]), Ok((None, None)));
    assert_eq!(read(&[("vh.old", Some(known))]), Ok((None, Some(known.into()))));
    let both = [("vh.prior", Some(unknown)), ("vh.old", Some(known))];
    assert_eq!(read(&both), Ok((Some(unknown.into()), Some(known.into()))));
    for stamp in [None, Some(&[][..]), Some(&known[..9]), Some(b"\0ffffffffvalue")] {
        assert!(matches!(read(&[("vh.old", stamp)]), Err(StoreError::Corrupt { .. })), "{stamp:?}");
    }
}

#[test]
fn what_is_no_buffered_change_is_refused() {
    let whole = "0000000000000001000000000000000000000005746F70696300000000FFFFFFFFFFFFFFFFFFFFFFFF0000000471776572";
    for (version, value) in [
        (Some(9), whole),
        (Some(3), whole),
        (Some(2), &whole[..40]),
        (Some(1), ""),
        (None, "0000000000000002FFFFFFFF00000005717765"),
        (Some(3), "00000000000000010000000000000000FFFFFFFF00000000FFFFFFFF"),
        (Some(3), "000000000000000100000000000000000000000000000000FFFFFFFE"),
        (Some(3), "0000000000000001000000000000000000000000000000007FFFFFFF"),
    ] {
        let mut store = SuppressBytes::new("s");
        let refused = apply(&mut store, version, &[("k", Some(value))]);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{version:?} {value}");
    }
}

#[test]
fn a_buffer_that_was_taken_contains_nothing_of_its_changelog() {
    let mut store = SuppressBytes::new("s");
    apply(&mut store, None, &[("k", Some("0000000000000002FFFFFFFF0000000471776572"))]).unwrap();
    store.commit(Some(Offset::new(4))).unwrap();
    assert_eq!(store.committed_offset(), Ok(Some(Offset::new(4))));
    assert_eq!(store.take().len(), 1);
    store.commit(Some(Offset::new(6))).unwrap();
    assert_eq!((store.committed_offset(), store.len()), (Ok(None), 0));
    apply(&mut store, None, &[("k", Some("0000000000000002FFFFFFFF0000000471776572"))]).unwrap();
    store.commit(Some(Offset::new(7))).unwrap();
    assert_eq!(store.committed_offset(), Ok(Some(Offset::new(7))));
}
