//! A cluster with one topic and one group, and producers that write to all of its partitions.
#![allow(dead_code, reason = "each test uses its part of it")]

use std::sync::Arc;
use std::time::Duration;

use headwater_client::{
    Appended, BatchAck, ClientConfig, ClientError, ClientSupplier, CommittedOffset, Consumer, ErrorClass, GroupError,
    GroupIdentity, OffsetCommit, Producer, StartAt, TransactionOutcome, Transactional,
};
use headwater_client_memory::{Cluster, ClusterConfig, ManualClock, TransactionProtocol, TransactionState};
use headwater_record::{Clock, Deadline, Offset, Partition, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition};

pub(crate) const PARTITIONS: Partition = 3;
pub(crate) const GROUP: &str = "group";

/// The cluster.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) clock: ManualClock,
    pub(crate) topic: Topic,
}

/// Settings of a producer whose transactions last 10 s at most.
pub(crate) fn producer_of(id: &str) -> ClientConfig {
    ClientConfig::new().with("transactional.id", id).with("transaction.timeout.ms", "10000")
}

/// Who is no member of the group.
pub(crate) fn nobody() -> GroupIdentity {
    GroupIdentity { group: GROUP.into(), generation: -1, ..GroupIdentity::default() }
}

pub(crate) fn offsets(topic: &Topic, offset: i64) -> Vec<(TopicPartition, CommittedOffset)> {
    let offset = CommittedOffset { offset: Offset::new(offset), metadata: String::new() };
    vec![(TopicPartition { topic: topic.clone(), partition: 0 }, offset)]
}

/// What a reader of committed records sees of a partition.
pub(crate) fn on(world: &World, partition: usize) -> Vec<String> {
    world.committed().swap_remove(partition)
}

/// The same values in every partition.
pub(crate) fn everywhere(values: &[&str]) -> Vec<Vec<String>> {
    vec![values.iter().map(|value| (*value).to_owned()).collect(); PARTITIONS as usize]
}

