//! Compressed records go from our producer to our consumer and to Java's, and from Java's producer to our consumer, on a real broker.
//!
//! `HEADWATER_TEST_BOOTSTRAP` names it (`host:port`), `HEADWATER_KAFKA_LIBS` the folder with the jars of Kafka's tools.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test of real clients on a real broker")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use headwater_client::{Appended, BatchAck, ClientConfig, ClientSupplier, NewTopic, RecordBatch, StartAt};
use headwater_client_kafka::KafkaClients;
use headwater_record::{Deadline, Header, Offset, OwnedRecord, Timestamp, Topic, TopicPartition};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// More than a topic of a codec takes in one batch, so that what is there was compressed.
const VALUE_BYTES: usize = 30_000;
const BATCH_BYTES: &str = "20000";

/// The broker of this test run and Kafka's jars, if there is a broker, and a name that no other run uses.
fn broker(test: &str) -> Option<(ClientConfig, String, String)> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(servers) = variable("HEADWATER_TEST_BOOTSTRAP") else {
        // Not `println!`: of a test that passes, that is shown only when one asks for it.
        let _ = writeln!(
            std::io::stderr(),
            "{test}: SKIPPED, HEADWATER_TEST_BOOTSTRAP names no broker: run `cargo xtask test`, which starts one and runs \
             every test; or `cargo xtask kafka up`, which starts one and prints what to run then"
        );
        return None;
    };
    let libs =
        variable("HEADWATER_KAFKA_LIBS").expect("HEADWATER_KAFKA_LIBS names the folder with the jars of Kafka's tools");
    let name = format!("{test}-{}-{}", KafkaClients::new().clock().now(), std::process::id());
    Some((ClientConfig::new().with("bootstrap.servers", servers), libs, name))
}

fn soon(clients: &KafkaClients) -> Deadline {
    Deadline::after(clients.clock().now(), Duration::from_mins(1))
}

fn make_topic(clients: &KafkaClients, config: &ClientConfig, codec: &str, name: &str) {
    let mut configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
    if codec != "none" {
        configs.insert("max.message.bytes".to_owned(), BATCH_BYTES.to_owned());
    }
    let topic = NewTopic { topic: Topic::from(name), partitions: 1, replication_factor: 1, configs };
    for made in clients.admin(config).unwrap().create_topics(&[topic], soon(clients)).unwrap() {
        made.unwrap();
    }
}

/// A value that compresses well, but not to nothing.
fn value(codec: &str, number: usize) -> String {
    let mut text = format!("{codec} {number}:");
    while text.len() < VALUE_BYTES {
        let number = text.len() % 100;
        text.extend([" ", &number.to_string()]);
    }
    text
}

fn records(codec: &str) -> Vec<OwnedRecord> {
    let record = |number: usize| OwnedRecord {
        offset: Offset::new(number as i64),
        timestamp: Timestamp::from_millis(1_000 - 10 * number as i64),
        key: number.is_multiple_of(2).then(|| format!("key {number}").into()),
        value: (number != 3).then(|| value(codec, number).into()),
        headers: (0..number % 3)
            .map(|header| Header { name: format!("h{header}").into(), value: (header == 0).then(|| "x".into()) })
            .collect(),
    };
    (0..6).map(record).collect()
}

fn write(clients: &KafkaClients, config: &ClientConfig, codec: &str, topic: &str, records: &[OwnedRecord]) {
    let mut producer = clients.producer(&config.clone().with("compression.type", codec)).unwrap();
    let to = producer.partition(&topic.into(), 0).unwrap();
    for record in records {
        assert_eq!(producer.append(to, record.view()), Ok(Appended::Stored));
    }
    let mut acks = Vec::new();
    producer.flush(soon(clients), &mut acks).unwrap();
    let stored: u32 = acks
        .iter()
        .map(|ack| match ack {
            BatchAck::Stored { count, .. } => *count,
            BatchAck::Failed { error, .. } => panic!("{codec}: {error}"),
        })
        .sum();
    assert_eq!(stored as usize, records.len(), "{codec}");
}

