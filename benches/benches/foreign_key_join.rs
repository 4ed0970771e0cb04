//! A table that is joined with itself by a foreign key, on each kind of store: every row asks, every change is answered.
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

/// Ten changes of each row; about ten rows have the same foreign key.
const INPUT: Input = Input { value_bytes: 24, ..Input::of(50_000, 5_000) };
const FOREIGN_KEYS: u64 = 500;

fn topology(output: &str) -> Topology {
    let builder = StreamsBuilder::new();
    let rows = builder.table::<i64, Bytes>("in");
    let foreign_key = |_: &i64, row: &Bytes| {
        let head = row.first_chunk().copied().map(u64::from_be_bytes);
        head.map(|head| (head % FOREIGN_KEYS).cast_signed())
    };
    rows.join_on(&rows, foreign_key, |left, _| left.clone()).to_stream().to(output);
    builder.build().unwrap()
}

fn foreign_key_join(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("foreign-key join");
    group.throughput(Throughput::Elements(INPUT.records)).sample_size(10).measurement_time(Duration::from_secs(5));
    let mut bed = Bed::new(INPUT).unwrap();
    for (name, suppliers) in STORES {
        let settings = [("dsl.store.suppliers.class", suppliers), ("statestore.cache.max.bytes", "0")];
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let time = |bed: &Bed, run: &_| time(bed, run, &settings);
                bed.times(times, time).unwrap()
            });
        });
    }
    group.finish();
}

fn time(bed: &Bed, run: &headwater_benches::bed::Run, settings: &[(&str, &str)]) -> anyhow::Result<Duration> {
    bed.time_until_quiet(run, topology(&run.output), settings)
}

criterion_group!(benches, foreign_key_join);
criterion_main!(benches);