impl World {
    pub(crate) fn new(transaction_protocol: TransactionProtocol) -> Self {
        let clock = ManualClock::default();
        let config = ClusterConfig { transaction_protocol, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(clock.clone()), config);
        let topic = Topic::from("out");
        cluster.create_topic(topic.clone(), PARTITIONS).unwrap();
        World { cluster, clock, topic }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn in_millis(&self, millis: u64) -> Deadline {
        Deadline::after(self.clock.now(), Duration::from_millis(millis))
    }

    /// A producer with this `transactional.id`, initialised.
    pub(crate) fn producer(&self, id: &str) -> TestProducer {
        self.try_producer(id).unwrap()
    }

    pub(crate) fn try_producer(&self, id: &str) -> Result<TestProducer, ClientError> {
        self.try_producer_with(&producer_of(id))
    }

    pub(crate) fn try_producer_with(&self, config: &ClientConfig) -> Result<TestProducer, ClientError> {
        self.try_producer_until(config, Deadline::NEVER)
    }

    pub(crate) fn try_producer_until(
        &self,
        config: &ClientConfig,
        until: Deadline,
    ) -> Result<TestProducer, ClientError> {
        let mut producer = TestProducer { inner: self.cluster.producer(config)?, topic: self.topic.clone() };
        producer.transactions().init(until)?;
        Ok(producer)
    }

    /// What a reader of committed records sees, by partition.
    pub(crate) fn committed(&self) -> Vec<Vec<String>> {
        let mut seen = vec![Vec::new(); PARTITIONS as usize];
        for (partition, record) in self.cluster.committed_records(&self.topic) {
            seen[partition as usize].push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
        }
        seen
    }

    /// Offsets after the last record or marker.
    pub(crate) fn ends(&self) -> Vec<i64> {
        self.cluster.topic(&self.topic).unwrap().partitions.iter().map(|marks| marks.high.value()).collect()
    }

    /// In how many partitions a transaction is open.
    pub(crate) fn open_partitions(&self) -> usize {
        let all: Vec<_> = (0..PARTITIONS).map(|number| TopicPartition::new(self.topic.clone(), number)).collect();
        let mut admin = self.cluster.admin(&ClientConfig::new().with("client.id", "looks")).unwrap();
        let mut ends = |isolation| {
            let spec = headwater_client::OffsetSpec::Latest(isolation);
            admin.list_offsets(&all, spec, Deadline::NEVER).unwrap()
        };
        let stable = ends(headwater_client::Isolation::ReadCommitted);
        let all = ends(headwater_client::Isolation::ReadUncommitted);
        stable.iter().zip(&all).filter(|(stable, end)| stable < end).count()
    }

    /// The group's committed offset.
    pub(crate) fn offset(&self) -> Option<i64> {
        self.cluster.group(GROUP).committed.values().next().map(|committed| committed.offset.value())
    }

    /// Whether an open transaction may still change the group's offset.
    pub(crate) fn is_unstable(&self) -> bool {
        let mut connection = self.cluster.membership(GROUP, &ClientConfig::new()).unwrap();
        let asked = [TopicPartition::new(self.topic.clone(), 0)];
        match connection.committed_offsets(GROUP, &asked, true, Deadline::NEVER) {
            Ok(_) => false,
            Err(ClientError::Group(GroupError::UnstableOffsets)) => true,
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn commit_plainly(&self, offset: i64) -> Result<(), ClientError> {
        let mut connection = self.cluster.membership(GROUP, &ClientConfig::new()).unwrap();
        let commit = OffsetCommit { identity: nobody(), offsets: offsets(&self.topic, offset) };
        connection.commit_offsets(&commit, Deadline::NEVER)
    }

    pub(crate) fn delete_topic(&self) {
        let mut admin = self.cluster.admin(&ClientConfig::new()).unwrap();
        admin.delete_topics(std::slice::from_ref(&self.topic), Deadline::NEVER).unwrap();
    }

    pub(crate) fn state(&self, id: &str) -> TransactionState {
        self.cluster.transaction(id).unwrap().state
    }
}

/// A reader of committed records, three at a time.
pub(crate) struct TestReader {
    inner: Box<dyn Consumer>,
    /// What it has seen, by partition, in the form of [`World::committed`].
    pub(crate) seen: Vec<Vec<String>>,
}

impl TestReader {
    pub(crate) fn new(world: &World) -> Self {
        let config = ClientConfig::new().with("isolation.level", "read_committed").with("max.poll.records", "3");
        let mut inner = world.cluster.consumer(&config).unwrap();
        let all = (0..PARTITIONS).map(|number| TopicPartition::new(world.topic.clone(), number));
        inner.assign(&all.map(|partition| (partition, StartAt::Beginning)).collect::<Vec<_>>()).unwrap();
        TestReader { inner, seen: vec![Vec::new(); PARTITIONS as usize] }
    }

    /// Polls once; whether something came. What goes wrong on the way is asked again.
    pub(crate) fn poll(&mut self) -> bool {
        let mut batches = Vec::new();
        let polled = self.inner.poll(Deadline::NOW, &mut batches);
        assert!(polled.is_ok() || polled.is_err_and(|error| error.class() == ErrorClass::Retriable));
        let came = !batches.is_empty();
        for mut batch in batches {
            while let Some(record) = batch.head() {
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                self.seen[batch.partition().partition as usize].push(value);
                batch.advance().unwrap();
            }
        }
        came
    }

    /// Its positions, by partition.
    pub(crate) fn positions(&self, world: &World) -> Vec<i64> {
        let position = |number| self.inner.position(&TopicPartition::new(world.topic.clone(), number));
        (0..PARTITIONS).map(|number| position(number).unwrap().value()).collect()
    }
}

/// A producer with transactions.
pub(crate) struct TestProducer {
    inner: Box<dyn Producer>,
    topic: Topic,
}

impl TestProducer {
    pub(crate) fn transactions(&mut self) -> &mut dyn Transactional {
        self.inner.transactional().unwrap()
    }

    pub(crate) fn begin(&mut self) {
        self.transactions().begin().unwrap();
    }

    pub(crate) fn commit(&mut self) -> TransactionOutcome {
        self.transactions().commit(Deadline::NEVER)
    }

    pub(crate) fn abort(&mut self) -> Result<(), ClientError> {
        self.transactions().abort(Deadline::NEVER)
    }

    pub(crate) fn send_offsets(&mut self, offset: i64) -> Result<(), ClientError> {
        let offsets = offsets(&self.topic, offset);
        self.transactions().send_offsets(&nobody(), &offsets, Deadline::NEVER)
    }

    pub(crate) fn try_append(&mut self, partition: Partition, value: &str) -> Result<(), ClientError> {
        let topic = self.topic.clone();
        self.append(&topic, partition, value)
    }

    pub(crate) fn append_to(&mut self, topic: &Topic, value: &str) {
        self.append(topic, 0, value).unwrap();
    }

    fn append(&mut self, topic: &Topic, partition: Partition, value: &str) -> Result<(), ClientError> {
        let to = self.inner.partition(topic, partition)?;
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::ZERO,
            key: Some(b"k"),
            value: Some(value.as_bytes()),
            headers: RawHeaders::NONE,
        };
        assert_eq!(self.inner.append(to, record)?, Appended::Stored);
        Ok(())
    }

    /// Sends what there is; gives how many batches were answered by now.
    pub(crate) fn poll(&mut self) -> usize {
        let mut acks = Vec::new();
        self.inner.poll(Deadline::NOW, &mut acks).unwrap();
        acks.len()
    }

    /// Sends everything; the first batch that failed is the error.
    pub(crate) fn flush(&mut self) -> Result<(), ClientError> {
        let mut acks = Vec::new();
        self.inner.flush(Deadline::NEVER, &mut acks)?;
        let failed = acks.into_iter().find_map(|ack| match ack {
            BatchAck::Failed { error, .. } => Some(error),
            BatchAck::Stored { .. } => None,
        });
        failed.map_or(Ok(()), Err)
    }

    pub(crate) fn try_write_all(&mut self, value: &str) -> Result<(), ClientError> {
        for partition in 0..PARTITIONS {
            self.try_append(partition, value)?;
        }
        self.flush()
    }

    /// Writes a record to every partition and waits until all are acknowledged.
    pub(crate) fn write_all(&mut self, value: &str) {
        self.try_write_all(value).unwrap();
    }
}
