//! A broker, and those who write, read and are members there.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use headwater_client::conformance::{Suite, TRANSACTION_CASES};
use headwater_client::{
    Appended, BatchAck, ClientConfig, ClientError, ClientSupplier, CommittedOffset, GroupError, GroupIdentity,
    GroupMembership, GroupRequest, GroupResponse, JoinRequest, NewTopic, Producer, RecordBatch, StartAt,
    TransactionOutcome, Transactional,
};
use headwater_client_kafka::KafkaClients;
use headwater_record::{Deadline, Offset, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition};

/// Version 0 of `ConsumerProtocolSubscription`: no topics, no user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\0\0\0\0\0";

/// The broker of this test run, and names that no other run uses.
pub(crate) struct World {
    clients: KafkaClients,
    config: ClientConfig,
    libs: String,
    prefix: String,
}

impl World {
    pub(crate) fn of(test: &str) -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(servers) = variable("HEADWATER_TEST_BOOTSTRAP") else {
            // Not `println!`: of a test that passes, that is shown only when one asks for it.
            let _ = writeln!(
                std::io::stderr(),
                "{test}: SKIPPED, HEADWATER_TEST_BOOTSTRAP names no broker: run `cargo xtask test`, which starts one and \
                 runs every test; or `cargo xtask kafka up`, which starts one and prints what to run then"
            );
            return None;
        };
        let libs = variable("HEADWATER_KAFKA_LIBS").expect("HEADWATER_KAFKA_LIBS names the folder with Kafka's jars");
        let clients = KafkaClients::new();
        let prefix = format!("{test}-{}-{}", clients.clock().now(), std::process::id());
        Some(World { clients, config: ClientConfig::new().with("bootstrap.servers", servers), libs, prefix })
    }

    /// What `of` is called in this run.
    pub(crate) fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.prefix)
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clients.clock().now(), Duration::from_mins(1))
    }

    /// A topic of three partitions.
    pub(crate) fn topic(&self, name: &str) -> Topic {
        self.topic_with(name, ("retention.ms", "-1"))
    }

    pub(crate) fn topic_with(&self, name: &str, (setting, value): (&str, &str)) -> Topic {
        let topic = NewTopic {
            topic: Topic::from(self.name(name).as_str()),
            partitions: 3,
            replication_factor: 1,
            configs: BTreeMap::from([(setting.to_owned(), value.to_owned())]),
        };
        let made = self.clients.admin(&self.config).unwrap().create_topics(std::slice::from_ref(&topic), self.soon());
        assert!(matches!(made.unwrap()[..], [Ok(()) | Err(ClientError::TopicExists { .. })]));
        topic.topic
    }

    pub(crate) fn servers(&self) -> &str {
        self.config.value("bootstrap.servers").unwrap()
    }

    /// A producer of the transactional id `id`, initialised, that writes to the topic `topic`.
    pub(crate) fn writer(&self, id: &str, topic: &str) -> Writer<'_> {
        self.writer_at(self.servers(), id, topic)
    }

    /// The same, by way of `servers`.
    pub(crate) fn writer_at(&self, servers: &str, id: &str, topic: &str) -> Writer<'_> {
        let topic = self.topic(topic);
        let config = ClientConfig::new()
            .with("bootstrap.servers", servers)
            .with("transactional.id", self.name(id))
            .with("transaction.timeout.ms", "30000");
        let mut producer = self.clients.producer(&config).unwrap();
        producer.transactional().expect("it has an id").init(self.soon()).unwrap();
        Writer { world: self, producer, topic }
    }

    /// Values of committed records, all that are there when a transaction with the value `end` is.
    pub(crate) fn read(&self, topic: &str, partition: i32, end: &str) -> Vec<String> {
        let mut writer = self.writer(&format!("{topic}-{partition}-end"), topic);
        writer.transact(&[(partition, end)]);
        let mut consumer =
            self.clients.consumer(&self.config.clone().with("isolation.level", "read_committed")).unwrap();
        let from = TopicPartition::new(self.name(topic).as_str(), partition);
        consumer.assign(&[(from, StartAt::Beginning)]).unwrap();
        let until = self.soon();
        let mut values: Vec<String> = Vec::new();
        loop {
            assert!(!until.passed(self.clients.clock().now()), "{topic}-{partition}: {values:?} came, and no end");
            let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
            consumer.poll(until, &mut batches).unwrap();
            for mut batch in batches {
                while let Some(record) = batch.head() {
                    values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
                    batch.advance().unwrap();
                }
            }
            if values.last().is_some_and(|value| value == end) {
                values.pop();
                return values;
            }
        }
    }

    /// What the client traits promise of transactions.
    pub(crate) fn passes_the_suite(&self, protocol: &str) {
        let prefix = self.name(protocol);
        let suite = Suite::new(&self.clients, &self.config, &prefix);
        let failures: Vec<_> = TRANSACTION_CASES
            .iter()
            .filter_map(|(name, case)| case(&suite).err().map(|failure| (*name, failure)))
            .collect();
        assert!(failures.is_empty(), "{protocol}: {failures:#?}");
    }

    /// Runs one of Kafka's tools; what it says.
    pub(crate) fn tool(&self, tool: &str, arguments: &[&str]) -> String {
        let output = Command::new("java")
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &format!("{}/*", self.libs)])
            .args([&format!("org.apache.kafka.tools.{tool}"), "--bootstrap-server", self.servers()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("java starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{tool} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn features(&self, change: &str, version: i16) {
        let said = self.tool("FeatureCommand", &[change, "--feature", &format!("transaction.version={version}")]);
        assert!(said.contains("transaction.version was"), "{change}: {said}");
    }
}

/// The cluster's `transaction.version` is lower than it was, as long as this lives.
pub(crate) struct Version<'a>(&'a World);

