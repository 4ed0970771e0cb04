//! What the framework costs per record, over a cluster in this process: passthrough, eight stateless operators, a count whose keys
//! all lie in the cache.
//!
//! What the framework itself costs is the difference to `bare copy` (passthrough) or `bare read` (count), the same without it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::bed::{Bed, Input};

const INPUT: Input = Input::of(400_000, 100);

fn framework(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framework");
    group.throughput(Throughput::Elements(INPUT.records)).sample_size(10).measurement_time(Duration::from_secs(5));
    let mut bed = Bed::new(INPUT).unwrap();
    group.bench_function("bare copy", |bencher| {
        bencher.iter_custom(|times| bed.times(times, Bed::time_bare_copy).unwrap());
    });
    group.bench_function("bare read", |bencher| {
        bencher.iter_custom(|times| bed.times(times, Bed::time_bare_read).unwrap());
    });
    for workload in ["passthrough", "stateless8", "count"] {
        group.bench_function(workload, |bencher| {
            bencher.iter_custom(|times| {
                bed.times(times, |bed, run| bed.time(run, workload, &[("dsl.store.suppliers.class", "in_memory")]))
                    .unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, framework);
criterion_main!(benches);
