//! Joins with tables: of a stream with a table, of two tables, and of a stream with a global table. The table on the right has a row
//! for each key, and is there before the first record on the left.
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
use headwater_benches::bed::{Bed, Input, Run, STORES};

const INPUT: Input = Input::of(100_000, 5_000);

fn topology(join: &str, output: &str) -> Topology {
    let builder = StreamsBuilder::new();
    let first = |left: &Bytes, _: &Bytes| left.clone();
    match join {
        "stream-table-join" => {
            let rows = builder.table::<i64, Bytes>("rows");
            builder.stream::<i64, Bytes>("in").join_table(&rows, move |_, left, right| first(left, right)).to(output);
        }
        "table-table-join" => {
            let rows = builder.table::<i64, Bytes>("rows");
            builder.table::<i64, Bytes>("in").join(&rows, first).to_stream().to(output);
        }
        _ => {
            let rows = builder.global_table::<i64, Bytes>("rows");
            let joined = builder.stream::<i64, Bytes>("in").join_global(
                &rows,
                |key, _| *key,
                move |_, left, right| first(left, right),
            );
            joined.to(output);
        }
    }
    builder.build().unwrap()
}

fn joins(criterion: &mut Criterion) {
    let mut bed = Bed::new(INPUT).unwrap();
    bed.add_rows("rows").unwrap();
    for join in ["stream-table-join", "table-table-join", "stream-global-join"] {
        let mut group = criterion.benchmark_group(join);
        group.throughput(Throughput::Elements(INPUT.records)).sample_size(10).measurement_time(Duration::from_secs(5));
        for (name, suppliers) in STORES {
            let settings = [("dsl.store.suppliers.class", suppliers), ("statestore.cache.max.bytes", "0")];
            let time = |bed: &Bed, run: &Run| bed.time_until_quiet(run, topology(join, &run.output), &settings);
            group.bench_function(name, |bencher| bencher.iter_custom(|times| bed.times(times, time).unwrap()));
        }
        group.finish();
    }
}

criterion_group!(benches, joins);
criterion_main!(benches);
