//! A real broker, when the test run has one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headwater::client::{
    Admin, BatchAck, ClientConfig, ClientSupplier, Consumer, GroupMembership, NewTopic, OffsetSpec, Producer,
    RecordBatch, StartAt,
};
use headwater::client::{Appended, ErrorClass, Isolation};
use headwater::kafka::KafkaClients;
use headwater::record::{Deadline, Offset, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition, partition_for_key};

use crate::program::wait_for;

/// What to do when the environment does not name what a test needs.
const CURE: &str = "run `cargo xtask test`, which starts a broker and runs every test; or `cargo xtask kafka up`, which starts one \
     and prints what to run then";

/// The broker of this test run.
#[derive(Clone, Debug)]
pub struct Broker {
    /// `host:port`.
    pub bootstrap: String,
    clients: KafkaClients,
}

/// What the environment says under `name`, unless that is nothing.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder with the jars of `what`, which the environment names under `name`.
fn jars(name: &str, what: &str) -> Result<String> {
    variable(name).with_context(|| format!("{name} names no folder with the jars of {what}: {CURE}"))
}

/// What the environment says under `name`; `None`, and a line that says so, when that is nothing.
fn variable_or_skip(test: &str, name: &str, what: &str) -> Option<String> {
    let value = variable(name);
    if value.is_none() {
        // Not `println!`: of a test that passes, that is shown only when one asks for it.
        let _ = writeln!(std::io::stderr(), "{test}: SKIPPED, {name} names no {what}: {CURE}");
    }
    value
}

impl Broker {
    /// The broker that the environment names; `None`, and a line that says so, when it names none.
    pub fn of_this_run(test: &str) -> Option<Self> {
        Some(Broker::at(&variable_or_skip(test, "HEADWATER_TEST_BOOTSTRAP", "broker")?))
    }

    /// The folder with Kafka's jars, for a test that starts brokers of its own; `None`, and a line that says so, when none is named.
    pub fn jars_of_this_run(test: &str) -> Option<String> {
        variable_or_skip(test, "HEADWATER_KAFKA_LIBS", "folder with Kafka's jars")
    }

    /// The broker, or the brokers, at `bootstrap`.
    pub fn at(bootstrap: &str) -> Self {
        Broker { bootstrap: bootstrap.to_owned(), clients: KafkaClients::new() }
    }

    /// The folder with Kafka's jars, for its own tools.
    pub fn tools(&self) -> Result<String> {
        jars("HEADWATER_KAFKA_LIBS", "Kafka's tools")
    }

    /// The folder with the jars of Java Kafka Streams, for an application of it.
    pub fn java_streams(&self) -> Result<String> {
        jars("HEADWATER_STREAMS_LIBS", "Kafka Streams")
    }

