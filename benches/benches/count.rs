//! A count whose keys lie in the cache, whose keys mostly do not, and one without a cache, on each kind of store; and the same of
//! two streams that are aggregated together.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::bed::{Bed, Input, STORES};

const FEW: Input = Input::of(100_000, 100);
const MANY: Input = Input { keys: 100_000, ..FEW };

fn count(criterion: &mut Criterion) {
    workload(criterion, "count");
    workload(criterion, "cogroup");
}

fn workload(criterion: &mut Criterion, workload: &str) {
    let mut group = criterion.benchmark_group(workload);
    group.throughput(Throughput::Elements(FEW.records)).sample_size(10).measurement_time(Duration::from_secs(5));
    for (what, input, cache) in
        [("cache hit", FEW, "10485760"), ("cache missed", MANY, "100000"), ("no cache", MANY, "0")]
    {
        let mut bed = Bed::new(input).unwrap();
        for (name, suppliers) in STORES {
            let settings = [("dsl.store.suppliers.class", suppliers), ("statestore.cache.max.bytes", cache)];
            group.bench_function(format!("{what}, {name}"), |bencher| {
                bencher.iter_custom(|times| bed.times(times, |bed, run| bed.time(run, workload, &settings)).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, count);
criterion_main!(benches);
