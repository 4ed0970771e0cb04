//! A cluster under a virtual clock, and instances of two threads each that take their turns, with state on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp, Topic, TopicPartition};
use headwater::runtime::{CloseOptions, Driven, State};

use crate::operators::topology;

const APPLICATION: &str = "moving";
const PARTITIONS: i32 = 4;
const INPUTS: [&str; 2] = ["left", "right"];

pub(crate) struct World {
    clock: ManualClock,
    cluster: Cluster,
    topology: Topology,
    alive: Arc<()>,
    /// Running instances by number; each has a state directory of its own, which outlives it.
    instances: BTreeMap<usize, Driven>,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in INPUTS.into_iter().chain(["out", "out-2"]) {
            cluster.create_topic(topic, PARTITIONS).expect("it is new");
        }
        let alive = Arc::new(());
        let topology = topology(name, &alive);
        let directory = tempfile::tempdir().expect("a directory for state");
        World { clock, cluster, topology, alive, instances: BTreeMap::new(), directory }
    }

    pub(crate) fn start(&mut self, number: usize) {
        let instance = KafkaStreams::builder(self.topology.clone())
            .application_id(APPLICATION)
            .on(&self.cluster)
            .threads(2)
            .state_dir(self.directory.path().join(number.to_string()))
            .set("commit.interval.ms", "100")
            .drive()
            .expect("it starts");
        self.instances.insert(number, instance);
    }

    /// Closes an instance, has the others go on without it, and starts it again.
    pub(crate) fn restart(&mut self, number: usize) {
        let mut closing = self.instances.remove(&number).expect("it runs");
        closing.begin_close(CloseOptions::default());
        self.until("an instance closes", |world| {
            closing.turn();
            world.turn();
            closing.state() == State::NotRunning
        });
        drop(closing);
        self.settle();
        self.start(number);
    }

    fn turn(&mut self) {
        for instance in self.instances.values_mut() {
            instance.turn();
            assert_ne!(instance.state(), State::Error, "an instance failed");
        }
        self.clock.advance(Duration::from_millis(20));
    }

    /// The number of turns only ends a run that will never come to it.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..20_000 {
            if done(self) {
                return;
            }
        }
        panic!("it never came to this: {what}");
    }

    /// Turns until all run and everything is committed.
    pub(crate) fn settle(&mut self) {
        self.until("everything is committed", |world| {
            world.turn();
            world.instances.values().all(|instance| instance.state() == State::Running) && world.is_committed()
        });
    }

    fn is_committed(&self) -> bool {
        let committed = self.cluster.group(APPLICATION).committed;
        let read = self.cluster.topics().into_iter().filter(|topic| {
            let name = topic.as_str();
            name.ends_with("-repartition") || committed.keys().any(|partition| partition.topic == *topic)
        });
        read.into_iter().all(|topic| {
            let partitions = self.cluster.topic(&topic).map_or(Vec::new(), |topic| topic.partitions);
            partitions.iter().zip(0..).all(|(marks, number)| {
                let at = committed.get(&TopicPartition::new(topic.clone(), number));
                marks.high.value() == at.map_or(0, |at| at.offset.value())
            })
        })
    }

    /// Writes the records of a round, in the order of time.
    pub(crate) fn feed(&self, round: usize) {
        for number in 0..30_usize {
            let at = Timestamp::from_millis((round * 300 + number * 10) as i64);
            let (key, value) = (format!("k{}", (round + number) % 10), format!("{}", (round * number) % 7));
            for topic in INPUTS {
                let deleted = topic == "right" && number % 11 == 10;
                let value = Some(value.as_bytes()).filter(|_| !deleted);
                let topic = Topic::from(topic);
                self.cluster.produce(&topic, Some(key.as_bytes()), value, at, &Headers::new()).expect("it is there");
            }
        }
    }

    /// Has stream time leap for every key, so that what waits for it is told, and settles.
    pub(crate) fn feed_last(&mut self) {
        for at in [1_000_000, 2_000_000] {
            for number in 0..10 {
                let (key, at) = (format!("k{number}"), Timestamp::from_millis(at));
                let (key, left) = (Some(key.as_bytes()), Topic::from(INPUTS[0]));
                self.cluster.produce(&left, key, Some(b"last"), at, &Headers::new()).expect("it is there");
            }
        }
        self.settle();
    }

    /// What was written last for each key of each output.
    pub(crate) fn last(&self) -> BTreeMap<(String, Vec<u8>), Option<Vec<u8>>> {
        let outputs = ["out", "out-2"].into_iter().flat_map(|output| {
            let records = self.cluster.records(&Topic::from(output)).into_iter();
            records.map(move |(_, record)| (output.to_owned(), record))
        });
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        outputs
            .map(|(output, record)| {
                ((output, bytes(record.key.as_deref()).unwrap_or_default()), bytes(record.value.as_deref()))
            })
            .collect()
    }

    /// How often what the topology's nodes capture is held.
    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.alive)
    }
}
