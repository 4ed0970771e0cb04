//! Windows that are closed by the clock on the wall when no records come: each is told once, wherever its task is, and what comes for
//! it later is late.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Clock as _, Headers, Topic};
use headwater::rocksdb::RocksDbStores;
use headwater::runtime::{CloseOptions, Driven, DropReason, State};
use headwater::store::MemoryBudget;
use headwater::testing::{StateOnDisk, TopologyTestDriver};

const APPLICATION: &str = "idle";
const IDLE: Duration = Duration::from_secs(30);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Counts by windows of each kind, told when they close, or half a minute after the last record.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let told = |name: &'static str, table: &KTable<Windowed<String>, i64>| {
        let texts = table
            .to_stream()
            .map(move |key, count| (key.key.clone(), format!("{name} {key} {}", count.unwrap_or_default())));
        texts.to_with("out", Produced::by_type());
    };
    let grouped = builder.stream::<String, String>("in").group_by_key();
    let emit = EmitStrategy::OnWindowCloseOrIdle(IDLE);
    let tumbling = TimeWindows::of_size_with_no_grace(seconds(10));
    let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).after_idle(IDLE).with_name("finals");
    told("suppressed", &grouped.windowed_by(tumbling).count().suppress(finals));
    told("tumbling", &grouped.windowed_by(tumbling).emit_strategy(emit).count());
    let hopping = TimeWindows::of_size_and_grace(seconds(12), seconds(4)).advance_by(seconds(5));
    told("hopping", &grouped.windowed_by(hopping).emit_strategy(emit).count());
    let sliding = SlidingWindows::of_time_difference_and_grace(seconds(8), seconds(3));
    told("sliding", &grouped.windowed_by(sliding).emit_strategy(emit).count());
    let sessions = SessionWindows::of_inactivity_gap_and_grace(seconds(6), seconds(2));
    told("sessions", &grouped.windowed_by(sessions).emit_strategy(emit).count());
    builder.build().unwrap()
}

/// The windows of a record at 12 s.
const OF_FIRST: [&str; 6] = [
    "suppressed [a@10000/20000] 1",
    "tumbling [a@10000/20000] 1",
    "hopping [a@5000/17000] 1",
    "hopping [a@10000/22000] 1",
    "sliding [a@4000/12000] 1",
    "sessions [a@12000/12000] 1",
];

fn sorted(mut told: Vec<String>) -> Vec<String> {
    told.sort();
    told
}

/// Half a minute without records, with a restart perhaps, and records for what was closed meanwhile.
fn driven(on_disk: bool, cache: &str, restart: Option<StateOnDisk>) {
    let case = format!("on disk: {on_disk}, cache: {cache}, restart: {restart:?}");
    let directory = tempfile::tempdir().unwrap();
    let driver = TopologyTestDriver::builder(topology()).settings([("statestore.cache.max.bytes", cache)]);
    let stores = Arc::new(RocksDbStores::new(MemoryBudget::default()));
    let driver = if on_disk { driver.persistent_stores(stores, directory.path()) } else { driver };
    let driver = driver.build().unwrap();
    let input = driver.input_topic::<String, String>("in");
    let output = driver.output_topic::<String, String>("out");
    let told = || sorted(output.read_values().unwrap());

    driver.advance_wall_clock(IDLE * 3).unwrap();
    input.pipe_at("a", "1", 12_000).unwrap();
    driver.advance_wall_clock(Duration::from_millis(29_999)).unwrap();
    assert_eq!(told(), [""; 0], "{case}");
    driver.advance_wall_clock(Duration::from_millis(1)).unwrap();
    assert_eq!(told(), sorted(OF_FIRST.map(str::to_owned).to_vec()), "{case}");
    driver.advance_wall_clock(IDLE * 3).unwrap();
    if let Some(state) = restart {
        driver.restart(state).unwrap();
        driver.advance_wall_clock(IDLE * 3).unwrap();
    }
    assert_eq!(driver.dropped_records(), 0, "{case}");
    // In the suppression, in one window twice and in three once.
    input.pipe_at("a", "late", 11_000).unwrap();
    assert_eq!((told(), driver.dropped_records()), (Vec::new(), 7), "{case}");
    driver.advance_wall_clock(IDLE * 3).unwrap();
    assert_eq!(told(), [""; 0], "{case}");
    // What is later is counted, and closed by the next silence, or by records as ever.
    input.pipe_at("a", "2", 40_000).unwrap();
    driver.advance_wall_clock(IDLE).unwrap();
    let of_second = [
        "suppressed [a@40000/50000] 1",
        "tumbling [a@40000/50000] 1",
        "hopping [a@30000/42000] 1",
        "hopping [a@35000/47000] 1",
        "hopping [a@40000/52000] 1",
        "sliding [a@32000/40000] 1",
        "sessions [a@40000/40000] 1",
    ];
    assert_eq!(told(), sorted(of_second.map(str::to_owned).to_vec()), "{case}");
    input.pipe_at("a", "3", 90_000).unwrap();
    input.pipe_at("a", "4", 100_000).unwrap();
    let later = told();
    assert!(later.contains(&"suppressed [a@90000/100000] 1".to_owned()), "{case}: {later:?}");
    assert_eq!(driver.dropped_records(), 7, "{case}");
}

