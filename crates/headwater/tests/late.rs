//! What is late stays late: a restart, or a move of a task, changes nothing of it.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Headers, Topic};
use headwater::rocksdb::RocksDbStores;
use headwater::runtime::{CloseOptions, Driven, State};
use headwater::store::MemoryBudget;
use headwater::testing::{StateOnDisk, TopologyTestDriver};

const APPLICATION: &str = "late";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// An operator of each kind that tells late records by its own stream time.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let told = |name: &'static str, table: &KTable<Windowed<String>, i64>| {
        let texts = table.to_stream().map(move |key, count| (key.key.clone(), format!("{name} {key} {count:?}")));
        texts.to_with("out", Produced::by_type());
    };
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    let grouped = left.group_by_key();
    let windows = grouped.windowed_by(TimeWindows::of_size_with_no_grace(ms(10))).count();
    told("windows", &windows);
    told("final", &windows.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())));
    told("sliding", &grouped.windowed_by(SlidingWindows::of_time_difference_with_no_grace(ms(10))).count());
    told("sessions", &grouped.windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(ms(10))).count());
    let (one, other) = (left.group_by_key(), right.group_by_key());
    let together = one.cogroup(|_, _, sum: i64| sum + 1).cogroup(&other, |_, _, sum| sum + 100);
    told("together", &together.windowed_by(TimeWindows::of_size_with_no_grace(ms(10))).aggregate(|| 0));
    let near = JoinWindows::of_time_difference_with_no_grace(ms(10));
    left.left_join(&right, |_, one, other: Option<&String>| format!("joined {one} {other:?}"), near).to("out");
    builder.build().unwrap()
}

/// What a driver tells that is started again with this state, if any, before the late records come.
fn driven(on_disk: bool, restart: Option<StateOnDisk>) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let driver = TopologyTestDriver::builder(topology()).settings([("statestore.cache.max.bytes", "0")]);
    let stores = || Arc::new(RocksDbStores::new(MemoryBudget::default()));
    let driver = if on_disk { driver.persistent_stores(stores(), directory.path()) } else { driver };
    let driver = driver.build().unwrap();
    let input = |topic| driver.input_topic::<String, String>(topic);
    input("left").pipe_at("a", "1", 100).unwrap();
    input("right").pipe_at("a", "2", 120).unwrap();
    if let Some(state) = restart {
        driver.restart(state).unwrap();
    }
    input("left").pipe_at("a", "3", 5).unwrap();
    input("right").pipe_at("a", "4", 6).unwrap();
    input("left").pipe_at("a", "5", 121).unwrap();
    driver.output_topic::<String, String>("out").read_values().unwrap()
}

#[test]
fn a_late_record_is_late_after_a_restart() {
    let whole = driven(false, None);
    assert_eq!(whole.iter().filter(|told| told.contains("joined 3")).count(), 1, "{whole:?}");
    assert!(whole.len() > 8 && whole.iter().all(|told| !told.contains("@0/") && !told.contains("@5/")), "{whole:?}");
    for state in [StateOnDisk::Kept, StateOnDisk::Wiped] {
        assert_eq!(driven(false, Some(state)), whole, "in memory, {state:?}");
        assert_eq!(driven(true, Some(state)), whole, "on disk, {state:?}");
    }
}

struct World {
    clock: ManualClock,
    cluster: Cluster,
    guarantee: &'static str,
    directory: tempfile::TempDir,
    instances: Vec<Driven>,
    fed: i64,
}

impl World {
    fn new(guarantee: &'static str) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["left", "right", "out"] {
            cluster.create_topic(topic, 2).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        World { clock, cluster, guarantee, directory, instances: Vec::new(), fed: 0 }
    }

    fn start(&mut self, number: u128) {
        let instance = KafkaStreams::builder(topology())
            .application_id(APPLICATION)
            .on(&self.cluster)
            .process_id(number)
            .state_dir(self.directory.path().join(number.to_string()))
            .set("processing.guarantee", self.guarantee)
            .set("statestore.cache.max.bytes", "0");
        self.instances.push(instance.drive().unwrap());
    }

