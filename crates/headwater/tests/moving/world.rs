//! A cluster under a virtual clock, and instances of two threads each that take their turns, with state on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp, Topic, TopicPartition};
use headwater::runtime::{CloseOptions, Driven, State};

use crate::dice::Dice;
use crate::draft::Draft;

const APPLICATION: &str = "moving";
const PARTITIONS: usize = 4;
/// Written to in each round, in the order of time.
const INPUTS: [&str; 3] = ["left", "right", "table"];
/// Of global stores, written before anything starts.
const GLOBALS: [&str; 2] = ["shops", "names"];
const OUTPUTS: [&str; 2] = ["rows", "each"];

pub(crate) struct World {
    clock: ManualClock,
    cluster: Cluster,
    topology: Topology,
    /// Topics that tasks read, and commit.
    read: Vec<Topic>,
    format: &'static str,
    dice: Dice,
    time_ms: i64,
    alive: Arc<()>,
    outputs: usize,
    /// Running instances by number; each has a state directory of its own, which outlives it.
    instances: BTreeMap<usize, Driven>,
    directory: tempfile::TempDir,
}

impl World {
    /// The seed says what is written, and whether stores keep headers.
    pub(crate) fn new(write: fn(&Draft), seed: u64) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in INPUTS.into_iter().chain(GLOBALS).chain(OUTPUTS) {
            cluster.create_topic(topic, PARTITIONS as i32).expect("it is new");
        }
        let alive = Arc::new(());
        let draft = Draft::new(&alive);
        write(&draft);
        let topology = draft.builder.build().expect("the topology is without mistakes").for_application(APPLICATION);
        let outputs = draft.outputs();
        let parts = topology.subtopologies().iter().filter(|part| !part.global);
        let read: BTreeSet<_> = parts.flat_map(|part| topology.source_topics(part)).map(Topic::new).collect();
        let world = World {
            clock,
            cluster,
            read: read.into_iter().collect(),
            topology,
            format: ["default", "headers"][(seed % 2) as usize],
            dice: Dice::new(seed),
            time_ms: 0,
            alive,
            outputs,
            instances: BTreeMap::new(),
            directory: tempfile::tempdir().expect("a directory for state"),
        };
        for (topic, key) in GLOBALS.into_iter().flat_map(|topic| (0..7).map(move |key| (topic, key))) {
            world.write(topic, &format!("k{key}"), Some(&format!("{topic} {key}")), 0);
        }
        world
    }

    pub(crate) fn start(&mut self, number: usize) {
        let instance = KafkaStreams::builder(self.topology.clone())
            .application_id(APPLICATION)
            .on(&self.cluster)
            .threads(2)
            .process_id(1 + number as u128)
            .state_dir(self.directory.path().join(number.to_string()))
            .set("commit.interval.ms", "100")
            .set("dsl.store.format", self.format)
            .drive()
            .expect("it starts");
        self.instances.insert(number, instance);
    }

    /// Closes an instance, whatever is under way.
    pub(crate) fn close(&mut self, number: usize) {
        let mut closing = self.instances.remove(&number).expect("it runs");
        closing.begin_close(CloseOptions::default());
        self.until("an instance closes", |world| {
            closing.turn();
            world.turn();
            closing.state().is_final()
        });
        closing.outcome().expect("nothing fails, and nothing outlives its task");
    }

    pub(crate) fn turns(&mut self, turns: usize) {
        (0..turns).for_each(|_| self.turn());
    }

    fn turn(&mut self) {
        for instance in self.instances.values_mut() {
            instance.turn();
            assert_ne!(instance.state(), State::Error, "an instance failed: {:?}", instance.outcome());
        }
        self.clock.advance(Duration::from_millis(20));
    }

    /// The number of turns only ends a run that will never come to it.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..4_000 {
            if done(self) {
                return;
            }
        }
        let states: Vec<_> =
            self.instances.values().map(|instance| (instance.state(), instance.thread_states())).collect();
        panic!("it never came to this: {what}; {states:?}, {} alive; {:?}", self.alive(), self.behind());
    }

    /// Turns until all tasks run and everything is committed. Then each task is alive once.
    pub(crate) fn settle(&mut self) {
        let wanted = self.outputs * PARTITIONS;
        self.until("everything is committed", |world| {
            world.turn();
            let running = world.instances.values().all(|instance| instance.state() == State::Running);
            running && world.alive() >= wanted && world.is_committed()
        });
        assert_eq!(self.alive(), wanted, "nodes of closed tasks are left");
    }

    fn is_committed(&self) -> bool {
        self.behind().is_empty()
    }

    /// Partitions that are read and not committed to their ends, with both offsets.
    fn behind(&self) -> Vec<(TopicPartition, i64, i64)> {
        let committed = self.cluster.group(APPLICATION).committed;
        let topics = self.read.iter().filter_map(|topic| Some((topic, self.cluster.topic(topic)?.partitions)));
        let marks = topics.flat_map(|(topic, partitions)| {
            let marks = partitions.into_iter().zip(0..);
            marks.map(|(marks, number)| (TopicPartition::new(topic.clone(), number), marks.high.value()))
        });
        let offsets = marks.map(|(partition, end)| {
            let at = committed.get(&partition).map_or(0, |at| at.offset.value());
            (partition, at, end)
        });
        offsets.filter(|(_, at, end)| at != end).collect()
    }

    fn write(&self, topic: &str, key: &str, value: Option<&str>, at_ms: i64) {
        let (at, value) = (Timestamp::from_millis(at_ms), value.map(str::as_bytes));
        let written = self.cluster.produce(&Topic::from(topic), Some(key.as_bytes()), value, at, &Headers::new());
        written.expect("the topic is there");
    }

    /// Writes the records of a round: keys `k0` to `k9`, values `0` to `6`, and rows that are deleted.
    pub(crate) fn feed(&mut self) {
        for _ in 0..30 {
            self.time_ms += 1 + self.dice.below(20) as i64;
            let (topic, key) = (INPUTS[self.dice.below(INPUTS.len())], format!("k{}", self.dice.below(10)));
            let value = self.dice.below(7).to_string();
            let deleted = topic == "table" && self.dice.below(10) == 0;
            self.write(topic, &key, Some(value.as_str()).filter(|_| !deleted), self.time_ms);
        }
    }

    /// Has stream time leap in every task, so that what waits for it is told, and settles.
    pub(crate) fn feed_last(&mut self) {
        for at_ms in [1_000_000, 2_000_000] {
            for (topic, number) in INPUTS.into_iter().flat_map(|topic| (0..24).map(move |number| (topic, number))) {
                self.write(topic, &format!("end{number}"), Some(&format!("end{number}")), at_ms);
            }
            self.settle();
            // A join, and what is emitted on close, looks for what has closed at most once a second.
            self.clock.advance(Duration::from_secs(2));
        }
    }

    /// What was told of all but the records at the end, sorted: the last row of each key, and each of those records of which each
    /// one is certain. How many at the end are handed on before the others come is another matter.
    pub(crate) fn told(&self) -> Vec<String> {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let [rows, each] = OUTPUTS.map(|output| {
            let records = self.cluster.records(&Topic::from(output)).into_iter();
            let told = records.map(|(_, record)| {
                let key = text(record.key.as_deref()).unwrap_or_default();
                (key, text(record.value.as_deref()), record.timestamp.millis())
            });
            told.filter(|(key, ..)| !key.contains("end")).collect::<Vec<_>>()
        });
        let rows: BTreeMap<_, _> = rows.into_iter().map(|(key, row, _)| (key, row)).collect();
        let rows = rows.into_iter().filter_map(|(key, row)| Some(format!("{key}: {}", row?)));
        let each = each.into_iter().map(|(key, value, at)| format!("{key}: {value:?} at {at}"));
        let mut told: Vec<String> = rows.chain(each).collect();
        told.sort();
        told
    }

    /// How many outputs of tasks are alive: but for theirs, the world and the supplier of each output hold on to the same.
    pub(crate) fn alive(&self) -> usize {
        Arc::strong_count(&self.alive) - 1 - self.outputs
    }
}
