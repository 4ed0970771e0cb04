//! Reading from another thread what was committed, and what it costs the store that is read: a memory store before and after somebody asks.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::rocksdb::RocksDbStores;
use headwater::store::bytes::{KeyRange, Order};
use headwater::store::{Asked, MemoryBudget, OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;

/// Rows in the store, and writes of a commit.
const ROWS: u64 = 200_000;
const WRITES: u64 = 1_000;

fn key(number: u64) -> [u8; 8] {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn filled(make: &dyn StoreSupplier, directory: &Path) -> Store {
    let spec = StoreSpec::new("rows", StoreKind::KeyValue);
    let mut store = make.open(&spec, OpenContext { task_directory: Some(directory) }).unwrap();
    write(&mut store, 0..ROWS);
    store
}

fn write(store: &mut Store, numbers: std::ops::Range<u64>) {
    let Store::KeyValue(rows) = store else { return };
    for number in numbers {
        rows.put(&key(number % ROWS), Some(Row::plain(&number.to_be_bytes()))).unwrap();
    }
    rows.commit(None).unwrap();
}

fn queries(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = RocksDbStores::new(MemoryBudget::default());
    let makes: [(&str, &dyn StoreSupplier); 2] = [("memory", &MemoryStores::new()), ("rocksdb", &on_disk)];
    for (name, make) in makes {
        let mut group = criterion.benchmark_group(format!("queries/{name}"));
        let mut store = filled(make, directory.path());
        let mut at = 0;
        group.throughput(Throughput::Elements(WRITES));
        let mut commit = |store: &mut Store| {
            at += WRITES;
            write(store, at..at + WRITES);
        };
        group.bench_function("write-unread", |bencher| bencher.iter(|| commit(&mut store)));
        let views = store.state().views().unwrap();
        let _ = views.committed().unwrap();
        commit(&mut store);
        group.bench_function("write-read", |bencher| {
            bencher.iter(|| {
                commit(&mut store);
                black_box(views.committed().unwrap());
            });
        });
        group.throughput(Throughput::Elements(1));
        let mut number = 0;
        group.bench_function("get", |bencher| {
            bencher.iter(|| {
                number += 1;
                let view = views.committed().unwrap().unwrap();
                let found = view.read(|store| match store {
                    Store::KeyValue(rows) => rows.get(&key(number % ROWS)),
                    _ => Ok(None),
                });
                assert!(found.unwrap().is_some());
            });
        });
        // A view for each: of a row that waits for its commit, and of one that does not.
        if let Store::KeyValue(rows) = &mut store {
            (0..WRITES).for_each(|n| rows.put(&key(n), Some(Row::plain(b"uncommitted"))).unwrap());
        }
        group.bench_function("get-uncommitted", |bencher| {
            bencher.iter(|| {
                number += 1;
                let key = key(number % (2 * WRITES));
                let asked = Asked { keys: KeyRange::inclusive(Some(&key), Some(&key)), ..Asked::ALL };
                let view = store.state_mut().uncommitted(&asked, &mut |_| ()).unwrap().unwrap();
                let found = view.read(|store| match store {
                    Store::KeyValue(rows) => rows.get(&key),
                    _ => Ok(None),
                });
                assert!(found.unwrap().is_some());
            });
        });
        group.throughput(Throughput::Elements(256));
        group.bench_function("page", |bencher| {
            bencher.iter(|| {
                number += 1;
                let view = views.committed().unwrap().unwrap();
                let mut page = Vec::new();
                let from = key(number % ROWS);
                let range = KeyRange::inclusive(Some(&from), None);
                let _ = view.read(|store| match store {
                    Store::KeyValue(rows) => rows.scan(range, Order::Forward, 256, &mut page).map(drop),
                    _ => Ok(()),
                });
                black_box(page);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, queries);
criterion_main!(benches);
