//! Aggregates by time: tumbling, hopping (60 windows per record) and session counts, and a suppression until windows close.
//!
//! What comes in is what the side-by-side cases have, with fewer records and keys and the cache smaller by as much.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::bed::{Bed, Input, STORES};

/// A cache in which nothing that lives is missed.
const AMPLE: (&str, &str) = ("cache hit", "104857600");
const NONE: (&str, &str) = ("no cache", "0");

/// About three records of each key in a minute, one of a hundred late.
const MINUTES: Input = Input { step_us: 1_000, late: 100, ..Input::of(200_000, 20_000) };
/// About 150 records of each key in ten minutes.
const TEN_MINUTES: Input = Input { step_us: 40_000, late: 100, ..Input::of(20_000, 100) };
/// A record of each key every ten seconds, so that a session has about twenty.
const SESSIONS: Input = Input { step_us: 20_000, late: 100, ..Input::of(100_000, 500) };

/// Runs `workload` on `input` with each of the `caches`: what it is called, and its bytes.
fn workload(criterion: &mut Criterion, workload: &str, input: Input, caches: &[(&str, &str)]) {
    let mut group = criterion.benchmark_group(workload);
    group.throughput(Throughput::Elements(input.records)).sample_size(10).measurement_time(Duration::from_secs(5));
    let mut bed = Bed::new(input).unwrap();
    for (what, cache) in caches {
        for (name, suppliers) in STORES {
            let settings = [("dsl.store.suppliers.class", suppliers), ("statestore.cache.max.bytes", cache)];
            group.bench_function(format!("{what}, {name}"), |bencher| {
                bencher.iter_custom(|times| bed.times(times, |bed, run| bed.time(run, workload, &settings)).unwrap());
            });
        }
    }
    group.finish();
}

fn windows(criterion: &mut Criterion) {
    let missed = ("cache missed", "2097152");
    workload(criterion, "window-count", MINUTES, &[AMPLE, missed, NONE]);
    workload(criterion, "hopping-count", TEN_MINUTES, &[AMPLE, ("cache as beside Java", "1048576"), NONE]);
    workload(criterion, "session-count", SESSIONS, &[AMPLE, ("cache as beside Java", "524288"), NONE]);
    workload(criterion, "suppress", MINUTES, &[AMPLE, missed, NONE]);
}

criterion_group!(benches, windows);
criterion_main!(benches);
