//! What a record may cost, counted instead of timed: memory that is asked for, and values that become bytes.
//!
//! One test: the allocator counts for the whole process.

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{DefaultSerde, Encoded, Serde, SerdeError, SharedSerde};
use headwater_benches::bed::{Bed, Input};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const KEYS: u64 = 100;
/// Values are numbers, so that decoding one takes no memory.
const INPUT: Input = Input { records: 20_000, keys: KEYS, value_bytes: 8, partitions: 1 };

/// How often memory was asked for per thousand records, all that a run needs once included.
fn allocations(bed: &mut Bed, topology: impl Fn(&StreamsBuilder, &str)) -> Result<usize> {
    let run = bed.fresh()?;
    let builder = StreamsBuilder::new();
    topology(&builder, &run.output);
    let topology: Topology = builder.build()?;
    let region = Region::new(ALLOCATOR);
    bed.time_topology(&run, topology, &[("dsl.store.suppliers.class", "in_memory")], INPUT.records)?;
    let allocations = region.change().allocations;
    bed.clean(&run)?;
    Ok(allocations * 1_000 / INPUT.records as usize)
}

/// Numbers, counting how many become bytes.
struct Counted(Arc<AtomicUsize>, SharedSerde<i64>);

impl Serde<i64> for Counted {
    fn serialize(&self, topic: &str, value: &i64, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        self.1.serialize(topic, value, into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<i64, SerdeError> {
        self.1.deserialize(topic, bytes)
    }
    fn encoded_len(&self, value: &i64) -> Option<usize> {
        self.1.encoded_len(value)
    }
}

#[test]
fn no_memory_per_operator_and_no_bytes_per_cached_change() {
    let mut bed = Bed::new(INPUT).unwrap();
    let through = allocations(&mut bed, |builder, output| builder.stream::<i64, i64>("in").to(output)).unwrap();
    let operators = allocations(&mut bed, |builder, output| {
        let branches = builder
            .stream::<i64, i64>("in")
            .filter(|_, value| *value != 0)
            .map(|key, value| (key + 1, value ^ 7))
            .map_values(|_, value| value >> 1)
            .peek(|_, _| {})
            .filter_not(|_, value| *value == 0)
            .split();
        let even = branches.branch(|_, value| value % 2 == 0);
        even.merge(&branches.default_branch()).select_key(|key, _| key - 1).to(output);
    })
    .unwrap();
    assert!(through < 100, "{through} allocations per 1000 records passed through");
    assert!(operators < 100, "{operators} allocations per 1000 records, {through} without operators");

    let encoded = Arc::new(AtomicUsize::new(0));
    let count = allocations(&mut bed, |builder, _| {
        let value = Counted(Arc::clone(&encoded), i64::default_serde());
        let counts = Materialized::named("counts").with_value_serde(Arc::new(value));
        builder.stream::<i64, i64>("in").group_by_key().count_with(counts).to_stream().for_each(|_, _| {});
    })
    .unwrap();
    assert!(count < 200, "{count} allocations per 1000 records counted in the cache");
    assert_eq!(encoded.load(Ordering::Relaxed) as u64, KEYS, "each count becomes bytes once, in the one flush");
}