#[test]
fn windows_are_closed_once_when_no_records_come() {
    for restart in [None, Some(StateOnDisk::Kept), Some(StateOnDisk::Wiped)] {
        for cache in ["0", "1000000"] {
            driven(false, cache, restart);
            driven(true, cache, restart);
        }
    }
}

struct World {
    clock: ManualClock,
    cluster: Cluster,
    settings: Vec<(&'static str, &'static str)>,
    directory: tempfile::TempDir,
    instances: Vec<Driven>,
}

impl World {
    fn new(partitions: i32, settings: &[(&'static str, &'static str)]) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["in", "out"] {
            cluster.create_topic(topic, partitions).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        World { clock, cluster, settings: settings.to_vec(), directory, instances: Vec::new() }
    }

    fn start(&mut self, topology: Topology, number: u128) {
        let instance = KafkaStreams::builder(topology)
            .application_id(APPLICATION)
            .on(&self.cluster)
            .process_id(number)
            .state_dir(self.directory.path().join(number.to_string()));
        let instance = self.settings.iter().fold(instance, |instance, (key, value)| instance.set(*key, *value));
        self.instances.push(instance.drive().unwrap());
        self.until("all run", |world| world.instances.iter().all(|one| one.state() == State::Running));
    }

    fn feed(&self, key: &str, time: i64) {
        let time = Timestamp::from_millis(time);
        self.cluster.produce(&Topic::from("in"), Some(key.as_bytes()), Some(b"v"), time, &Headers::new()).unwrap();
    }

    fn turn(&mut self) {
        self.instances.iter_mut().for_each(Driven::turn);
        self.clock.advance(Duration::from_millis(50));
    }

    fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 50 {
            self.turn();
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..10_000 {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("it never came to this: {what}; {:?}", self.told());
    }

    /// The first instance closes, and the others have its tasks.
    fn close_first(&mut self) {
        self.instances[0].begin_close(CloseOptions::default());
        self.until("it is closed", |world| world.instances[0].state() == State::NotRunning);
        self.instances.remove(0).outcome().unwrap();
        self.until("all run", |world| world.instances.iter().all(|one| one.state() == State::Running));
    }

    fn committed(&self) -> i64 {
        let committed = self.cluster.group(APPLICATION).committed;
        committed.values().map(|committed| committed.offset.value()).sum()
    }

    /// All that was told and committed, and how often.
    fn told(&self) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        for (_, record) in self.cluster.records(&Topic::from("out")) {
            let text = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
            *told.entry(text).or_default() += 1;
        }
        told
    }

    /// Records that were left out because they were late, by all tasks of the instances there are.
    fn late(&self) -> u64 {
        let threads = self.instances.iter().flat_map(|instance| instance.snapshot().threads);
        let tasks = threads.flat_map(|thread| thread.tasks.into_values());
        tasks.map(|task| task.dropped.get(&DropReason::Late).copied().unwrap_or_default()).sum()
    }
}