    /// Runs one of Kafka's tools and returns what it wrote to standard output.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new("java")
            .args(["-Xmx256m", "-cp", &format!("{}/*", self.tools()?), class, "--bootstrap-server", &self.bootstrap])
            .args(arguments)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{class} failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        Ok(text)
    }

    /// Makes clients of this broker.
    pub fn clients(&self) -> &dyn ClientSupplier {
        &self.clients
    }

    fn config(&self) -> ClientConfig {
        ClientConfig::new().with("bootstrap.servers", &self.bootstrap)
    }

    /// A client of this broker with these settings, by Kafka's names.
    pub fn config_with(&self, settings: &[(&str, &str)]) -> ClientConfig {
        settings.iter().fold(self.config(), |config, (key, value)| config.with(*key, *value))
    }

    /// `duration` from now, by the clients' clock.
    pub fn within(&self, duration: Duration) -> Deadline {
        Deadline::after(self.clients.clock().now(), duration)
    }

    /// A minute from now.
    pub fn soon(&self) -> Deadline {
        self.within(Duration::from_mins(1))
    }

    /// An admin client.
    pub fn admin(&self) -> Result<Box<dyn Admin>> {
        Ok(self.clients.admin(&self.config())?)
    }

    /// Makes a topic without replicas and waits until the broker shows it.
    pub fn make_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.make(NewTopic { topic: Topic::from(name), partitions, replication_factor: 1, configs: BTreeMap::new() })
    }

    /// Makes a topic and waits until the broker shows it, which may be after it has said that it is made.
    pub fn make(&self, topic: NewTopic) -> Result<()> {
        let (name, partitions) = (topic.topic.to_string(), topic.partitions);
        for made in self.admin()?.create_topics(&[topic], self.soon())? {
            made?;
        }
        wait_for(&format!("topic {name} is shown"), Duration::from_mins(1), || {
            Ok((self.partitions(&name)?.len() == usize::try_from(partitions)?).then_some(()))
        })
    }

    /// A producer.
    pub fn producer(&self) -> Result<Box<dyn Producer>> {
        Ok(self.clients.producer(&self.config())?)
    }

    /// Writes `records` (key, value), by the hash of the key or, without key, to the partitions in turn.
    pub fn produce<'a>(
        &self,
        topic: &str,
        records: impl IntoIterator<Item = (Option<&'a [u8]>, &'a [u8])>,
    ) -> Result<()> {
        let mut producer = self.producer()?;
        let topic = Topic::from(topic);
        let count = producer.partition_count(&topic, self.soon())?;
        let partitions =
            (0..count).map(|partition| producer.partition(&topic, partition)).collect::<Result<Vec<_>, _>>()?;
        let mut acks = Vec::new();
        for (turn, (key, value)) in records.into_iter().enumerate() {
            let partition = key.map_or(turn % partitions.len(), |key| partition_for_key(key, count) as usize);
            let to = *partitions.get(partition).context("a partition")?;
            let record = RawRecord {
                offset: Offset::UNKNOWN,
                timestamp: Timestamp::UNKNOWN,
                key,
                value: Some(value),
                headers: RawHeaders::NONE,
            };
            while producer.append(to, record)? == Appended::Full {
                producer.poll(self.within(Duration::from_millis(100)), &mut acks)?;
            }
            check(&mut acks)?;
        }
        producer.flush(self.soon(), &mut acks)?;
        check(&mut acks)
    }

    /// All partitions of a topic.
    pub fn partitions(&self, topic: &str) -> Result<Vec<TopicPartition>> {
        let topic = Topic::from(topic);
        let described = self.admin()?.describe_topics(std::slice::from_ref(&topic), self.soon())?;
        let count = described.into_iter().flatten().next().map_or(0, |topic| topic.partitions);
        Ok((0..count).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect())
    }

    /// Where the partitions of a topic end.
    pub fn ends(&self, topic: &str) -> Result<Vec<(TopicPartition, Offset)>> {
        let partitions = self.partitions(topic)?;
        let spec = OffsetSpec::Latest(Isolation::ReadUncommitted);
        let ends = self.admin()?.list_offsets(&partitions, spec, self.soon())?;
        Ok(partitions.into_iter().zip(ends).collect())
    }

    /// All records of a topic as it is now, by partition: key and value bytes.
    pub fn read(&self, topic: &str) -> Result<Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>> {
        let ends: BTreeMap<TopicPartition, Offset> = self.ends(topic)?.into_iter().collect();
        let mut consumer: Box<dyn Consumer> = self.clients.consumer(&self.config())?;
        let all: Vec<_> = ends.keys().map(|partition| (partition.clone(), StartAt::Beginning)).collect();
        consumer.assign(&all)?;
        let until = self.soon();
        let mut records = Vec::new();
        let mut reached: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        let done = |reached: &BTreeMap<TopicPartition, Offset>| {
            ends.iter()
                .all(|(partition, end)| end.value() == 0 || reached.get(partition).is_some_and(|offset| offset >= end))
        };
        while !done(&reached) {
            if until.passed(self.clients.clock().now()) {
                bail!("topic {topic} could not be read to its end: {reached:?} of {ends:?}");
            }
            consumer.poll(self.within(Duration::from_millis(500)), &mut batches)?;
            for mut batch in batches.drain(..) {
                while let Some(record) = batch.head() {
                    records.push((record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec)));
                    batch.advance()?;
                }
                reached.insert(batch.partition().clone(), batch.next_offset());
            }
        }
        Ok(records)
    }

    /// The table of counts that a topic holds: the last value of every key.
    pub fn table(&self, topic: &str) -> Result<BTreeMap<String, i64>> {
        let mut table = BTreeMap::new();
        for (key, value) in self.read(topic)? {
            let key = String::from_utf8(key.unwrap_or_default())?;
            match value {
                Some(value) => table.insert(key, i64::from_be_bytes(value.as_slice().try_into()?)),
                None => table.remove(&key),
            };
        }
        Ok(table)
    }

    /// How far `group` has committed `topic`, all partitions together.
    pub fn committed(&self, group: &str, topic: &str) -> Result<i64> {
        Ok(self.committed_each(group, topic)?.values().sum())
    }

    /// How much of two topics `group` has committed, and how much there is: `lines` in the first, whose processing writes the second.
    pub fn way(&self, group: &str, first: &str, lines: usize, second: &str) -> Result<(i64, i64)> {
        // In this order: when all of the first is committed, the second grows no longer.
        let read = self.committed(group, first)?;
        let between: i64 = self.ends(second)?.iter().map(|(_, end)| end.value()).sum();
        Ok((read + self.committed(group, second)?, i64::try_from(lines)? + between))
    }

    /// How far `group` has committed each partition of `topic`.
    pub fn committed_each(&self, group: &str, topic: &str) -> Result<BTreeMap<i32, i64>> {
        let mut membership: Box<dyn GroupMembership> = self.clients.membership(group, &self.config())?;
        let (partitions, until) = (self.partitions(topic)?, self.soon());
        let committed = loop {
            match membership.committed_offsets(group, &partitions, false, until) {
                // A new cluster chooses its coordinators only when somebody asks for one.
                Err(error) if error.class() == ErrorClass::Retriable && !until.passed(self.clients.clock().now()) => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                result => break result?,
            }
        };
        let numbered = partitions.iter().map(|partition| partition.partition).zip(committed);
        Ok(numbered.map(|(number, committed)| (number, committed.map_or(0, |at| at.offset.value()))).collect())
    }
}

fn check(acks: &mut Vec<BatchAck>) -> Result<()> {
    for ack in acks.drain(..) {
        if let BatchAck::Failed { error, .. } = ack {
            return Err(error.into());
        }
    }
    Ok(())
}