/// The first `count` records of `topic`.
fn read(clients: &KafkaClients, config: &ClientConfig, topic: &str, count: usize) -> Vec<OwnedRecord> {
    let mut consumer = clients.consumer(config).unwrap();
    consumer.assign(&[(TopicPartition::new(topic, 0), StartAt::Beginning)]).unwrap();
    let until = soon(clients);
    let mut records = Vec::new();
    while records.len() < count {
        assert!(!until.passed(clients.clock().now()), "{topic}: {} records of {count} came", records.len());
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        consumer.poll(until, &mut batches).unwrap();
        for mut batch in batches {
            while let Some(record) = batch.head() {
                records.push(record.to_owned());
                batch.advance().unwrap();
            }
        }
    }
    records
}

/// Runs one of Kafka's tools, with `input`; what it says.
fn tool(libs: &str, config: &ClientConfig, class: &str, arguments: &[&str], input: &str) -> String {
    let mut running = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &format!("{libs}/*"), class])
        .args(["--bootstrap-server", config.value("bootstrap.servers").unwrap()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("java starts");
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Exception"), "{class} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_our_producer_compresses_is_read_by_our_consumer_and_by_javas() {
    let Some((config, libs, prefix)) = broker("compressed") else { return };
    let clients = KafkaClients::new();
    let mut expected = BTreeSet::new();
    for codec in CODECS {
        let topic = format!("{prefix}-{codec}");
        make_topic(&clients, &config, codec, &topic);
        let records = records(codec);
        write(&clients, &config, codec, &topic, &records);
        assert!(read(&clients, &config, &topic, records.len()) == records, "{codec}");
        for record in &records {
            let text = |field: &Option<_>| {
                field
                    .clone()
                    .map_or("null".to_owned(), |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap())
            };
            let line = format!("{}\t{}\t{}", record.timestamp.millis(), text(&record.key), text(&record.value));
            expected.insert(format!("CreateTime:{line}"));
        }
    }
    let most = (CODECS.len() * records("").len()).to_string();
    let arguments = ["--include", &format!("{prefix}-.*"), "--from-beginning", "--max-messages", &most];
    let format = ["--formatter-property", "print.key=true", "--formatter-property", "print.timestamp=true"];
    let all = [&arguments[..], &format, &["--timeout-ms", "60000"]].concat();
    let read = tool(&libs, &config, "org.apache.kafka.tools.consumer.ConsoleConsumer", &all, "");
    let read: BTreeSet<String> = read.lines().map(str::to_owned).collect();
    assert!(
        read == expected,
        "{} lines are missing: {:?}",
        expected.difference(&read).count(),
        shortened(&expected, &read)
    );
}

/// The beginnings of what is on one side alone.
fn shortened(expected: &BTreeSet<String>, read: &BTreeSet<String>) -> Vec<String> {
    expected.symmetric_difference(read).map(|line| line.chars().take(60).collect()).collect()
}

#[test]
fn what_javas_producer_compresses_is_read_by_our_consumer() {
    let Some((config, libs, prefix)) = broker("javas") else { return };
    let clients = KafkaClients::new();
    for codec in CODECS {
        let topic = format!("{prefix}-{codec}");
        make_topic(&clients, &config, codec, &topic);
        let expected: Vec<(String, String)> =
            (0..4).map(|number| (format!("key {number}"), value(codec, number))).collect();
        let input: String = expected.iter().flat_map(|(key, value)| [key, "\t", value, "\n"]).collect();
        let arguments = ["--topic", &topic, "--compression-codec", codec, "--reader-property", "parse.key=true"];
        tool(&libs, &config, "org.apache.kafka.tools.ConsoleProducer", &arguments, &input);
        let found = read(&clients, &config, &topic, expected.len());
        let found: Vec<(String, String)> = found
            .into_iter()
            .map(|record| {
                let text = |field: Option<bytes::Bytes>| String::from_utf8(field.unwrap().to_vec()).unwrap();
                (text(record.key), text(record.value))
            })
            .collect();
        assert!(found == expected, "{codec}");
    }
}
