//! A cluster under a virtual clock, lines whose words are counted offline too, and instances that take their turns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_client_memory::{Cluster, ManualClock};
use headwater_record::{Headers, Offset, OwnedRecord, Timestamp, Topic, TopicPartition};
use headwater_runtime::{Builder, Driven, KafkaStreams, NoDefault, State, StoreMakers};
use headwater_store_memory::MemoryStores;
use headwater_topology::Topology;

use crate::graph::word_count;

pub(crate) const APPLICATION: &str = "word-count";

/// Clones share clock and cluster.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) cluster: Cluster,
    /// Offline counts of what was fed.
    pub(crate) expected: BTreeMap<String, i64>,
    fed: usize,
}

/// Stores in memory only.
pub(crate) fn memory_stores() -> StoreMakers {
    StoreMakers { in_memory: Arc::new(MemoryStores::new()), persistent: None }
}

impl World {
    /// With topics `lines` and `counts` of four partitions.
    pub(crate) fn new() -> Self {
        Self::without_topics().with_topics()
    }

    fn with_topics(self) -> Self {
        let world = self;
        world.cluster.create_topic("lines", 4).unwrap();
        world.cluster.create_topic("counts", 4).unwrap();
        world
    }

    pub(crate) fn without_topics() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        World { clock, cluster, expected: BTreeMap::new(), fed: 0 }
    }

    /// An instance whose process is named `id`.
    pub(crate) fn builder(&self, id: u128) -> Builder<NoDefault> {
        self.builder_of(word_count(), id)
    }

    /// As [`World::builder`], of another topology.
    pub(crate) fn builder_of(&self, topology: Topology, id: u128) -> Builder<NoDefault> {
        KafkaStreams::<NoDefault>::builder(topology)
            .application_id(APPLICATION)
            .on(&self.cluster)
            .stores(memory_stores())
            .set("dsl.store.suppliers.class", "in_memory")
            .set("commit.interval.ms", "100")
            .process_id(id)
    }

    pub(crate) fn instance(&self, id: u128) -> Driven {
        self.builder(id).drive().unwrap()
    }

    /// Writes `count` lines.
    pub(crate) fn feed(&mut self, count: usize) {
        for _ in 0..count {
            let line = format!("w{} w{}", self.fed % 7, self.fed % 13);
            self.feed_line(&line);
        }
    }

    pub(crate) fn feed_line(&mut self, line: &str) {
        for word in line.split_whitespace() {
            *self.expected.entry(word.to_owned()).or_default() += 1;
        }
        self.fed += 1;
        let line = Some(line.as_bytes());
        self.cluster.produce(&Topic::from("lines"), None, line, Timestamp::UNKNOWN, &Headers::new()).unwrap();
    }

    /// How many lines were fed.
    pub(crate) fn fed(&self) -> usize {
        self.fed
    }

    /// The last count of every word.
    pub(crate) fn counts(&self) -> BTreeMap<String, i64> {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        let records = self.cluster.records(&Topic::from("counts"));
        records
            .iter()
            .map(|(_, record)| (text(record.key.as_deref()), text(record.value.as_deref()).parse().unwrap()))
            .collect()
    }

    /// Everything that is in the cluster's topics, to compare runs.
    pub(crate) fn content(&self) -> Vec<(String, Vec<(i32, OwnedRecord)>)> {
        let topics = self.cluster.topics();
        topics.into_iter().map(|topic| (topic.to_string(), self.cluster.records(&topic))).collect()
    }

    /// How many lines are committed.
    pub(crate) fn committed_lines(&self) -> i64 {
        let committed = self.cluster.group(APPLICATION).committed;
        let lines = committed.iter().filter(|(partition, _)| partition.topic.as_str() == "lines");
        lines.map(|(_, committed)| committed.offset.value()).sum()
    }

    /// Whether all words that were made of lines are committed too.
    pub(crate) fn words_are_committed(&self) -> bool {
        let committed = self.cluster.group(APPLICATION).committed;
        let words = Topic::from("word-count-words-repartition");
        let partitions = self.cluster.topic(&words).map_or(Vec::new(), |topic| topic.partitions);
        partitions.iter().zip(0..).all(|(marks, partition)| {
            let committed = committed.get(&TopicPartition::new(words.clone(), partition));
            committed.map_or(Offset::ZERO, |committed| committed.offset) == marks.high
        })
    }

    /// Gives each instance so many turns, 20 ms apart.
    pub(crate) fn run(&self, instances: &mut [Driven], turns: usize) {
        for _ in 0..turns {
            for instance in instances.iter_mut() {
                instance.turn();
            }
            self.clock.advance(Duration::from_millis(20));
        }
    }

    /// Turns until `done`; the number of turns only ends a run that will never come to it.
    pub(crate) fn run_until(&self, instances: &mut [Driven], what: &str, done: impl Fn(&[Driven]) -> bool) {
        for _ in 0..10_000 {
            if done(instances) {
                return;
            }
            self.run(instances, 1);
        }
        let states: Vec<State> = instances.iter().map(Driven::state).collect();
        let differ: Vec<_> =
            self.counts().into_iter().filter(|(word, count)| self.expected.get(word) != Some(count)).collect();
        let group = self.cluster.group(APPLICATION);
        panic!(
            "it never came to this: {what}; {states:?}, {:?} of generation {}; {} of {} lines committed, wrong counts: {differ:?}",
            group.state,
            group.generation,
            self.committed_lines(),
            self.fed
        );
    }

    /// Turns until all run and what was fed is counted and committed.
    pub(crate) fn settle(&self, instances: &mut [Driven]) {
        self.run_until(instances, "everything is counted and committed", |instances| {
            instances.iter().all(|instance| instance.state() == State::Running)
                && self.counts() == self.expected
                && self.committed_lines() == self.fed as i64
                && self.words_are_committed()
        });
    }
}
