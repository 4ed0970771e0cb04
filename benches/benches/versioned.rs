//! A versioned table: a put and a read as of a record's time for each record, and the same with a grace period in which records wait
//! for a second.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::bed::{Bed, Input, STORES};

/// A record of each key every two seconds, one of a hundred late.
const INPUT: Input = Input { step_us: 1_000, late: 100, ..Input::of(50_000, 2_000) };

fn versioned(criterion: &mut Criterion) {
    let mut bed = Bed::new(INPUT).unwrap();
    for workload in ["versioned-join", "grace-join"] {
        let mut group = criterion.benchmark_group(workload);
        group.throughput(Throughput::Elements(INPUT.records)).sample_size(10).measurement_time(Duration::from_secs(5));
        for (name, suppliers) in STORES {
            let settings = [("dsl.store.suppliers.class", suppliers)];
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|times| bed.times(times, |bed, run| bed.time(run, workload, &settings)).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, versioned);
criterion_main!(benches);