#[test]
fn what_was_closed_stays_closed_wherever_its_task_is() {
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        let mut world = World::new(3, &[("processing.guarantee", guarantee), ("commit.interval.ms", "100")]);
        world.start(topology(), 1);
        let keys: Vec<String> = (0..8).map(|key| format!("k{key}")).collect();
        for key in &keys {
            world.feed(key, 12_000);
        }
        // A task that moves waits anew.
        world.run(seconds(20));
        world.start(topology(), 2);
        assert!(world.told().is_empty(), "{guarantee}: {:?}", world.told());
        world.run(IDLE + seconds(5));
        let told = world.told();
        assert_eq!(told.len(), keys.len() * OF_FIRST.len(), "{guarantee}: {told:?}");
        assert!(told.values().all(|count| *count == 1), "{guarantee}: {told:?}");
        let late = |world: &mut World, records: i64| {
            for key in &keys {
                world.feed(key, 11_000);
            }
            world.until("all is committed", |world| world.committed() == records);
            world.run(seconds(2));
        };
        late(&mut world, 16);
        assert_eq!(world.late(), 7 * 8, "{guarantee}");
        world.close_first();
        late(&mut world, 24);
        world.run(IDLE * 2);
        assert_eq!(world.told(), told, "{guarantee}");
        let before = world.committed();
        world.run(IDLE);
        assert_eq!(world.committed(), before, "{guarantee}");
    }
}

/// Hours, told when they are over or five seconds after the last record.
fn hours() -> Topology {
    let builder = StreamsBuilder::new();
    let hours = TimeWindows::of_size_with_no_grace(Duration::from_hours(1));
    let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(hours);
    let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).after_idle(seconds(5)).with_name("finals");
    let counts = counts.count_with(Materialized::named("counts")).suppress(finals);
    let texts = counts.to_stream().map(|key, count| (key.key.clone(), count.unwrap_or_default().to_string()));
    texts.to_with("out", Produced::by_type());
    builder.build().unwrap()
}

/// A minute before the hour is over.
const LATE_IN_HOUR: i64 = 3_540_000;

#[test]
fn what_lies_in_a_record_cache_belongs_to_the_window() {
    let mut world = World::new(1, &[("commit.interval.ms", "30000")]);
    world.start(hours(), 1);
    // The suppression hears of the first with a commit; records come on, and stay in the cache.
    for number in 0..40 {
        world.feed("a", LATE_IN_HOUR + number);
        world.run(seconds(2));
    }
    assert!(world.told().is_empty(), "{:?}", world.told());
    world.run(seconds(120));
    assert_eq!((world.told(), world.late()), (BTreeMap::from([("40".to_owned(), 1)]), 0));
}

#[test]
fn who_stood_still_does_not_know_whether_records_came() {
    let mut world = World::new(1, &[("commit.interval.ms", "100")]);
    world.start(hours(), 1);
    world.feed("a", LATE_IN_HOUR);
    world.run(seconds(3));
    world.clock.advance(Duration::from_mins(10));
    world.feed("a", LATE_IN_HOUR);
    world.run(seconds(5));
    assert!(world.told().is_empty(), "{:?}", world.told());
    world.run(seconds(60));
    assert_eq!((world.told(), world.late()), (BTreeMap::from([("2".to_owned(), 1)]), 0));
}

#[test]
fn it_is_explained() {
    let mut world = World::new(1, &[("commit.interval.ms", "100")]);
    world.start(hours(), 1);
    world.feed("a", LATE_IN_HOUR);
    let began = world.clock.now();
    world.run(seconds(3));
    let explanation = world.instances[0].explain("finals").unwrap();
    let idle = explanation.tasks[0].node.held.unwrap().idle.unwrap();
    assert_eq!(idle.after, seconds(5));
    let closes = idle.closes.unwrap();
    // The hour is over a minute after the record, more than five seconds.
    assert!(closes >= began.plus(seconds(60)) && closes <= began.plus(seconds(61)), "{began} {closes}");
    let text = explanation.to_string();
    assert!(text.contains("so no record moves stream time on"), "{text}");
    assert!(
        text.contains("after 5 s without records it goes on with the clock on the wall, and that is done at"),
        "{text}"
    );
    world.run(seconds(65));
    let explanation = world.instances[0].explain("finals").unwrap();
    let held = explanation.tasks[0].node.held.unwrap();
    assert_eq!((held.records, held.stream_time.millis()), (Some(0), 3_600_000));
    assert_eq!(held.idle.unwrap().closes, None);
}
