//! Our bytes against those that Java's own encoders (kafka-streams and kafka-clients 4.4.0) gave for the same values.

use super::*;

const SUBSCRIPTION: &str = concat!(
    "0000000b0000000b340322cacc3940a28ae7b43307f1ac070000000e6c6f63616c686f73743a37303730000000020000000100000000",
    "fffffffffffffffeffff000000010000000200000000000004d2ffff030000000000000001000000047a6f6e650000000161",
);
const ASSIGNMENT: &str = concat!(
    "0000000b0000000b00000002000000000000000000000000000000010000000200000000000000010000000100000001000000000000",
    "000100016200000001000000000000000000000000000000007fffffffffffffff",
);
const ASSIGNMENT_WITH_HOSTS: &str = concat!(
    "0000000b0000000b00000001000000000000000000000000000000000000000200000000000161000000010001620000000100096c6f",
    "63616c686f737400001b9e0000000100000000000000000000000100096c6f63616c686f737400001b9f000000010000000100000001",
    "000000000000000000000000",
);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn subscription() -> SubscriptionInfo {
    SubscriptionInfo {
        end_point: "localhost:7070".to_owned(),
        offset_sums: [(id("1_0"), LATEST_OFFSET), (id("1_2"), 1234)].into(),
        unique: 3,
        client_tags: vec![("zone".to_owned(), "a".to_owned())],
        ..SubscriptionInfo::new("340322ca-cc39-40a2-8ae7-b43307f1ac07".parse().unwrap())
    }
}

fn with_hosts() -> AssignmentInfo {
    AssignmentInfo {
        active: vec![id("0_0")],
        partitions_by_host: [(HostPort::new("localhost", 7070), [tp("a-0")].into())].into(),
        standby_partitions_by_host: [(HostPort::new("localhost", 7071), [tp("b-1")].into())].into(),
        next_rebalance_ms: REBALANCE_AT_ONCE,
        ..AssignmentInfo::default()
    }
}

#[test]
fn a_subscription_has_javas_bytes() {
    assert_eq!(hex(&subscription().encode()), SUBSCRIPTION);
    assert_eq!(SubscriptionInfo::decode(&unhex(SUBSCRIPTION)).unwrap(), subscription());
}

#[test]
fn an_assignment_has_javas_bytes() {
    let info = AssignmentInfo {
        active: vec![id("0_0"), id("1_2")],
        standby: [(id("1_1"), [tp("b-1")].into())].into(),
        ..AssignmentInfo::default()
    };
    assert_eq!(hex(&info.encode()), ASSIGNMENT);
    assert_eq!(AssignmentInfo::decode(&unhex(ASSIGNMENT)).unwrap(), info);
}

#[test]
fn an_assignment_with_hosts_has_javas_bytes() {
    assert_eq!(hex(&with_hosts().encode()), ASSIGNMENT_WITH_HOSTS);
    assert_eq!(AssignmentInfo::decode(&unhex(ASSIGNMENT_WITH_HOSTS)).unwrap(), with_hosts());
}

#[test]
fn whatever_is_cut_short_is_an_error() {
    for (bytes, what) in [(unhex(ASSIGNMENT_WITH_HOSTS), "assignment"), (unhex(SUBSCRIPTION), "subscription")] {
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            let error = match what {
                "assignment" => AssignmentInfo::decode(cut).unwrap_err(),
                _ => SubscriptionInfo::decode(cut).unwrap_err(),
            };
            assert!(matches!(error, CodecError::Truncated { .. }), "{what} of {length} bytes: {error}");
        }
    }
}

#[test]
fn whatever_is_too_long_is_an_error() {
    let long = [unhex(SUBSCRIPTION), vec![0]].concat();
    assert!(matches!(SubscriptionInfo::decode(&long), Err(CodecError::Trailing { count: 1, .. })));
    let long = [unhex(ASSIGNMENT), vec![0, 0]].concat();
    assert!(matches!(AssignmentInfo::decode(&long), Err(CodecError::Trailing { count: 2, .. })));
}

#[test]
fn a_length_that_is_only_claimed_allocates_nothing() {
    let claims_much = [&11i32.to_be_bytes()[..], &11i32.to_be_bytes(), &i32::MAX.to_be_bytes()].concat();
    assert!(matches!(AssignmentInfo::decode(&claims_much), Err(CodecError::Truncated { .. })));
    let claims_less_than_nothing = [&11i32.to_be_bytes()[..], &11i32.to_be_bytes(), &(-2i32).to_be_bytes()].concat();
    assert!(matches!(AssignmentInfo::decode(&claims_less_than_nothing), Err(CodecError::Invalid { .. })));
}

