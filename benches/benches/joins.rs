//! Joins of streams: inner, left and outer, of records that have one partner each on average within ten seconds.
//!
//! Both streams are made of one topic, by the parity of the first byte of values.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater_benches::bed::{Bed, Input, STORES};

/// Of each key a record every ten seconds, of either stream every twenty.
const INPUT: Input = Input { step_us: 2_000, late: 100, ..Input::of(100_000, 5_000) };

fn topology(rows: &str, output: &str) -> Topology {
    let builder = StreamsBuilder::new();
    let both = builder.stream::<i64, Bytes>("in");
    let is_odd = |value: &Bytes| value.first().is_some_and(|first| first % 2 == 1);
    let (left, right) = (both.filter(move |_, value| is_odd(value)), both.filter(move |_, value| !is_odd(value)));
    let ten_seconds = Duration::from_secs(10);
    let windows = JoinWindows::of_time_difference_and_grace(ten_seconds, ten_seconds);
    let first = |value: Option<&Bytes>| value.map_or_else(Bytes::new, Bytes::clone);
    let joined = match rows {
        "inner" => left.join(&right, |_, left, _| left.clone(), windows),
        "left" => left.left_join(&right, |_, left, _| left.clone(), windows),
        _ => left.outer_join(&right, move |_, left, right| first(left.or(right)), windows),
    };
    joined.to(output);
    builder.build().unwrap()
}

fn joins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream-stream-join");
    group.throughput(Throughput::Elements(INPUT.records)).sample_size(10).measurement_time(Duration::from_secs(5));
    let mut bed = Bed::new(INPUT).unwrap();
    for rows in ["inner", "left", "outer"] {
        for (name, suppliers) in STORES {
            let settings = [("dsl.store.suppliers.class", suppliers)];
            let time = |bed: &Bed, run: &_| run_of(bed, run, rows, &settings);
            group.bench_function(format!("{rows}, {name}"), |bencher| {
                bencher.iter_custom(|times| bed.times(times, time).unwrap());
            });
        }
    }
    group.finish();
}

fn run_of(
    bed: &Bed,
    run: &headwater_benches::bed::Run,
    rows: &str,
    settings: &[(&str, &str)],
) -> anyhow::Result<Duration> {
    bed.time_topology(run, topology(rows, &run.output), settings, INPUT.records)
}

criterion_group!(benches, joins);
criterion_main!(benches);
