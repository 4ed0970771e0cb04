//! The simulator itself: that it repeats itself, finds its way to the end, and sees what is wrong.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use headwater::prelude::*;
use headwater_testing::simulation::{Dice, Expected, Input, InputRecord, Kind, Output, Simulation};

/// Counts, whose second topic goes with the first.
fn counts() -> Topology {
    let builder = StreamsBuilder::new();
    let visits = builder.stream::<String, String>("visits").group_by(|_, page| page.clone());
    let counts = visits.count().to_stream();
    counts.to("counts");
    counts.map_values(|_, count| count.map(|count| -count)).to("negative");
    builder.build().unwrap()
}

fn visits(dice: &mut Dice) -> Vec<InputRecord> {
    (0..60).map(|time| InputRecord::text(format!("u{}", dice.below(9)), format!("p{}", dice.below(5)), time)).collect()
}

fn simulation() -> Simulation {
    Simulation::of(counts)
        .input(Input::topic("visits", 3, visits))
        .output(Output::multiset("counts").reached(|expected: &i64, seen: &i64| seen >= expected))
        .output(Output::multiset("negative").reached(|expected: &i64, seen: &i64| seen <= expected))
        .together(["counts", "negative"])
}

#[test]
fn the_same_seed_does_the_same() {
    for seed in 0..12 {
        let run = || simulation().traced(true).run(seed);
        let (first, second) = (run(), run());
        assert!(first.trace.lines().count() > 10, "{}", first.trace);
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.turns, second.turns, "seed {seed}");
    }
}

#[test]
fn seeds_differ_and_have_much_go_wrong() {
    let reports: Vec<_> = (0..30).map(|seed| simulation().run(seed)).collect();
    for report in &reports {
        assert!(report.passed(), "{report}");
    }
    let sum = |of: fn(&headwater_testing::simulation::Report) -> u32| reports.iter().map(of).sum::<u32>();
    assert!(sum(|report| report.crashes) > 30 && sum(|report| report.pauses) > 15 && sum(|report| report.faults) > 60);
    for guarantee in ["exactly_once_v2, protocol One", "exactly_once_v2, protocol Two", "at_least_once"] {
        assert!(reports.iter().any(|report| report.world.starts_with(guarantee)), "{guarantee}");
    }
}

/// What a run says that expects `expected` of the counts.
fn kinds(expected: impl Fn(Expected) -> Expected + 'static) -> Vec<Kind> {
    let all = |sign: i64, fed: &headwater_testing::simulation::Fed| {
        let mut last = std::collections::BTreeMap::new();
        let count = |record: &InputRecord| {
            let count = last.entry(record.value.clone()).or_insert(0);
            *count += 1;
            (record.value.clone(), Some((sign * *count).to_be_bytes().to_vec()))
        };
        fed.get("visits").into_iter().flatten().map(count).collect::<Vec<_>>()
    };
    let oracle = move |fed: &_| {
        expected(Expected::from([("counts".to_owned(), all(1, fed)), ("negative".to_owned(), all(-1, fed))]))
    };
    let simulation = simulation().exactly_once(true).steps(5).expect(oracle);
    let mut kinds: Vec<_> = simulation.run(1).violations.into_iter().map(|violation| violation.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn what_differs_from_what_is_expected_is_seen() {
    assert_eq!(kinds(|expected| expected), []);
    let more = |mut expected: Expected| {
        expected.get_mut("counts").unwrap().push((Some("p0".into()), Some(1_000_i64.to_be_bytes().into())));
        expected
    };
    assert_eq!(kinds(more), [Kind::Lost]);
    let fewer = |mut expected: Expected| {
        expected.get_mut("counts").unwrap().pop();
        expected
    };
    assert_eq!(kinds(fewer), [Kind::Wrong]);
}

/// A topology that writes some records to one topic only.
#[test]
fn what_is_torn_is_seen() {
    let torn = || {
        let builder = StreamsBuilder::new();
        let visits = builder.stream::<String, String>("visits");
        visits.to("one");
        visits.filter(|_, page| page != "p1").to("other");
        builder.build().unwrap()
    };
    let simulation = Simulation::of(torn)
        .input(Input::topic("visits", 2, visits))
        .output(Output::sequence("one"))
        .output(Output::sequence("other"))
        .together(["one", "other"]);
    let report = simulation.exactly_once(true).run(1);
    assert!(report.violations.iter().all(|violation| violation.kind == Kind::Torn), "{report}");
    assert!(!report.passed());
}

#[test]
fn an_application_that_ends_by_itself_is_seen() {
    let fails = || {
        let builder = StreamsBuilder::new();
        // There is no such topic.
        builder.stream::<String, String>("visits").to("nowhere");
        builder.build().unwrap()
    };
    let simulation = Simulation::of(fails).input(Input::topic("visits", 2, visits)).output(Output::sequence("counts"));
    let report = simulation.run(1);
    assert!(report.violations.iter().any(|violation| violation.kind == Kind::Died), "{report}");
}