#[test]
fn older_subscriptions_keep_what_their_version_has() {
    for version in 1..=10 {
        let sent = SubscriptionInfo { version, ..subscription() };
        let read = SubscriptionInfo::decode(&sent.encode()).unwrap();
        let mut expected = SubscriptionInfo { client_tags: Vec::new(), ..sent };
        if version < 8 {
            expected.unique = 0;
        }
        if version < 7 {
            expected.offset_sums.insert(id("1_2"), UNKNOWN_OFFSET);
        }
        if version < 3 {
            expected.latest_version = version;
        }
        if version < 2 {
            expected.end_point = String::new();
        }
        assert_eq!(read, expected, "version {version}");
    }
}

#[test]
fn older_assignments_keep_what_their_version_has() {
    for version in 1..=10 {
        let sent = AssignmentInfo { version, error_code: 1, ..with_hosts() };
        let read = AssignmentInfo::decode(&sent.encode()).unwrap();
        let mut expected = sent;
        if version < 7 {
            expected.next_rebalance_ms = NO_REBALANCE;
        }
        if version < 6 {
            expected.standby_partitions_by_host.clear();
        }
        if version < 4 {
            expected.error_code = 0;
        }
        if version < 3 {
            expected.common_version = version;
        }
        if version < 2 {
            expected.partitions_by_host.clear();
        }
        assert_eq!(read, expected, "version {version}");
    }
}

#[test]
fn of_a_newer_subscription_the_versions_are_read() {
    let bytes = [&12i32.to_be_bytes()[..], &13i32.to_be_bytes(), b"whatever comes"].concat();
    let info = SubscriptionInfo::decode(&bytes).unwrap();
    assert_eq!((info.version, info.latest_version), (12, 13));
    let error = AssignmentInfo::decode(&bytes).unwrap_err();
    assert_eq!(error, CodecError::Version { what: "AssignmentInfo", version: 12, newest: 11 });
}

#[test]
fn the_consumers_framing_goes_there_and_back() {
    let subscription = ConsumerSubscription {
        topics: vec![Topic::from("a"), Topic::from("b")],
        user_data: Some(vec![1, 2]),
        owned: vec![tp("a-0"), tp("a-2"), tp("b-1")],
        generation: 7,
        rack: Some("r".to_owned()),
    };
    let bytes = subscription.encode();
    let expected = concat!(
        "0003",
        "00000002000161000162",
        "000000020102",
        "00000002000161000000020000000000000002000162000000010000000100000007",
        "000172",
    );
    assert_eq!(hex(&bytes), expected);
    assert_eq!(ConsumerSubscription::decode(&bytes).unwrap(), subscription);
    let assignment = ConsumerAssignment { partitions: subscription.owned, user_data: None };
    assert_eq!(ConsumerAssignment::decode(&assignment.encode()).unwrap(), assignment);
}

#[test]
fn older_and_newer_framings_are_read() {
    let version_0 = [&0i16.to_be_bytes()[..], &0i32.to_be_bytes(), &(-1i32).to_be_bytes()].concat();
    let read = ConsumerSubscription::decode(&version_0).unwrap();
    assert_eq!((read.owned.len(), read.generation, read.rack, read.user_data), (0, -1, None, None));
    let mut newer = ConsumerAssignment { partitions: vec![tp("a-1")], user_data: None }.encode();
    newer[1] = 9;
    newer.extend_from_slice(b"fields to come");
    assert_eq!(ConsumerAssignment::decode(&newer).unwrap().partitions, [tp("a-1")]);
}

#[test]
fn an_end_point_is_read_as_kafka_reads_one() {
    let read = |text: &str| text.parse::<HostPort>();
    assert_eq!(read("localhost:7070"), Ok(HostPort::new("localhost", 7070)));
    assert_eq!(read("http://h.example:80"), Ok(HostPort::new("h.example", 80)));
    assert_eq!(read("[::1]:9092").unwrap().to_string(), "[::1]:9092");
    for wrong in ["", "localhost", ":1", "h:-1", "h:99999"] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}
