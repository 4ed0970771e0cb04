//! A key-value store in RocksDB, by itself: what reading a row costs by where it lies, and what a commit costs.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use headwater::record::Offset;
use headwater::store::bytes::KeyValueBytes;
use headwater::store::{MemoryBudget, OpenContext, Row, RowFormat, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;
use tempfile::TempDir;

const ROWS: u64 = 200_000;
const VALUE: [u8; 100] = [7; 100];

/// Where all rows lie.
#[derive(Clone, Copy, Debug)]
enum Rows {
    Pending,
    Committed,
    OnDisk,
}

fn open(directory: &TempDir, rows: Rows) -> Box<dyn KeyValueBytes> {
    let default = MemoryBudget::default();
    let committed_bytes = if matches!(rows, Rows::OnDisk) { 0 } else { default.committed_bytes };
    let spec = StoreSpec { format: RowFormat::Timestamped, ..StoreSpec::new("rows", StoreKind::KeyValue) };
    let context = OpenContext { task_directory: Some(directory.path()) };
    match RocksDbStores::new(MemoryBudget { committed_bytes, ..default }).open(&spec, context) {
        Ok(Store::KeyValue(store)) => store,
        other => panic!("not a key-value store: {other:?}"),
    }
}

/// The `n`th key, in no order.
fn key(n: u64) -> [u8; 8] {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).wrapping_rem(ROWS).wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()
}

/// A store whose rows were all written, and read by key once.
fn filled(directory: &TempDir, rows: Rows) -> Box<dyn KeyValueBytes> {
    let mut store = open(directory, rows);
    assert!(store.get(&key(0)).unwrap().is_none());
    for n in 0..4 * ROWS {
        store.put(&key(n), Some(Row::plain(&VALUE))).unwrap();
    }
    if !matches!(rows, Rows::Pending) {
        store.commit(Some(Offset::new(1))).unwrap();
    }
    store
}

fn reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key-value-store");
    for rows in [Rows::Pending, Rows::Committed, Rows::OnDisk] {
        let directory = TempDir::new().unwrap();
        let store = filled(&directory, rows);
        let mut n = 0..;
        group.bench_function(format!("look, {rows:?}"), |bencher| {
            bencher.iter(|| {
                let mut bytes = 0;
                store.look(&key(n.next().unwrap()), &mut |row| bytes = row.value.len()).unwrap();
                bytes
            });
        });
    }
    group.throughput(Throughput::Elements(10_000)).sample_size(10);
    let directory = TempDir::new().unwrap();
    let mut store = filled(&directory, Rows::Committed);
    let (mut n, mut offset) = (0.., 2..);
    group.bench_function("commit of 10000 rows", |bencher| {
        bencher.iter_batched(
            || n.by_ref().take(10_000).map(key).collect::<Vec<_>>(),
            |keys| {
                for key in &keys {
                    store.put(key, Some(Row::plain(&VALUE))).unwrap();
                }
                store.commit(offset.next().map(Offset::new)).unwrap();
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, reads);
criterion_main!(benches);
