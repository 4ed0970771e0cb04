//! What a read of a global store costs beside one of a task's own: the same store, borrowed or behind its lock.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions without, and a bench that fails ends"
)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::processor::{GlobalStore, SharedStore};
use headwater::record::{RawHeaders, Timestamp};
use headwater::store::{OpenContext, Row, RowBuf, RowFormat, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;
use tempfile::TempDir;

const ROWS: u64 = 10_000;
const VALUE: [u8; 100] = [7; 100];

fn key(number: u64) -> [u8; 8] {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn filled(supplier: &dyn StoreSupplier, directory: &TempDir) -> Store {
    let spec = StoreSpec { format: RowFormat::Timestamped, ..StoreSpec::new("shops", StoreKind::KeyValue) };
    let mut store = supplier.open(&spec, OpenContext { task_directory: Some(directory.path()) }).unwrap();
    let Store::KeyValue(rows) = &mut store else { unreachable!("that is what was asked for") };
    for number in 0..ROWS {
        let row = Row { value: &VALUE, timestamp: Timestamp::from_millis(1), headers: RawHeaders::NONE };
        rows.put(&key(number), Some(row)).unwrap();
    }
    store.state_mut().commit(None).unwrap();
    store
}

fn get(store: &SharedStore, number: u64) -> Option<RowBuf> {
    let found = store.read(|store| match store {
        Store::KeyValue(store) => store.get(&key(number)),
        _ => Ok(None),
    });
    found.unwrap()
}

fn reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("globals");
    group.throughput(Throughput::Elements(1));
    let suppliers: &[(&str, &dyn StoreSupplier)] = &[
        ("memory", &MemoryStores::new()),
        #[cfg(feature = "rocksdb")]
        ("rocksdb", &headwater_store_rocksdb::RocksDbStores::new(headwater::store::MemoryBudget::default())),
    ];
    for (name, supplier) in suppliers {
        let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let place = Arc::new(GlobalStore::new("shops"));
        *place.slot() = Some(filled(*supplier, &other));
        let stores = [("own", SharedStore::own(filled(*supplier, &one))), ("global", SharedStore::from(place))];
        for (whose, store) in &stores {
            let mut number = 0;
            group.bench_function(format!("{name}/{whose}"), |bencher| {
                bencher.iter(|| {
                    number = (number + 1) % ROWS;
                    black_box(get(store, number))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, reads);
criterion_main!(benches);
