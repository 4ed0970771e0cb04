//! When sessions close, and that their results are handed on then, on the test driver as it is by default.
#![cfg(test)]

use std::time::Duration;

use headwater::dsl::{
    BufferConfig, EmitStrategy, KGroupedStream, KTable, Materialized, Produced, SessionWindowedKStream, StreamsBuilder,
    Suppressed,
};
use headwater::testing::TopologyTestDriver;
use headwater::window::{SessionWindows, TimeWindows, Windowed};

/// Sessions of keys of `in` apart by more than 10 ms, open for 5 ms more.
fn driver(
    count: impl FnOnce(&SessionWindowedKStream<String, String>) -> KTable<Windowed<String>, i64>,
) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let gap = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    let counts = count(&builder.stream("in").group_by_key().windowed_by(gap));
    let shown = counts.to_stream().map(|session, count| {
        let window = session.window;
        (format!("{}@{}/{}", session.key, window.start.millis(), window.end.millis()), count.unwrap_or_default())
    });
    shown.to_with("out", Produced::by_type());
    TopologyTestDriver::new(builder.build().unwrap()).unwrap()
}

/// What is said after records of these keys and times.
fn said(driver: &TopologyTestDriver, records: &[(&str, i64)]) -> Vec<(String, i64)> {
    let input = driver.input_topic::<String, String>("in");
    for (key, at) in records {
        input.pipe_at((*key).to_owned(), String::new(), *at).unwrap();
    }
    driver.output_topic::<String, i64>("out").read_key_values().unwrap()
}

fn told(session: &str, count: i64) -> (String, i64) {
    (session.to_owned(), count)
}

#[test]
fn every_closed_session_is_told_once_however_far_stream_time_leaps() {
    let driver = driver(|sessions| sessions.clone().emit_strategy(EmitStrategy::OnWindowClose).count());
    let times = [("k", 100), ("k", 101), ("x", 110), ("x", 115), ("x", 116), ("x", 117), ("x", 118), ("x", 119)];
    let counts = said(&driver, &[&times[..], &[("x", 130), ("x", 131), ("x", 160)]].concat());
    assert_eq!(counts, [told("k@100/101", 2), told("x@110/119", 6), told("x@130/131", 2)]);
}

/// A session is open through gap and grace, its end included; it closed a millisecond early, and suppressions forgot the gap
/// (KAFKA-8289). Java has the numbers in the scenarios `session/expired-boundary-uncached.json` and
/// `suppress/final-session-uncached.json`.
#[test]
fn a_session_is_open_through_gap_and_grace() {
    let updates = driver(SessionWindowedKStream::count);
    let taken = said(&updates, &[("a", 25), ("b", 10), ("a", 26), ("c", 11)]);
    assert_eq!(taken[1], told("b@10/10", 1), "what ends at 10 is open at 25");
    assert_eq!(taken.last(), Some(&told("c@11/11", 1)));
    assert_eq!(said(&updates, &[("d", 10)]), [], "at 26 it is not");
    assert_eq!(updates.dropped_records(), 1);

    let finals =
        driver(|sessions| sessions.count().suppress(Suppressed::until_window_closes(BufferConfig::unbounded())));
    assert_eq!(said(&finals, &[("b", 3), ("c", 17)]), []);
    assert_eq!(said(&finals, &[("c", 18)]), [told("b@3/3", 1)]);
}

/// Java has the numbers of the first two in the scenarios `session/expired-boundary.json` and `expired-boundary-uncached.json`.
#[test]
fn a_record_at_the_end_of_the_grace_finds_its_session_in_the_cache_or_in_a_store_that_keeps_it_longer() {
    let late = [("a", 10), ("b", 25), ("a", 11)];
    let counted = |options: fn(Materialized<String, i64>) -> Materialized<String, i64>| {
        let driver = driver(|sessions| sessions.count_with(options(Materialized::named("counts"))));
        said(&driver, &late).pop()
    };
    assert_eq!(counted(|cached| cached), Some(told("a@10/11", 2)));
    assert_eq!(counted(Materialized::with_caching_disabled), Some(told("a@11/11", 1)));
    let kept = |uncached: Materialized<_, _>| uncached.with_retention(Duration::from_mins(1)).with_caching_disabled();
    assert_eq!(counted(kept), Some(told("a@10/11", 2)));
}

/// How many windows are told of a key with a record every hour, six of them, when windows and gaps are half an hour long.
fn told_by_the_hour(
    windows: impl FnOnce(&KGroupedStream<String, String>, Materialized<String, i64>) -> KTable<Windowed<String>, i64>,
    options: fn(Materialized<String, i64>) -> Materialized<String, i64>,
) -> usize {
    let builder = StreamsBuilder::new();
    let counts = windows(&builder.stream("in").group_by_key(), options(Materialized::named("counts")));
    let shown = counts.to_stream().map(|window, count| (window.key.clone(), count.unwrap_or_default()));
    shown.to_with("out", Produced::by_type());
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    said(&driver, &[0, 1, 2, 3, 4, 5].map(|hour| ("k", hour * 3_600_000))).len()
}

/// As `docs/guarantees.md` says; Java has the numbers of the first and of the third line, by RocksDB and in memory.
#[test]
fn a_session_that_a_leap_past_its_retention_closes_is_not_told_but_a_time_window_is() {
    let half_hour = Duration::from_mins(30);
    let close = EmitStrategy::OnWindowClose;
    let times = |grouped: &KGroupedStream<_, _>, kept| {
        grouped.windowed_by(TimeWindows::of_size_with_no_grace(half_hour)).emit_strategy(close).count_with(kept)
    };
    let sessions = |grouped: &KGroupedStream<_, _>, kept| {
        let gap = SessionWindows::of_inactivity_gap_with_no_grace(half_hour);
        grouped.windowed_by(gap).emit_strategy(close).count_with(kept)
    };
    let suppressed = |grouped: &KGroupedStream<_, _>, kept| {
        let gap = SessionWindows::of_inactivity_gap_with_no_grace(half_hour);
        let closed = Suppressed::until_window_closes(BufferConfig::unbounded());
        grouped.windowed_by(gap).count_with(kept).suppress(closed)
    };
    assert_eq!([told_by_the_hour(times, |disk| disk), told_by_the_hour(times, Materialized::in_memory)], [5, 5]);
    assert_eq!(told_by_the_hour(times, Materialized::with_caching_disabled), 0);
    assert_eq!([told_by_the_hour(sessions, |disk| disk), told_by_the_hour(sessions, Materialized::in_memory)], [0, 0]);
    let long = |disk: Materialized<_, _>| disk.with_retention(Duration::from_hours(2));
    let long_in_memory = |disk: Materialized<_, _>| disk.in_memory().with_retention(Duration::from_hours(2));
    assert_eq!([told_by_the_hour(sessions, long), told_by_the_hour(sessions, long_in_memory)], [5, 5]);
    assert_eq!(told_by_the_hour(suppressed, |disk| disk), 5);
}
