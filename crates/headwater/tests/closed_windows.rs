//! Windows that are told when they close are told in a running application too, however fast a backlog is worked off: it looks for
//! them once a second by the wall clock, and besides before a record would have the store forget what is not told.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Headers, Topic};
use headwater::runtime::State;
use headwater::testing::TopologyTestDriver;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Counts by windows of each kind, told as they close.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key();
    let told = |name: &'static str, table: &KTable<Windowed<String>, i64>| {
        let texts = table.to_stream().map(move |key, count| (key.key.clone(), format!("{name} {key} {count:?}")));
        texts.to_with("out", Produced::by_type());
    };
    let close = EmitStrategy::OnWindowClose;
    let tumbling = TimeWindows::of_size_with_no_grace(ms(10));
    told("tumbling", &grouped.windowed_by(tumbling).emit_strategy(close).count());
    let kept = Materialized::named("kept").with_retention(ms(60));
    told("kept", &grouped.windowed_by(tumbling).emit_strategy(close).count_with(kept));
    let hopping = TimeWindows::of_size_and_grace(ms(12), ms(4)).advance_by(ms(5));
    told("hopping", &grouped.windowed_by(hopping).emit_strategy(close).count());
    let sliding = SlidingWindows::of_time_difference_and_grace(ms(8), ms(3));
    told("sliding", &grouped.windowed_by(sliding).emit_strategy(close).count());
    let sessions = SessionWindows::of_inactivity_gap_and_grace(ms(6), ms(2));
    told("sessions", &grouped.windowed_by(sessions).emit_strategy(close).count());
    builder.build().unwrap()
}

/// Keys and times: a backlog of a second and a half in which times go back and leap at times.
fn backlog() -> Vec<(&'static str, i64)> {
    let mut now = 20;
    let record = |n: i64| {
        now += match n % 17 {
            0 => 9,
            n if n % 3 == 0 => 0,
            n => n % 5,
        };
        let late = if n % 11 == 0 { 7 } else { n % 2 };
        (["a", "b", "c"][(n * 7 % 3).unsigned_abs() as usize], now - late)
    };
    (0..800).map(record).collect()
}

/// What an application tells that looks by the wall clock once, at the beginning.
fn told_by_application(on_disk: bool, backlog: &[(&str, i64)]) -> Vec<String> {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let cluster = Cluster::new(Arc::new(clock.clone()));
    for topic in ["in", "out"] {
        cluster.create_topic(topic, 1).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let builder = KafkaStreams::builder(topology()).application_id("closed").on(&cluster).process_id(1);
    let builder = if on_disk {
        builder.set("state.dir", directory.path().to_str().unwrap())
    } else {
        builder.set("dsl.store.suppliers.class", "in_memory")
    };
    let mut instance = builder.drive().unwrap();
    while instance.state() != State::Running {
        instance.turn();
        clock.advance(ms(100));
    }
    for (key, at) in backlog {
        let (topic, at) = (Topic::from("in"), Timestamp::from_millis(*at));
        cluster.produce(&topic, Some(key.as_bytes()), Some(b"v"), at, &Headers::new()).unwrap();
    }
    // The last record is taken when the second is over: what has closed until then is told.
    for turn in 0..400 {
        instance.turn();
        clock.advance(if turn < 300 { ms(1) } else { ms(20) });
    }
    let (topic, at) = (Topic::from("in"), Timestamp::from_millis(LAST));
    cluster.produce(&topic, Some(b"a"), Some(b"v"), at, &Headers::new()).unwrap();
    for _ in 0..100 {
        instance.turn();
        clock.advance(ms(20));
    }
    let records = cluster.records(&Topic::from("out"));
    records.iter().map(|record| String::from_utf8(record.1.value.clone().unwrap().to_vec()).unwrap()).collect()
}

/// Behind the backlog.
const LAST: i64 = 2_000;

/// A driver looks with every record, as Java's does.
fn told_by_driver(on_disk: bool, backlog: &[(&str, i64)]) -> Vec<String> {
    let driver = TopologyTestDriver::builder(topology());
    let driver = if on_disk { driver } else { driver.settings([("dsl.store.suppliers.class", "in_memory")]) };
    let driver = driver.build().unwrap();
    let input = driver.input_topic::<String, String>("in");
    for (key, at) in backlog.iter().chain([&("a", LAST)]) {
        input.pipe_at(*key, "v", *at).unwrap();
    }
    driver.output_topic::<String, String>("out").read_values().unwrap()
}

#[test]
fn every_window_that_closes_in_a_backlog_is_told() {
    let counted = |told: Vec<String>| {
        let mut counts = BTreeMap::<String, usize>::new();
        for text in told {
            *counts.entry(text).or_default() += 1;
        }
        counts
    };
    let backlog = backlog();
    for on_disk in [false, true] {
        let expected = counted(told_by_driver(on_disk, &backlog));
        let mut told = counted(told_by_application(on_disk, &backlog));
        for name in ["tumbling", "kept", "hopping", "sliding", "sessions"] {
            let windows = expected.keys().filter(|told| told.starts_with(name)).count();
            // As Java's: a session that has closed is past the retention of a store in memory.
            assert_eq!(windows > 50, on_disk || name != "sessions", "{name}: {windows}");
        }
        for (text, count) in &expected {
            assert_eq!(told.remove(text), Some(*count), "on disk: {on_disk}, {text}");
        }
        assert!(told.is_empty(), "on disk: {on_disk}, told besides: {told:?}");
    }
}

/// A record that is not the latest makes the window right behind it, which is later than those there are.
#[test]
fn what_a_late_record_would_hide_is_told() {
    let backlog = [("x", 160), ("x", 160), ("a", 185), ("b", 200), ("b", 200), ("b", 199)];
    for on_disk in [false, true] {
        let sliding =
            |told: Vec<String>| told.into_iter().filter(|text| text.starts_with("sliding [a")).collect::<Vec<_>>();
        let expected = sliding(told_by_driver(on_disk, &backlog));
        assert_eq!(expected.len(), 1, "{expected:?}");
        assert_eq!(sliding(told_by_application(on_disk, &backlog)), expected, "on disk: {on_disk}");
    }
}