    /// Records of all partitions, which are then committed.
    fn feed(&mut self, topic: &str, at_ms: i64) {
        for key in 0..8 {
            let (key, value) = (format!("k{key}"), format!("{topic}@{at_ms}"));
            let (key, value, at) = (key.as_bytes(), value.as_bytes(), Timestamp::from_millis(at_ms));
            self.cluster.produce(&Topic::from(topic), Some(key), Some(value), at, &Headers::new()).unwrap();
            self.fed += 1;
        }
        let fed = self.fed;
        self.until("all is committed", |world| {
            let committed = world.cluster.group(APPLICATION).committed;
            committed.values().map(|committed| committed.offset.value()).sum::<i64>() == fed
        });
    }

    /// The first instance closes, and the others have its tasks.
    fn close_first(&mut self) {
        self.instances[0].begin_close(CloseOptions::default());
        self.until("it is closed", |world| world.instances[0].state() == State::NotRunning);
        self.instances.remove(0).outcome().unwrap();
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if done(self) {
                return;
            }
            self.instances.iter_mut().for_each(Driven::turn);
            self.clock.advance(ms(20));
        }
        panic!("it never came to this: {what}; {:?}", self.told());
    }

    /// All that was told, sorted.
    fn told(&self) -> Vec<String> {
        let records = self.cluster.records(&Topic::from("out")).into_iter();
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap();
        let mut told: Vec<_> = records
            .map(|(_, record)| format!("{} {}", text(record.key.map(Into::into)), text(record.value.map(Into::into))))
            .collect();
        told.sort();
        told
    }
}

#[test]
fn a_late_record_is_late_wherever_its_task_is() {
    let told = |guarantee, moves| {
        let mut world = World::new(guarantee);
        world.start(1);
        world.feed("left", 100);
        world.feed("right", 120);
        if moves {
            world.start(2);
            world.until("both run", |world| world.instances.iter().all(|one| one.state() == State::Running));
        }
        world.feed("left", 5);
        if moves {
            world.close_first();
        }
        world.feed("right", 6);
        world.feed("left", 121);
        world.told()
    };
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        let quiet = told(guarantee, false);
        assert!(quiet.len() > 8 * 8 && quiet.iter().all(|told| !told.contains("@0/")), "{quiet:?}");
        assert_eq!(told(guarantee, true), quiet, "{guarantee}");
    }
}

#[test]
fn stream_times_that_no_broker_takes_are_left_out() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("left").group_by_key();
    for number in 0..30 {
        let windowed = grouped.windowed_by(TimeWindows::of_size_with_no_grace(ms(10)));
        let emit = if number == 0 { EmitStrategy::OnWindowClose } else { EmitStrategy::OnWindowUpdate };
        let kept = Materialized::named(format!("{number}{}", "-long".repeat(25))).with_retention(ms(1_000));
        let counts = windowed.emit_strategy(emit).count_with(kept).to_stream();
        counts.map(|key, count| (key.key.clone(), *count)).to_with(&format!("out{number}"), Produced::by_type());
    }
    let driver = TopologyTestDriver::builder(builder.build().unwrap()).settings([("statestore.cache.max.bytes", "0")]);
    let driver = driver.build().unwrap();
    let input = driver.input_topic::<String, String>("left");
    input.pipe_at("a", "1", 5).unwrap();
    input.pipe_at("a", "2", 100).unwrap();
    driver.restart(StateOnDisk::Wiped).unwrap();
    input.pipe_at("a", "3", 110).unwrap();
    let told = |topic| driver.output_topic::<String, Option<i64>>(topic).read_values().unwrap();
    assert_eq!(told("out0"), [Some(1), Some(1)], "what Java keeps there is kept: no window is told twice");
    assert_eq!(told("out29"), [Some(1), Some(1), Some(1)]);
}