impl<'a> Version<'a> {
    pub(crate) fn lowered(world: &'a World, to: i16) -> Self {
        world.features("downgrade", to);
        Version(world)
    }
}

impl Drop for Version<'_> {
    fn drop(&mut self) {
        self.0.features("upgrade", 2);
    }
}

/// A transactional producer.
pub(crate) struct Writer<'a> {
    world: &'a World,
    producer: Box<dyn Producer>,
    topic: Topic,
}

impl Writer<'_> {
    fn transactional(&mut self) -> &mut dyn Transactional {
        self.producer.transactional().expect("it has an id")
    }

    pub(crate) fn try_begin(&mut self) -> Result<(), ClientError> {
        self.transactional().begin()
    }

    pub(crate) fn begin(&mut self) {
        self.try_begin().unwrap();
    }

    pub(crate) fn append(&mut self, partition: i32, value: &str) -> Result<Appended, ClientError> {
        self.append_to(&self.topic.clone(), partition, value)
    }

    fn append_to(&mut self, topic: &Topic, partition: i32, value: &str) -> Result<Appended, ClientError> {
        let to = self.producer.partition(topic, partition).unwrap();
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::from_millis(5),
            key: None,
            value: Some(value.as_bytes()),
            headers: RawHeaders::NONE,
        };
        self.producer.append(to, record)
    }

    pub(crate) fn write(&mut self, partition: i32, value: &str) {
        assert_eq!(self.append(partition, value), Ok(Appended::Stored));
    }

    pub(crate) fn write_to(&mut self, topic: &Topic, partition: i32, value: &str) {
        assert_eq!(self.append_to(topic, partition, value), Ok(Appended::Stored));
    }

    /// Flushes; why batches were not written.
    pub(crate) fn failures(&mut self) -> Vec<ClientError> {
        let (until, mut acks) = (self.world.soon(), Vec::new());
        let flushed = self.producer.flush(until, &mut acks);
        assert!(matches!(flushed, Ok(()) | Err(ClientError::Fenced(_))), "{flushed:?}");
        let failed = acks.into_iter().filter_map(|ack| match ack {
            BatchAck::Stored { .. } => None,
            BatchAck::Failed { error, .. } => Some(error),
        });
        failed.collect()
    }

    pub(crate) fn flush(&mut self) {
        assert_eq!(self.failures(), []);
    }

    pub(crate) fn end(&mut self) -> TransactionOutcome {
        let until = self.world.soon();
        self.transactional().commit(until)
    }

    pub(crate) fn commit(&mut self) {
        let outcome = self.end();
        assert!(matches!(outcome, TransactionOutcome::Committed), "{outcome:?}");
    }

    /// Ends one that cannot be committed: why.
    pub(crate) fn end_aborted(&mut self) -> ClientError {
        match self.end() {
            TransactionOutcome::Aborted(why) => why,
            other => panic!("it should be aborted, not {other:?}"),
        }
    }

    pub(crate) fn abort(&mut self) -> Result<(), ClientError> {
        let until = self.world.soon();
        self.transactional().abort(until)
    }

    /// A whole transaction.
    pub(crate) fn transact(&mut self, records: &[(i32, &str)]) {
        self.begin();
        for (partition, value) in records {
            self.write(*partition, value);
        }
        self.flush();
        self.commit();
    }

    pub(crate) fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
    ) -> Result<(), ClientError> {
        let until = self.world.soon();
        self.transactional().send_offsets(identity, offsets, until)
    }
}

