//! Versioned tables joined by streams, against models that are slow and plain: random times, out of order and late, and through
//! restarts and moves.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test of one program in one process"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::dsl::{Consumed, Joined, Materialized, StreamsBuilder};
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp, Topic};
use headwater::runtime::{CloseOptions, Driven, State};
use headwater::testing::TopologyTestDriver;
use proptest::prelude::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `sales` joined with the versions of `prices`, which are kept for `history`.
fn topology(history: u64, grace: Option<u64>) -> Topology {
    let builder = StreamsBuilder::new();
    let kept = Materialized::inherited().in_versioned_store("prices", millis(history), millis(7));
    let prices = builder.table_with("prices", Consumed::<String, String>::by_type(), kept);
    let joined = match grace {
        Some(grace) => Joined::inherited().with_name("priced").with_grace_period(millis(grace)),
        None => Joined::inherited().with_name("priced"),
    };
    let sales = builder.stream::<String, String>("sales");
    let join = |_: &String, sale: &String, price: Option<&String>| match price {
        Some(price) => format!("{sale} at {price}"),
        None => format!("{sale} for nothing"),
    };
    sales.left_join_table_with(&prices, join, joined).to("out");
    builder.build().unwrap()
}

/// What comes in: whether it is a price, key, whether it is a tombstone, time.
type Event = (bool, u8, bool, i64);
/// What goes out: key, value, time.
type Sold = (String, String, i64);

fn key(number: u8) -> String {
    format!("k{number}")
}

/// The versions that a table remembers.
#[derive(Default)]
struct Prices {
    history: i64,
    observed: i64,
    versions: BTreeMap<u8, BTreeMap<i64, Option<String>>>,
}

impl Prices {
    /// Whether it was taken.
    fn put(&mut self, key: u8, value: Option<String>, time: i64) -> bool {
        if time < self.observed - self.history {
            return false;
        }
        self.observed = self.observed.max(time);
        self.versions.entry(key).or_default().insert(time, value);
        true
    }

    fn as_of(&self, key: u8, time: i64) -> Option<&String> {
        let versions = self.versions.get(&key)?;
        let (_, found) = versions.range(..=time).next_back()?;
        // Before the history only what still stands is known.
        let stands = versions.range(time + 1..).next().is_none();
        found.as_ref().filter(|_| stands || time >= self.observed - self.history)
    }
}

/// Everything that is sold, in order, and how many prices came too late.
fn model(events: &[Event], history: i64, grace: Option<i64>) -> (Vec<Sold>, u64) {
    let mut prices = Prices { history, observed: -1, ..Prices::default() };
    let (mut sold, mut dropped, mut observed) = (Vec::new(), 0, -1);
    // By time, key and order of coming.
    let mut waiting: BTreeMap<(i64, String, usize), u8> = BTreeMap::new();
    let sell = |prices: &Prices, (time, number, place): (i64, u8, usize), sold: &mut Vec<Sold>| {
        let price = prices.as_of(number, time).map_or("for nothing".to_owned(), |price| format!("at {price}"));
        sold.push((key(number), format!("s{place} {price}"), time));
    };
    for (place, (is_price, number, gone, time)) in events.iter().enumerate() {
        if *is_price {
            let price = (!gone).then(|| format!("p{place}"));
            dropped += u64::from(!prices.put(*number, price, *time));
            continue;
        }
        let Some(grace) = grace.filter(|grace| observed - grace <= *time) else {
            sell(&prices, (*time, *number, place), &mut sold);
            continue;
        };
        observed = observed.max(*time);
        waiting.insert((*time, key(*number), place), *number);
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= observed - grace) {
            let ((time, _, place), number) = first.remove_entry();
            sell(&prices, (time, number, place), &mut sold);
        }
    }
    (sold, dropped)
}

