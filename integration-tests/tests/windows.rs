//! Windowed aggregates against models that are slow and plain: random keys and times, out of order and late.
//!
//! Every record adds a bit of its own, so that a sum says exactly which records a window holds.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test of one program in one process"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::{Materialized, Produced, StreamsBuilder};
use headwater::prelude::{KTable, SessionWindows, SlidingWindows, TimeWindows, Windowed};
use headwater::processor::Topology;
use headwater::record::{DefaultSerde, SharedSerde};
use headwater::testing::TopologyTestDriver;
use headwater::window::{SessionWindowedSerde, TimeWindowedSerde, Window};
use proptest::prelude::*;

type Key = Windowed<u8>;
/// Which records each window holds, one bit for each.
type Sums = BTreeMap<Key, i64>;

/// What a run of records leads to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    sums: Sums,
    dropped: u64,
}

/// A serde of small keys.
fn key_serde() -> SharedSerde<u8> {
    #[derive(Debug)]
    struct Small;
    impl headwater::record::Serde<u8> for Small {
        fn serialize(
            &self,
            _: &str,
            value: &u8,
            into: &mut Vec<u8>,
        ) -> Result<headwater::record::Encoded, headwater::record::SerdeError> {
            into.push(*value);
            Ok(headwater::record::Encoded::Bytes)
        }
        fn deserialize(&self, _: &str, bytes: Option<&[u8]>) -> Result<u8, headwater::record::SerdeError> {
            Ok(bytes.unwrap()[0])
        }
    }
    Arc::new(Small)
}

/// A topology that sums by windows, and the serde of its keys.
struct Program {
    topology: Topology,
    keys: SharedSerde<Key>,
}

fn program(
    caching: bool,
    keys: SharedSerde<Key>,
    sum: impl FnOnce(&headwater::dsl::KGroupedStream<u8, i64>, Materialized<u8, i64>) -> KTable<Key, i64>,
) -> Program {
    let builder = StreamsBuilder::new();
    let consumed = headwater::dsl::Consumed::with(key_serde(), i64::default_serde());
    let grouped = builder.stream_with("in", consumed).group_by_key_with(headwater::dsl::Grouped::inherited());
    let kept = Materialized::named("sums").with_value_serde(i64::default_serde()).in_memory();
    let kept = if caching { kept } else { kept.with_caching_disabled() };
    sum(&grouped, kept).to_stream().to_with("out", Produced::inherited());
    Program { topology: builder.build().unwrap(), keys }
}

fn run(program: Program, records: &[(u8, i64)]) -> Outcome {
    let driver = TopologyTestDriver::new(program.topology).unwrap();
    let input = driver.input_topic_with("in", key_serde(), i64::default_serde());
    for (index, (key, time)) in records.iter().enumerate() {
        input.pipe_at(*key, 1 << index, *time).unwrap();
    }
    let output = driver.output_topic_with("out", program.keys, Option::<i64>::default_serde());
    let last = output.read_map().unwrap();
    let sums = last.into_iter().filter_map(|(key, sum)| Some((key, sum?))).collect();
    Outcome { sums, dropped: driver.dropped_records() }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap())
}

/// Tumbling and hopping windows: a record goes into every window around it that is still open.
fn fixed_model(records: &[(u8, i64)], size: i64, advance: i64, grace: i64) -> Outcome {
    let (mut sums, mut dropped, mut now) = (Sums::new(), 0, -1);
    for (index, (key, time)) in records.iter().enumerate() {
        now = now.max(*time);
        for start in (0..=*time).filter(|start| start % advance == 0 && start + size > *time) {
            if start + size > now - grace {
                *sums.entry(Windowed::new(*key, Window::of_millis(start, start + size))).or_default() |= 1 << index;
            } else {
                dropped += 1;
            }
        }
    }
    Outcome { sums, dropped }
}

/// Sliding windows that never close: around every record there is a window that ends with it, and one right behind it if there is
/// anything in it.
fn sliding_model(records: &[(u8, i64)], difference: i64) -> Outcome {
    let within = |key: u8, start: i64| -> i64 {
        let inside =
            |(_, (other, time)): &(usize, &(u8, i64))| *other == key && (start..=start + difference).contains(time);
        records.iter().enumerate().filter(inside).map(|(index, _)| 1 << index).sum()
    };
    let mut sums = Sums::new();
    for (key, time) in records {
        // What would begin before time began begins with it.
        for start in [(time - difference).max(0), time + 1] {
            let sum = within(*key, start);
            if sum != 0 {
                sums.insert(Windowed::new(*key, Window::of_millis(start, start + difference)), sum);
            }
        }
    }
    Outcome { sums, dropped: 0 }
}

