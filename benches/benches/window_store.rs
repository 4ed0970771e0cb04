//! A window store in memory, by itself: what joins of streams do with one, what counts do, and reading a window that has closed.
//!
//! Time goes on from write to write, so that forgetting what is old is part of each.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use headwater::record::Timestamp;
use headwater::store::bytes::{KeySelection, Order, Scan, WindowBytes, WindowQuery};
use headwater::store::{OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;

const VALUE: [u8; 100] = [7; 100];

fn open(retention: Duration, window_size: Duration, retain_duplicates: bool) -> Box<dyn WindowBytes> {
    let segment_interval = StoreKind::default_segment_interval(retention);
    let kind = StoreKind::Window {
        retention,
        window_size,
        segment_interval,
        retain_duplicates,
        time_ordered: false,
        key_index: false,
    };
    match MemoryStores::new().open(&StoreSpec::new("windows", kind), OpenContext { task_directory: None }) {
        Ok(Store::Window(store)) => store,
        other => panic!("not a window store: {other:?}"),
    }
}

/// The `n`th key of so many, in no order.
fn key(n: u64, keys: u64) -> [u8; 8] {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).wrapping_rem(keys).wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()
}

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis.cast_signed())
}

fn put(store: &mut dyn WindowBytes, key: &[u8], start: Timestamp, value: &[u8]) {
    let _ = store.put(key, start, Some(Row::plain(value))).unwrap();
}

/// A record every 2 ms, of 5,000 keys: it is put, and its partners within ten seconds are looked for. There are 20,000 starts, and
/// a key has four of them.
fn join(store: &mut dyn WindowBytes, n: u64) -> usize {
    let (key, time) = (key(n, 5_000), 100_000 + 2 * n);
    put(store, &key, ms(time), &VALUE);
    let query = WindowQuery { keys: KeySelection::One(&key), from: ms(time - 10_000), to: ms(time + 10_000) };
    let mut found = Vec::new();
    let _ = store.scan(query, Order::Forward, None, 100, &mut found).unwrap();
    found.len()
}

/// A record every millisecond, of so many keys, counted by the minute.
fn count(store: &mut dyn WindowBytes, n: u64, keys: u64) {
    let (key, start) = (key(n, keys), ms(n / 60_000 * 60_000));
    let before = store.fetch(&key, start).unwrap();
    let before = before.and_then(|row| row.value().try_into().ok()).map_or(0, u64::from_be_bytes);
    put(store, &key, start, &(before + 1).to_be_bytes());
}

/// All keys of a window, in pages as a windowed aggregate reads what has closed.
fn closed(store: &dyn WindowBytes, start: Timestamp) -> usize {
    let query = WindowQuery { keys: KeySelection::ALL, from: start, to: start };
    let (mut read, mut page) = (0, Vec::new());
    loop {
        let after = page.pop();
        page.clear();
        let scan = store.scan(query, Order::Forward, after.as_ref(), 500, &mut page).unwrap();
        read += page.len();
        if scan == Scan::Done {
            return read;
        }
    }
}

fn stores(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window-store");
    group.bench_function("join, 20000 starts", |bencher| {
        let mut store = open(Duration::from_secs(40), Duration::from_secs(20), true);
        let mut n = 0..;
        n.by_ref().take(30_000).for_each(|n| put(store.as_mut(), &key(n, 5_000), ms(100_000 + 2 * n), &VALUE));
        bencher.iter(|| n.next().map(|n| join(store.as_mut(), n)));
    });
    // With as many records of a key and window as in `windows.rs`, and with one, where every write is of a new row.
    for keys in [20_000, 60_000] {
        group.bench_function(format!("count, {keys} keys"), |bencher| {
            let mut store = open(Duration::from_mins(3), Duration::from_mins(1), false);
            let mut n = 0..;
            n.by_ref().take(330_000).for_each(|n| count(store.as_mut(), n, keys));
            bencher.iter(|| n.next().map(|n| count(store.as_mut(), n, keys)));
        });
    }
    group.bench_function("closed window of 20000 keys", |bencher| {
        let mut store = open(Duration::from_mins(3), Duration::from_mins(1), false);
        (0..180_000).for_each(|n| count(store.as_mut(), n, 20_000));
        bencher.iter(|| closed(store.as_ref(), ms(60_000)));
    });
    group.finish();
}

criterion_group!(benches, stores);
criterion_main!(benches);
