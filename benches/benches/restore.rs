//! Batches of a changelog into a store, and the commit after them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use headwater::record::{Offset, RawHeaders, RawRecord, Timestamp};
use headwater::store::{OpenContext, RowFormat, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;
use tempfile::TempDir;

/// Records that the runtime applies at once.
const BATCH: u64 = 1_000;
const BATCHES: u64 = 100;
const VALUE: [u8; 100] = [7; 100];

fn open(supplier: &dyn StoreSupplier, directory: &TempDir) -> Store {
    let spec = StoreSpec { format: RowFormat::Timestamped, ..StoreSpec::new("counts", StoreKind::KeyValue) };
    supplier.open(&spec, OpenContext { task_directory: Some(directory.path()) }).unwrap()
}

/// Keys in no order, each twice.
fn apply(store: &mut Store) {
    for batch in 0..BATCHES {
        let keys: Vec<[u8; 8]> = (0..BATCH)
            .map(|n| ((batch * BATCH + n) % (BATCH * BATCHES / 2)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
            .collect();
        let mut records = keys.iter().enumerate().map(|(n, key)| RawRecord {
            offset: Offset::new((batch * BATCH).cast_signed() + n as i64),
            timestamp: Timestamp::from_millis(1),
            key: Some(key),
            value: Some(&VALUE),
            headers: RawHeaders::NONE,
        });
        store.state_mut().restore(&mut records).unwrap();
    }
    store.state_mut().commit(Some(Offset::new((BATCH * BATCHES).cast_signed() - 1))).unwrap();
}

fn restore(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("restore");
    group.throughput(Throughput::Elements(BATCH * BATCHES)).sample_size(10);
    let suppliers: &[(&str, &dyn StoreSupplier)] = &[
        ("memory", &MemoryStores::new()),
        #[cfg(feature = "rocksdb")]
        ("rocksdb", &headwater_store_rocksdb::RocksDbStores::new(headwater::store::MemoryBudget::default())),
    ];
    for (name, supplier) in suppliers {
        group.bench_function(*name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    let directory = TempDir::new().unwrap();
                    (open(*supplier, &directory), directory)
                },
                |(store, _)| apply(store),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, restore);
criterion_main!(benches);