/// Sessions, one after the other. `cached`: the cache still knows sessions that the store has forgotten, but nobody hears that they
/// were merged.
fn session_model(records: &[(u8, i64)], gap: i64, grace: i64, cached: bool) -> Outcome {
    let (mut open, mut sums, mut dropped): (Vec<(Key, i64)>, Sums, u64) = (Vec::new(), Sums::new(), 0);
    let (mut now, mut latest_end) = (-1, -1);
    for (index, (key, time)) in records.iter().enumerate() {
        now = now.max(*time);
        let forgotten = |window: Window| window.end.millis() <= latest_end - gap - grace;
        let near = |session: &Key| {
            session.key == *key
                && session.window.end.millis() >= time - gap
                && session.window.start.millis() <= time + gap
                && (cached || !forgotten(session.window))
        };
        let alone = Window::of_millis(*time, *time);
        let merged: Vec<(Key, i64)> = open.iter().filter(|(session, _)| near(session)).copied().collect();
        let window = merged.iter().fold(alone, |window, (session, _)| window.merged(&session.window));
        if window.end.millis() < now - gap - grace {
            dropped += 1;
            continue;
        }
        let sum = merged.iter().map(|(_, sum)| sum).sum::<i64>() + (1 << index);
        for (session, _) in &merged {
            open.retain(|(other, _)| other != session);
            if !forgotten(session.window) {
                sums.remove(session);
            }
        }
        let session = Windowed::new(*key, window);
        open.push((session, sum));
        sums.insert(session, sum);
        latest_end = latest_end.max(window.end.millis());
        if window.end.millis() <= latest_end - gap - grace {
            // Accepted, and too old for the store at once.
            dropped += 1;
            if !cached {
                open.retain(|(other, _)| *other != session);
            }
        }
    }
    Outcome { sums, dropped }
}

fn records(latest: i64) -> impl Strategy<Value = Vec<(u8, i64)>> {
    proptest::collection::vec((0_u8..3, 0..latest), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fixed_windows_hold_what_came_in_time(
        records in records(120), size in 1_i64..30, part in 1_i64..5, grace in 0_i64..40, caching: bool,
    ) {
        let advance = (size / part).max(1);
        let windows = TimeWindows::of_size_and_grace(millis(size), millis(grace)).advance_by(millis(advance));
        let keys = Arc::new(TimeWindowedSerde::new(key_serde(), millis(size)));
        let program = program(caching, keys, |grouped, kept| {
            grouped.windowed_by(windows).aggregate_with(|| 0, |_, bit, sum| sum + bit, kept)
        });
        prop_assert_eq!(run(program, &records), fixed_model(&records, size, advance, grace));
    }

    #[test]
    fn sliding_windows_hold_all_that_is_near(records in records(120), difference in 1_i64..30, caching: bool) {
        let windows = SlidingWindows::of_time_difference_and_grace(millis(difference), millis(1_000));
        let keys = Arc::new(TimeWindowedSerde::new(key_serde(), millis(difference)));
        let program = program(caching, keys, |grouped, kept| {
            grouped.windowed_by(windows).aggregate_with(|| 0, |_, bit, sum| sum + bit, kept)
        });
        prop_assert_eq!(run(program, &records), sliding_model(&records, difference));
    }

    #[test]
    fn sessions_hold_what_is_not_apart(
        records in records(200), gap in 1_i64..20, grace in 0_i64..30, caching: bool,
    ) {
        let windows = SessionWindows::of_inactivity_gap_and_grace(millis(gap), millis(grace));
        let keys = Arc::new(SessionWindowedSerde::new(key_serde()));
        let program = program(caching, keys, |grouped, kept| {
            grouped.windowed_by(windows).aggregate_with(|| 0, |_, bit, sum| sum + bit, |_, one, other| one + other, kept)
        });
        prop_assert_eq!(run(program, &records), session_model(&records, gap, grace, caching));
    }
}
