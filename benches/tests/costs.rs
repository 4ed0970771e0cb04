//! What a record may cost, counted instead of timed: memory that is asked for, keys and values that become bytes, and how often
//! a store is asked.
//!
//! One test at a time: the allocator counts for the whole process.

mod counted;

use std::alloc::System;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use headwater::dsl::KGroupedStream;
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater_benches::bed::{Bed, Input};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use crate::counted::{Counts, CountsOf};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const KEYS: u64 = 100;
/// Values are numbers, so that decoding one takes no memory.
const INPUT: Input = Input { value_bytes: 8, ..Input::of(20_000, KEYS) };
/// Ten minutes, in each ten seconds of which every key occurs.
const TEN_MINUTES: Input = Input { keys: 20, step_us: 30_000, ..INPUT };
/// The same ten minutes, in which every key occurs twice as often.
const TWICE: Input = Input { records: 40_000, step_us: 15_000, ..TEN_MINUTES };

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often memory was asked for, all that a run needs once included.
fn allocations(bed: &mut Bed, topology: impl Fn(&StreamsBuilder, &str)) -> Result<u64> {
    let run = bed.fresh()?;
    let builder = StreamsBuilder::new();
    topology(&builder, &run.output);
    let topology: Topology = builder.build()?;
    let records = bed.input().records;
    let settings = [("dsl.store.suppliers.class", "in_memory"), ("statestore.cache.max.bytes", "104857600")];
    let region = Region::new(ALLOCATOR);
    bed.time_topology(&run, topology, &settings, records)?;
    let allocations = region.change().allocations;
    bed.clean(&run)?;
    Ok(allocations as u64)
}

fn per_thousand(allocations: u64, records: u64) -> u64 {
    allocations * 1_000 / records
}

/// Aggregates the input by `aggregate` in a cache that holds everything: what was asked for, and what was counted.
fn aggregated<K: 'static>(
    input: Input,
    aggregate: impl Fn(KGroupedStream<i64, i64>, Materialized<i64, i64>) -> KTable<K, i64>,
) -> Result<(u64, CountsOf)> {
    let mut bed = Bed::new(input)?;
    let counts = Arc::new(Counts::default());
    let handed_on = Arc::new(AtomicU64::new(0));
    let allocations = allocations(&mut bed, |builder, _| {
        let heard = Arc::clone(&handed_on);
        let stream = builder.stream::<i64, i64>("in");
        aggregate(stream.group_by_key(), counts.materialized("counts")).to_stream().for_each(move |_, _| {
            heard.fetch_add(1, Ordering::Relaxed);
        });
    })?;
    Ok((allocations, counts.with_changes(handed_on.load(Ordering::Relaxed))))
}

#[test]
fn eight_operators_ask_for_no_memory() {
    let _alone = alone();
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
    let (through, operators) = (per_thousand(through, INPUT.records), per_thousand(operators, INPUT.records));
    assert!(through < 100, "{through} allocations per 1000 records passed through");
    assert!(operators < through + 20, "{operators} allocations per 1000 records, {through} without operators");
}

#[test]
fn a_cached_count_becomes_bytes_once_per_flush() {
    let _alone = alone();
    let (allocations, counted) = aggregated(INPUT, |grouped, counts| grouped.count_with(counts)).unwrap();
    let allocations = per_thousand(allocations, INPUT.records);
    assert!(allocations < 200, "{allocations} allocations per 1000 records counted in the cache");
    assert_eq!(counted.changes, KEYS, "each key is handed on in the one flush");
    assert_eq!(counted.values_encoded, KEYS);
}

/// What `count` costs per window, whatever number of records it has.
fn assert_cost_of_windows(
    windows: u64,
    count: impl Fn(KGroupedStream<i64, i64>, Materialized<i64, i64>) -> KTable<Windowed<i64>, i64>,
) -> Result<()> {
    let (few, counted) = aggregated(TEN_MINUTES, &count)?;
    assert_eq!(counted.keys_encoded, TEN_MINUTES.records, "a key becomes bytes once per record, not once per window");
    assert_eq!(counted.changes, windows * TEN_MINUTES.keys, "each window of a key is handed on in the one flush");
    assert_eq!(counted.values_encoded, counted.changes, "a count becomes bytes once per flush");
    assert_eq!(counted.store_reads, counted.changes, "the store is asked when a window is not in the cache yet");
    assert_eq!(counted.store_writes, counted.changes, "the store is written once per flush");
    let (more, twice) = aggregated(TWICE, &count)?;
    assert_eq!(twice.changes, counted.changes);
    let further = per_thousand(more.saturating_sub(few), TWICE.records - TEN_MINUTES.records);
    assert!(further < 100, "{further} allocations per 1000 further records in the same windows");
    Ok(())
}

#[test]
fn a_windowed_count_costs_bytes_and_memory_per_window_and_not_per_record() -> Result<()> {
    let _alone = alone();
    // Ten minutes that begin 20 s after a full one.
    assert_cost_of_windows(11, |grouped, counts| {
        let minutes = TimeWindows::of_size_with_no_grace(Duration::from_mins(1));
        grouped.windowed_by(minutes).count_with(counts)
    })
}

#[test]
fn each_of_sixty_windows_of_a_record_costs_as_much_as_one() -> Result<()> {
    let _alone = alone();
    // 60 that have begun before the first record, then one every ten seconds.
    assert_cost_of_windows(119, |grouped, counts| {
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_mins(10)).advance_by(Duration::from_secs(10));
        grouped.windowed_by(windows).count_with(counts)
    })
}

#[test]
fn a_cached_session_becomes_bytes_once_per_flush() {
    let _alone = alone();
    let (_, counted) = aggregated(TEN_MINUTES, |grouped, counts| {
        let sessions = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1));
        grouped.windowed_by(sessions).count_with(counts)
    })
    .unwrap();
    assert_eq!(counted.keys_encoded, TEN_MINUTES.records);
    assert!(
        counted.changes > TEN_MINUTES.keys && counted.changes < TEN_MINUTES.records / 4,
        "records were merged into sessions: {counted:?}"
    );
    assert_eq!(counted.values_encoded, counted.changes);
}
