//! What waits outlives its task: it is restored from the changelog with its place, its time and its headers.

use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::dsl::{BufferConfig, StreamsBuilder, Suppressed, Topics};
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp, Topic};
use headwater::runtime::{CloseOptions, Driven, State};

const APPLICATION: &str = "few";

/// The table of all topics whose names begin with `stock`, its changes kept back for 100 ms.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let stock = builder.stream::<String, String>(Topics::Matching("stock.*".to_owned()));
    let limit = Duration::from_millis(100);
    let suppressed = Suppressed::until_time_limit(limit, BufferConfig::unbounded()).with_name("few");
    stock.to_table().suppress(suppressed).to_stream().to("out");
    builder.build().unwrap()
}

struct World {
    clock: ManualClock,
    cluster: Cluster,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        cluster.create_topic("stock", 1).unwrap();
        cluster.create_topic("out", 1).unwrap();
        World { clock, cluster }
    }

    fn instance(&self, id: u128) -> Driven {
        let builder = KafkaStreams::builder(topology()).application_id(APPLICATION).on(&self.cluster);
        let builder = builder.set("dsl.store.suppliers.class", "in_memory").set("commit.interval.ms", "100");
        let builder = builder.set("statestore.cache.max.bytes", "0").set("metadata.max.age.ms", "1000");
        builder.process_id(id).drive().unwrap()
    }

    fn feed(&self, topic: &str, key: &str, value: &str, timestamp: i64) {
        let headers = Headers::new();
        headers.add("of", Some(value.as_bytes()));
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        let timestamp = Timestamp::from_millis(timestamp);
        self.cluster.produce(&Topic::from(topic), key, value, timestamp, &headers).unwrap();
    }

    /// What was handed on: key, value, time, header.
    fn out(&self) -> Vec<String> {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        let records = self.cluster.records(&Topic::from("out"));
        let shown = records.iter().map(|(_, record)| {
            let header = text(record.headers.first().and_then(|header| header.value.as_deref()));
            let (key, value) = (text(record.key.as_deref()), text(record.value.as_deref()));
            format!("{key}={value}@{} {header}", record.timestamp)
        });
        shown.collect()
    }

    /// How many records of the input are committed.
    fn committed(&self) -> i64 {
        let committed = self.cluster.group(APPLICATION).committed;
        committed.values().map(|committed| committed.offset.value()).sum()
    }

    /// Takes turns until `done`; the number of turns only ends a run that will never come to it.
    fn run_until(&self, instance: &mut Driven, what: &str, done: impl Fn(&Driven) -> bool) {
        for _ in 0..10_000 {
            if done(instance) {
                return;
            }
            instance.turn();
            self.clock.advance(Duration::from_millis(20));
        }
        panic!("it never came to this: {what}; {:?}, out: {:?}", instance.state(), self.out());
    }

    fn commit(&self, instance: &mut Driven, records: i64) {
        self.run_until(instance, "everything is committed", |_| self.committed() == records);
    }

    fn close(&self, mut instance: Driven) {
        instance.begin_close(CloseOptions::default());
        self.run_until(&mut instance, "it is closed", |instance| instance.state() == State::NotRunning);
    }
}

/// After a restart results came early, with the times of others, or never (KAFKA-7895).
#[test]
fn what_waits_is_handed_on_by_the_next_instance() {
    let world = World::new();
    let mut instance = world.instance(1);
    world.feed("stock", "b", "1", 5);
    world.feed("stock", "a", "1", 10);
    world.feed("stock", "b", "2", 20);
    world.commit(&mut instance, 3);
    world.close(instance);
    assert!(world.out().is_empty());

    let mut instance = world.instance(2);
    world.feed("stock", "a", "3", 70);
    world.feed("stock", "c", "1", 108);
    world.commit(&mut instance, 5);
    assert_eq!(world.out(), ["b=2@20 2"], "it waits since 5");
    world.close(instance);

    let mut instance = world.instance(3);
    world.feed("stock", "d", "1", 300);
    world.commit(&mut instance, 6);
    assert_eq!(world.out(), ["b=2@20 2", "a=3@70 3", "c=1@108 1"]);
    world.feed("stock", "e", "1", 500);
    world.commit(&mut instance, 7);
    assert_eq!(world.out().split_off(3), ["d=1@300 1"], "what was handed on is gone from the changelog");
}

#[test]
fn after_a_crash_what_was_committed_still_waits() {
    let world = World::new();
    let mut instance = world.instance(1);
    world.feed("stock", "a", "1", 10);
    world.commit(&mut instance, 1);
    drop(instance);
    world.clock.advance(Duration::from_mins(1));

    let mut instance = world.instance(2);
    world.feed("stock", "b", "1", 200);
    world.commit(&mut instance, 2);
    assert_eq!(world.out(), ["a=1@10 1"]);
}

#[test]
fn a_task_that_begins_anew_in_the_same_process_has_its_buffer_back() {
    let world = World::new();
    let mut instance = world.instance(1);
    world.feed("stock", "a", "1", 10);
    world.commit(&mut instance, 1);
    // Its task gets one more input, for which it is stopped and started again.
    world.cluster.create_topic("stock-too", 1).unwrap();
    world.feed("stock-too", "b", "1", 20);
    world.commit(&mut instance, 2);
    world.feed("stock", "c", "1", 200);
    world.commit(&mut instance, 3);
    assert_eq!(world.out(), ["a=1@10 1", "b=1@20 1"]);
}
