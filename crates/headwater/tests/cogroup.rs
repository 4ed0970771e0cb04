//! Streams that are aggregated together in several partitions, while instances come, go and die.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::dsl::{Grouped, Materialized, StreamsBuilder};
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp, Topic};
use headwater::runtime::{CloseOptions, Driven, State};

const APPLICATION: &str = "stock";

/// What was put in and what was taken out, of which only the order's text names the thing: `put` has it as its key.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let put = builder.stream::<String, String>("put").group_by_key();
    let by_thing = Grouped::by_type().with_name("by-thing");
    let taken = builder.stream::<String, String>("taken").group_by_with(|_, thing| thing.clone(), by_thing);
    put.cogroup(|_, pieces, stock: i64| stock + pieces.parse::<i64>().unwrap_or(0))
        .cogroup(&taken, |_, _, stock| stock - 1)
        .aggregate_with(|| 0, Materialized::by_type().with_name("stock"))
        .to_stream()
        .map_values(|_, stock| stock.map(|stock| stock.to_string()))
        .to("out");
    builder.build().unwrap()
}

struct World {
    clock: ManualClock,
    cluster: Cluster,
    expected: BTreeMap<String, i64>,
    fed: i64,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["put", "taken", "out"] {
            cluster.create_topic(topic, 3).unwrap();
        }
        World { clock, cluster, expected: BTreeMap::new(), fed: 0 }
    }

    fn instance(&self, id: u128) -> Driven {
        let builder = KafkaStreams::builder(topology()).application_id(APPLICATION).on(&self.cluster);
        let builder = builder.set("dsl.store.suppliers.class", "in_memory").set("commit.interval.ms", "100");
        builder.set("num.stream.threads", "2").process_id(id).drive().unwrap()
    }

    fn feed(&mut self, records: i64) {
        for number in self.fed..self.fed + records {
            let thing = format!("thing-{}", number % 11);
            let (topic, key, value, change) = if number % 3 == 0 {
                ("taken", format!("order-{number}"), thing.clone(), -1)
            } else {
                ("put", thing.clone(), (number % 5).to_string(), number % 5)
            };
            *self.expected.entry(thing).or_default() += change;
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            self.cluster.produce(&Topic::from(topic), key, value, Timestamp::UNKNOWN, &Headers::new()).unwrap();
        }
        self.fed += records;
    }

    /// The last aggregate of every thing.
    fn out(&self) -> BTreeMap<String, i64> {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        let records = self.cluster.records(&Topic::from("out"));
        let last = |(_, record): &(i32, headwater::record::OwnedRecord)| {
            (text(record.key.as_deref()), text(record.value.as_deref()).parse().unwrap())
        };
        records.iter().map(last).collect()
    }

    /// How many records of the input topics are committed.
    fn committed(&self) -> i64 {
        let committed = self.cluster.group(APPLICATION).committed;
        let input = committed.iter().filter(|(partition, _)| ["put", "taken"].contains(&partition.topic.as_str()));
        input.map(|(_, committed)| committed.offset.value()).sum()
    }

    /// Takes turns until `done`; the number of turns only ends a run that will never come to it.
    fn run_until(&self, instances: &mut [Driven], what: &str, done: impl Fn(&[Driven]) -> bool) {
        for _ in 0..10_000 {
            if done(instances) {
                return;
            }
            for instance in instances.iter_mut() {
                instance.turn();
            }
            self.clock.advance(Duration::from_millis(20));
        }
        panic!("it never came to this: {what}; out: {:?}, expected: {:?}", self.out(), self.expected);
    }

    fn settle(&self, instances: &mut [Driven]) {
        self.run_until(instances, "everything is aggregated and committed", |instances| {
            instances.iter().all(|instance| instance.state() == State::Running)
                && self.out() == self.expected
                && self.committed() == self.fed
        });
    }
}

#[test]
fn every_record_of_both_streams_counts_once_while_tasks_move() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(60);
    world.settle(&mut instances);
    instances.push(world.instance(2));
    world.feed(60);
    world.settle(&mut instances);
    instances[0].begin_close(CloseOptions::default());
    world.feed(60);
    world.run_until(&mut instances, "the first is closed", |instances| instances[0].state() == State::NotRunning);
    instances.remove(0);
    world.settle(&mut instances);
}

#[test]
fn aggregates_are_restored_by_the_next_instance() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(60);
    world.settle(&mut instances);
    drop(instances);
    world.clock.advance(Duration::from_mins(1));
    let mut instances = vec![world.instance(2)];
    world.feed(60);
    world.settle(&mut instances);
}