fn run(events: &[Event], history: u64, grace: Option<u64>) -> (Vec<Sold>, u64) {
    let driver = TopologyTestDriver::new(topology(history, grace)).unwrap();
    let prices = driver.input_topic::<String, Option<String>>("prices");
    let sales = driver.input_topic::<String, String>("sales");
    for (place, (is_price, number, gone, time)) in events.iter().enumerate() {
        if *is_price {
            prices.pipe_at(key(*number), (!gone).then(|| format!("p{place}")), *time).unwrap();
        } else {
            sales.pipe_at(key(*number), format!("s{place}"), *time).unwrap();
        }
    }
    let sold = driver.output_topic::<String, String>("out").read_records().unwrap();
    let sold = sold.into_iter().map(|record| (record.key, record.value, record.timestamp.millis()));
    (sold.collect(), driver.dropped_records())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_sale_finds_the_price_of_its_time(
        events in proptest::collection::vec((any::<bool>(), 0_u8..3, proptest::bool::weighted(0.2), 0_i64..30), 1..60),
        grace in proptest::option::of(0_u64..25),
    ) {
        // As in Java a deletion at the time of the only row is forgotten: here it has a time of its own.
        let apart = |(is_price, key, gone, time)| (is_price, key, gone, 2 * time + i64::from(is_price && gone));
        let events: Vec<Event> = events.into_iter().map(apart).collect();
        // All of the history is known.
        let expected = model(&events, 100, grace.map(|grace| grace as i64));
        prop_assert_eq!(run(&events, 100, grace), expected);
    }

    #[test]
    fn a_sale_finds_no_price_further_back_than_the_history(
        // Without tombstones: a store may forget those together with what they followed.
        events in proptest::collection::vec((any::<bool>(), 0_u8..3, Just(false), 0_i64..120), 1..60),
        grace in proptest::option::of(0_u64..15),
    ) {
        let expected = model(&events, 20, grace.map(|grace| grace as i64));
        prop_assert_eq!(run(&events, 20, grace), expected);
    }
}

#[test]
fn a_sale_that_fails_after_its_grace_period_is_left_out_once() {
    let builder = StreamsBuilder::new();
    let kept = Materialized::versioned("prices", millis(1_000));
    let prices = builder.table_with("prices", Consumed::<String, String>::by_type(), kept);
    let sell = |_: &String, sale: &String, price: &String| match sale.as_str() {
        "bad" => Err("it is bad"),
        "worse" => panic!("it is worse"),
        sale => Ok(format!("{sale} at {price}")),
    };
    let sales = builder.stream::<String, String>("sales");
    sales.try_join_table_with(&prices, sell, Joined::inherited().with_grace_period(millis(10))).to("out");
    let driver = TopologyTestDriver::builder(builder.build().unwrap())
        .setting("processing.exception.handler", "LogAndContinueProcessingExceptionHandler")
        .build()
        .unwrap();
    driver.input_topic::<String, String>("prices").pipe_at(key(0), "p".to_owned(), 0).unwrap();
    let sales = driver.input_topic::<String, String>("sales");
    for (sale, time) in [("bad", 5), ("worse", 6), ("good", 7), ("late", 100), ("last", 200)] {
        sales.pipe_at(key(0), sale.to_owned(), time).unwrap();
    }
    let sold = driver.output_topic::<String, String>("out").read_values().unwrap();
    assert_eq!(sold, ["good at p", "late at p"]);
    assert_eq!(driver.dropped_records(), 2);
}

/// An application on a cluster in this process, under a virtual clock.
struct World {
    clock: ManualClock,
    cluster: Cluster,
}

const GRACE: u64 = 100_000;

