//! Final results of windows: one for each key and window, in the order in which windows close.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::dsl::{BufferConfig, Materialized, Produced, StreamsBuilder, Suppressed};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp};
use headwater::testing::TopologyTestDriver;
use headwater::window::TimeWindows;
use proptest::prelude::*;

const SIZE_MS: i64 = 10;

/// How often each key occurs in ten milliseconds, said once.
fn counts(grace_ms: i64, caching: bool) -> Topology {
    let ms = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    let builder = StreamsBuilder::new();
    let kept = Materialized::inherited();
    let kept = if caching { kept } else { kept.with_caching_disabled() };
    let visits = builder.stream::<String, String>("in").group_by_key();
    let counts = visits.windowed_by(TimeWindows::of_size_and_grace(ms(SIZE_MS), ms(grace_ms))).count_with(kept);
    let finals = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()));
    finals.to_stream().to_with("out", Produced::inherited());
    builder.build().unwrap()
}

/// What is said after each record: window start, key, count. `BTreeMap` puts windows and keys into the order of the buffer.
fn expected(records: &[(String, i64)], grace_ms: i64) -> Vec<Vec<(i64, String, i64)>> {
    let mut open: BTreeMap<(i64, String), i64> = BTreeMap::new();
    let mut stream_time = -1;
    let one = |(key, timestamp): &(String, i64)| {
        stream_time = stream_time.max(*timestamp);
        let is_closed = |start: i64| start + SIZE_MS + grace_ms <= stream_time;
        let start = timestamp - timestamp % SIZE_MS;
        if is_closed(start) {
            return Vec::new();
        }
        *open.entry((start, key.clone())).or_default() += 1;
        let closed: Vec<_> = open.keys().filter(|(start, _)| is_closed(*start)).cloned().collect();
        closed.into_iter().map(|at| (at.0, at.1.clone(), open.remove(&at).unwrap())).collect()
    };
    records.iter().map(one).collect()
}

fn said(driver: &TopologyTestDriver) -> Vec<(i64, String, i64)> {
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let records = driver.read_records("out");
    let shown = records.iter().map(|record| {
        let (key, start) = record.key.as_deref().unwrap().split_last_chunk::<8>().unwrap();
        (number(start), String::from_utf8(key.to_vec()).unwrap(), number(record.value.as_deref().unwrap()))
    });
    shown.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_window_has_one_result_as_soon_as_it_is_closed(
        steps in prop::collection::vec(("[a-c]", -12..20_i64), 0..40),
        grace_ms in 0..15_i64,
        caching in any::<bool>(),
    ) {
        let mut now = 0;
        let mut time = |step: i64| {
            now = (now + step).max(0);
            now
        };
        let records: Vec<(String, i64)> = steps.into_iter().map(|(key, step)| (key, time(step))).collect();
        let driver = TopologyTestDriver::new(counts(grace_ms, caching)).unwrap();
        for ((key, timestamp), expected) in records.iter().zip(expected(&records, grace_ms)) {
            let timestamp = Timestamp::from_millis(*timestamp);
            driver.pipe("in", Some(key.as_bytes()), Some(b"x"), timestamp, &Headers::new()).unwrap();
            prop_assert_eq!(said(&driver), expected);
        }
    }
}