/// The only member of a group.
pub(crate) struct Member<'a> {
    world: &'a World,
    connection: Box<dyn GroupMembership>,
    pub(crate) identity: GroupIdentity,
}

impl<'a> Member<'a> {
    pub(crate) fn join(world: &'a World, group: &str) -> Self {
        let group = world.name(group);
        let connection = world.clients.membership(&group, &world.config).unwrap();
        let mut member = Member { world, connection, identity: GroupIdentity::default() };
        let joining = GroupRequest::Join(JoinRequest {
            identity: GroupIdentity { group, generation: -1, ..GroupIdentity::default() },
            session_timeout: Duration::from_mins(1),
            rebalance_timeout: Duration::from_mins(1),
            protocol_type: "consumer".to_owned(),
            protocols: vec![("stream".to_owned(), SUBSCRIPTION.to_vec())],
            reason: None,
        });
        let joined = loop {
            match member.ask(joining.clone()) {
                GroupResponse::Join(Ok(joined)) => break joined,
                // A cluster that has just begun chooses its coordinators first.
                GroupResponse::Join(Err(error)) if !world.soon().passed(world.clients.clock().now()) => {
                    assert_eq!(error.class(), headwater_client::ErrorClass::Retriable, "{error}");
                }
                other => panic!("{other:?}"),
            }
        };
        member.identity = joined.identity;
        let synced = member.ask(GroupRequest::Sync {
            identity: member.identity.clone(),
            protocol_type: "consumer".to_owned(),
            protocol: "stream".to_owned(),
            assignments: vec![(member.identity.member_id.clone(), Vec::new())],
        });
        assert!(matches!(synced, GroupResponse::Sync(Ok(_))), "{synced:?}");
        member
    }

    fn ask(&mut self, request: GroupRequest) -> GroupResponse {
        self.connection.submit(request).unwrap();
        self.connection.response(self.world.soon()).expect("an answer")
    }

    /// What is committed of partition 0 of `topic`.
    pub(crate) fn committed(&mut self, topic: &str, stable: bool) -> Result<Option<i64>, ClientError> {
        let (group, partition) = (self.identity.group.clone(), TopicPartition::new(self.world.name(topic).as_str(), 0));
        let found = self.connection.committed_offsets(&group, &[partition], stable, self.world.soon())?;
        Ok(found.into_iter().next().flatten().map(|committed| committed.offset.value()))
    }

    /// The same once no transaction may change it any more: its end is answered before its markers are written.
    pub(crate) fn committed_in_the_end(&mut self, topic: &str) -> Option<i64> {
        let until = self.world.soon();
        loop {
            match self.committed(topic, true) {
                Err(ClientError::Group(GroupError::UnstableOffsets)) => {
                    assert!(!until.passed(self.world.clients.clock().now()), "they are never stable");
                    self.connection
                        .response(Deadline::after(self.world.clients.clock().now(), Duration::from_millis(20)));
                }
                found => return found.unwrap(),
            }
        }
    }
}
