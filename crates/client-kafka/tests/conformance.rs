//! Real clients pass the suite of the client traits, where there is a broker to run it on.
//!
//! `HEADWATER_TEST_BOOTSTRAP` names it (`host:port`); `cargo xtask kafka up` starts one.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test of real clients on a real broker"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use headwater_client::conformance::{CASES, Suite, waiting_keeps_the_lease};
use headwater_client::{Appended, BatchAck, ClientConfig, ClientError, ClientSupplier, NewTopic, StartAt};
use headwater_client_kafka::KafkaClients;
use headwater_record::{
    Deadline, Header, Offset, OwnedRecord, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition,
};

/// Cases that are known not to hold.
const KNOWN_TO_DEVIATE: [&str; 0] = [];

/// The broker of this test run, if there is one, and a name that no other run uses.
fn broker(test: &str) -> Option<(ClientConfig, String)> {
    let Some(servers) = std::env::var("HEADWATER_TEST_BOOTSTRAP").ok().filter(|servers| !servers.is_empty()) else {
        // Not `println!`: of a test that passes, that is shown only when one asks for it.
        let _ = writeln!(
            std::io::stderr(),
            "{test}: SKIPPED, HEADWATER_TEST_BOOTSTRAP names no broker: run `cargo xtask test`, which starts one and runs \
             every test; or `cargo xtask kafka up`, which starts one and prints what to run then"
        );
        return None;
    };
    let name = format!("{test}-{}-{}", KafkaClients::new().clock().now(), std::process::id());
    Some((ClientConfig::new().with("bootstrap.servers", servers), name))
}

fn make_topic(config: &ClientConfig, name: &str, partitions: i32) {
    make_topic_with(config, name, partitions, ("retention.ms", "-1"));
}

fn make_topic_with(config: &ClientConfig, name: &str, partitions: i32, (setting, value): (&str, &str)) {
    let clients = KafkaClients::new();
    let topic = NewTopic {
        topic: Topic::from(name),
        partitions,
        replication_factor: 1,
        configs: BTreeMap::from([(setting.to_owned(), value.to_owned())]),
    };
    let until = Deadline::after(clients.clock().now(), Duration::from_secs(30));
    for made in clients.admin(config).unwrap().create_topics(&[topic], until).unwrap() {
        made.unwrap();
    }
}

#[test]
fn real_clients_pass_the_suite_but_for_the_known_deviations() {
    let Some((config, prefix)) = broker("conformance") else { return };
    let clients = KafkaClients::new();
    let started = clients.clock().now();
    let suite = Suite::new(&clients, &config, &prefix);
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let outcome = case(&suite);
        println!("{} ms: {name}: {outcome:?}", clients.clock().now().since(started).as_millis());
        if KNOWN_TO_DEVIATE.contains(name) {
            assert!(outcome.is_err(), "{name}: holds now; take it off the list of deviations");
        } else {
            failed.extend(outcome.err().map(|failure| (*name, failure)));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_member_that_waits_keeps_its_lease() {
    let Some((config, prefix)) = broker("leases") else { return };
    // The shortest that a broker takes.
    waiting_keeps_the_lease(&Suite::new(&KafkaClients::new(), &config, &prefix), Duration::from_secs(6)).unwrap();
}

#[test]
fn requests_to_nobody_end_by_their_deadline_and_name_the_setting() {
    let clients = KafkaClients::new();
    // Nothing listens on port 1.
    let config = ClientConfig::new().with("bootstrap.servers", "127.0.0.1:1");
    let until = || Deadline::after(clients.clock().now(), Duration::from_secs(3));
    let begin = clients.clock().now();
    let listed = clients.admin(&config).unwrap().list_topics(until());
    let counted = clients.producer(&config).unwrap().partition_count(&"t".into(), until());
    let fetched = clients.membership("g", &config).unwrap().committed_offsets("g", &[], false, until());
    let took = clients.clock().now().since(begin);
    assert!(took < Duration::from_mins(2), "three requests of at most 3 s took {took:?}");
    for error in [listed.unwrap_err(), counted.unwrap_err(), fetched.unwrap_err()] {
        match &error {
            ClientError::Unavailable { .. } => assert!(error.to_string().contains("bootstrap.servers"), "{error}"),
            ClientError::TimedOut { .. } => {}
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_poll_says_that_nobody_is_there() {
    let clients = KafkaClients::new();
    let config = ClientConfig::new().with("bootstrap.servers", "127.0.0.1:1");
    let mut consumer = clients.consumer(&config).unwrap();
    consumer.assign(&[(TopicPartition::new("t", 0), StartAt::Beginning)]).unwrap();
    let end = Deadline::after(clients.clock().now(), Duration::from_mins(1));
    let error = loop {
        assert!(!end.passed(clients.clock().now()), "no poll said it");
        let soon = Deadline::after(clients.clock().now(), Duration::from_millis(100));
        if let Err(error) = consumer.poll(soon, &mut Vec::new()) {
            break error;
        }
    };
    assert!(matches!(error, ClientError::Unavailable { .. }), "{error}");
    let text = error.to_string();
    for part in ["no Kafka broker answers at 127.0.0.1:1", "Connection refused", "check bootstrap.servers"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_topic_that_is_made_while_its_partitions_are_asked_for_is_waited_for() {
    let Some((config, name)) = broker("awaited") else { return };
    let clients = KafkaClients::new();
    let mut producer = clients.producer(&config).unwrap();
    let topic = Topic::from(name.as_str());
    let until = Deadline::after(clients.clock().now(), Duration::from_mins(1));
    let count = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            make_topic(&config, &name, 3);
        });
        producer.partition_count(&topic, until)
    });
    assert_eq!(count, Ok(3));
}

#[test]
fn a_record_that_the_broker_refuses_comes_back_whole() {
    let Some((config, name)) = broker("refused") else { return };
    make_topic_with(&config, &name, 1, ("max.message.bytes", "1000"));
    let clients = KafkaClients::new();
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut producer = clients.producer(&config.with("linger.ms", "0")).unwrap();
    let to = producer.partition(&partition.topic, 0).unwrap();
    let large = OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::from_millis(123),
        key: Some("key".into()),
        value: Some(vec![7; 2_000].into()),
        headers: vec![
            Header { name: "trace".into(), value: Some("1".into()) },
            Header { name: "trace".into(), value: None },
            Header { name: "empty".into(), value: Some("".into()) },
        ],
    };
    assert_eq!(producer.append(to, large.view()), Ok(Appended::Stored));
    let until = Deadline::after(clients.clock().now(), Duration::from_mins(1));
    let mut acks = Vec::new();
    producer.flush(until, &mut acks).unwrap();
    let [BatchAck::Failed { to: refused, error, records }] = &mut acks[..] else { panic!("{acks:?}") };
    assert_eq!(*refused, to);
    assert!(matches!(error, ClientError::RecordTooLarge { bytes: 2_003.., .. }), "{error:?}");
    assert_eq!(records.partition(), &partition);
    assert_eq!(records.head().map(|record| record.to_owned()), Some(large));
    records.advance().unwrap();
    assert_eq!(records.remaining(), 0);
    // The next one is none the worse for it.
    let small = RawRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::from_millis(124),
        key: None,
        value: Some(b""),
        headers: RawHeaders::NONE,
    };
    assert_eq!(producer.append(to, small), Ok(Appended::Stored));
    acks.clear();
    producer.flush(until, &mut acks).unwrap();
    assert!(matches!(acks[..], [BatchAck::Stored { count: 1, .. }]), "{acks:?}");
}