impl World {
    fn new(partitions: i32) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["prices", "sales", "out"] {
            cluster.create_topic(topic, partitions).unwrap();
        }
        World { clock, cluster }
    }

    fn instance(&self, id: u128, make: &str, directory: &Path) -> Driven {
        KafkaStreams::builder(topology(GRACE, Some(GRACE)))
            .application_id("shop")
            .on(&self.cluster)
            .set("dsl.store.suppliers.class", make)
            .set("commit.interval.ms", "100")
            .state_dir(directory)
            .process_id(id)
            .drive()
            .unwrap()
    }

    fn run(&self, instances: &mut [Driven], turns: usize) {
        for _ in 0..turns {
            for instance in instances.iter_mut() {
                instance.turn();
            }
            self.clock.advance(millis(20));
        }
    }

    fn run_until(&self, instances: &mut [Driven], what: &str, done: impl Fn(&[Driven]) -> bool) {
        for _ in 0..5_000 {
            if done(instances) {
                return;
            }
            self.run(instances, 1);
        }
        panic!("it never came to this: {what}");
    }

    fn feed(&self, topic: &str, key: &str, value: &str, time: i64) {
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        self.cluster.produce(&Topic::from(topic), key, value, Timestamp::from_millis(time), &Headers::new()).unwrap();
    }

    fn sold(&self) -> Vec<String> {
        let records = self.cluster.records(&Topic::from("out"));
        let mut sold: Vec<String> =
            records.iter().map(|(_, sold)| String::from_utf8(sold.value.clone().unwrap().to_vec()).unwrap()).collect();
        sold.sort();
        sold
    }

    /// Has all that was fed until now worked on and committed.
    fn settle(&self, instances: &mut [Driven]) {
        self.run_until(instances, "all run", |instances| {
            instances.iter().all(|instance| instance.state() == State::Running)
        });
        self.run(instances, 100);
    }

    fn close(&self, mut instances: Vec<Driven>) {
        for instance in &instances {
            instance.begin_close(CloseOptions::default());
        }
        self.run_until(&mut instances, "all are closed", |instances| {
            instances.iter().all(|instance| instance.state() == State::NotRunning)
        });
    }

    /// Sales, each a millisecond after a price.
    fn feed_half(&self, half: i64) {
        for (key, time) in places(half) {
            self.feed("prices", &key, &format!("early{time}"), time);
            self.feed("sales", &key, &format!("s{time}"), time + 1);
        }
    }

    /// The prices that those sales are made at.
    fn feed_late_prices(&self, half: i64) {
        for (key, time) in places(half) {
            self.feed("prices", &key, &format!("late{time}"), time + 1);
        }
    }

    /// What is sold once a sale of every partition says that nothing else waits.
    fn settle_all(&self, instances: &mut [Driven]) -> Vec<String> {
        for place in 0..40 {
            self.feed("sales", &format!("last{place}"), "last", 500_000);
        }
        self.run_until(instances, "all is sold", |_| self.sold().len() >= places(0).chain(places(1)).count());
        self.run(instances, 50);
        self.sold()
    }
}

/// Keys, and times of early prices.
fn places(half: i64) -> impl Iterator<Item = (String, i64)> {
    (0..40).map(move |place| (format!("k{}", place % 5), 100 * half + 2 * place))
}

fn all_sold() -> Vec<String> {
    let times = places(0).chain(places(1)).map(|(_, time)| time);
    let mut sold: Vec<String> = times.map(|time| format!("s{time} at late{time}")).collect();
    sold.sort();
    sold
}

#[test]
fn what_waits_and_what_was_are_there_after_a_restart() {
    // Kept on disk; wiped, because another directory is used; wiped, because it was in memory.
    for (make, same_place) in [("rocksDB", true), ("rocksDB", false), ("in_memory", true)] {
        let (world, first, second) = (World::new(1), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut instances = vec![world.instance(1, make, first.path())];
        world.settle(&mut instances);
        world.feed_half(0);
        world.settle(&mut instances);
        assert!(world.sold().is_empty(), "all of it waits");
        world.close(instances);
        let place = if same_place { &first } else { &second };
        let mut instances = vec![world.instance(1, make, place.path())];
        // Of the same key and time as the first: what waits keeps its place only if numbers go on where they were.
        world.feed("sales", "k0", "again", 1);
        world.feed_late_prices(0);
        world.feed_half(1);
        world.feed_late_prices(1);
        world.settle(&mut instances);
        assert!(world.sold().is_empty(), "all of it waits");
        let mut expected = all_sold();
        expected.insert(0, "again at late0".to_owned());
        assert_eq!(world.settle_all(&mut instances), expected, "{make}, {same_place}");
        world.close(instances);
    }
}

#[test]
fn what_waits_and_what_was_move_with_their_tasks() {
    let (world, first, second) = (World::new(4), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut instances = vec![world.instance(1, "rocksDB", first.path())];
    world.settle(&mut instances);
    world.feed_half(0);
    world.settle(&mut instances);
    instances.push(world.instance(2, "rocksDB", second.path()));
    world.settle(&mut instances);
    world.feed_half(1);
    world.settle(&mut instances);
    world.close(vec![instances.remove(0)]);
    world.feed_late_prices(0);
    world.feed_late_prices(1);
    world.settle(&mut instances);
    assert!(world.sold().is_empty(), "all of it waits");
    assert_eq!(world.settle_all(&mut instances), all_sold());
    world.close(instances);
}
