//! Windows that a function names, and the stores that tables by windows are kept in.
#![cfg(test)]

use std::time::Duration;

use headwater::prelude::*;
use headwater::testing::TopologyTestDriver;
use headwater::window::{Window, Windows};

const SIZE: i64 = 10;
const GRACE: i64 = 4;

type Out = Vec<(String, Option<i64>)>;

fn of_millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// What comes of counting these times by `windows`, and what the store has in the end.
fn counted(
    windows: impl headwater::dsl::WindowedBy<Stream<String, String> = headwater::dsl::TimeWindowedKStream<String, String>>,
    emit: EmitStrategy,
    times: &[i64],
) -> (Out, Out) {
    let builder = StreamsBuilder::new();
    let windowed = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).emit_strategy(emit);
    let counts = windowed.count_with(Materialized::named("counts"));
    counts.to_stream().map(|key, count| (key.to_string(), *count)).to_with("out", Produced::by_type());
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    let input = driver.input_topic::<String, String>("in");
    for time in times {
        input.pipe_at("a", "", *time).unwrap();
    }
    let store = driver.window_store(counts.queryable_window_store().unwrap()).unwrap();
    let kept =
        store.all().unwrap().into_iter().map(|(key, start, count)| (format!("{key}@{start:?}"), Some(count))).collect();
    (driver.output_topic::<String, Option<i64>>("out").read_key_values().unwrap(), kept)
}

#[test]
fn windows_of_ones_own_count_as_those_that_are_there_already() {
    let dice = |seed: u64| {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).cast_signed()
        }
    };
    for seed in 0..50 {
        let mut roll = dice(seed);
        let mut now = 0;
        let times: Vec<i64> = (0..40)
            .map(|_| {
                now += roll() % 6;
                (now - roll() % 12).max(0)
            })
            .collect();
        for advance in [SIZE, 3] {
            let there =
                TimeWindows::of_size_and_grace(of_millis(SIZE), of_millis(GRACE)).advance_by(of_millis(advance));
            let own = Windows::by(of_millis(SIZE), of_millis(GRACE), move |time| there.windows_for(time).collect());
            for emit in [EmitStrategy::OnWindowUpdate, EmitStrategy::OnWindowClose] {
                assert_eq!(counted(own.clone(), emit, &times), counted(there, emit, &times), "seed {seed}, {emit:?}");
            }
        }
    }
}

#[test]
fn windows_may_be_of_any_length() {
    // As days are in a place where clocks are put back: 0 to 10, 10 to 22, 22 to 32.
    let starts = [0, 10, 22, 32];
    let days = Windows::by(of_millis(12), Duration::ZERO, move |time| {
        let next = starts.partition_point(|start| *start <= time.millis());
        let bounds = next.checked_sub(1).and_then(|at| Some((*starts.get(at)?, *starts.get(next)?)));
        bounds.map(|(start, end)| Window::of_millis(start, end)).into_iter().collect()
    });
    let (out, _) = counted(days, EmitStrategy::OnWindowUpdate, &[3, 9, 10, 21, 9, 22, 31, 50]);
    // 9 is late by then, and 50 is in no window. A store knows where windows start, and takes all for as long as the longest.
    let expected =
        [("[a@0/12]", 1), ("[a@0/12]", 2), ("[a@10/22]", 1), ("[a@10/22]", 2), ("[a@22/34]", 1), ("[a@22/34]", 2)];
    assert_eq!(out, expected.map(|(key, count)| (key.to_owned(), Some(count))));
}

#[test]
fn windows_without_a_size_are_a_mistake() {
    let builder = StreamsBuilder::new();
    let none = Windows::by(Duration::ZERO, Duration::ZERO, |_| Vec::new());
    let _ = builder.stream::<String, String>("in").group_by_key().windowed_by(none).count();
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("Window size (sizeMs) must be larger than zero."), "{error}");
}

#[test]
fn the_store_of_a_table_has_the_keys_that_it_is_kept_by() {
    let builder = StreamsBuilder::new();
    let visits = builder.stream::<String, String>("in").group_by_key();
    let minutes = TimeWindows::of_size_with_no_grace(of_millis(SIZE));
    let by_window = visits.windowed_by(minutes).count_with(Materialized::named("by-window"));
    let sessions = SessionWindows::of_inactivity_gap_with_no_grace(of_millis(SIZE));
    let by_session = visits.windowed_by(sessions).count_with(Materialized::named("by-session"));
    let by_key = visits.count_with(Materialized::named("by-key"));
    // What is made of a table by windows is kept by its keys, windows and all.
    let doubled = by_window.map_values_with(
        |_, count| count * 2,
        Materialized::with(by_window_keys(), i64::default_serde()).with_name("doubled"),
    );
    let unnamed = visits.windowed_by(minutes).count();
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    driver.input_topic::<String, String>("in").pipe_at("a", "", 5).unwrap();

    let a = "a".to_owned();
    assert_eq!(driver.window_store(by_window.queryable_window_store().unwrap()).unwrap().get(&a, 0).unwrap(), Some(1));
    let session = driver.session_store(by_session.queryable_window_store().unwrap()).unwrap().all().unwrap();
    let at = Timestamp::from_millis(5);
    assert_eq!(session, [(a.clone(), at, at, 1)]);
    assert_eq!(driver.key_value_store(by_key.queryable_store().unwrap()).unwrap().get(&a).unwrap(), Some(1));
    let window = Windowed::new(a, Window::of_millis(0, SIZE));
    assert_eq!(driver.key_value_store(doubled.queryable_store().unwrap()).unwrap().get(&window).unwrap(), Some(2));

    assert!(by_window.queryable_store().is_none() && by_session.queryable_store().is_none());
    assert!(doubled.queryable_window_store().is_none() && unnamed.queryable_window_store().is_none());
    let names = [by_window.queryable_store_name(), by_session.queryable_store_name(), doubled.queryable_store_name()];
    assert_eq!(names, [Some("by-window"), Some("by-session"), Some("doubled")]);
    assert_eq!(unnamed.queryable_store_name(), None);
}

fn by_window_keys() -> headwater::record::SharedSerde<Windowed<String>> {
    std::sync::Arc::new(headwater::window::TimeWindowedSerde::new(String::default_serde(), of_millis(SIZE)))
}

#[test]
fn only_values_that_are_there_go_on() {
    let builder = StreamsBuilder::new();
    builder.table::<String, i64>("in").to_stream().present().to("out");
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    let input = driver.input_topic::<String, Option<i64>>("in");
    for value in [Some(1), None, Some(2)] {
        input.pipe("a", value).unwrap();
    }
    let out = driver.output_topic::<String, i64>("out").read_key_values().unwrap();
    assert_eq!(out, [("a".to_owned(), 1), ("a".to_owned(), 2)]);
}
