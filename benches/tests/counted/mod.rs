//! Serdes and stores that count what is asked of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::prelude::*;
use headwater::record::{DefaultSerde, Encoded, Offset, RawRecord, Serde, SerdeError, SharedSerde};
use headwater::store::bytes::{Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use headwater::store::{OpenContext, Row, RowBuf, StateStore, Store, StoreError, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;

/// Counts so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    keys_encoded: Arc<AtomicU64>,
    values_encoded: Arc<AtomicU64>,
    store: Accesses,
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountsOf {
    pub(crate) keys_encoded: u64,
    pub(crate) values_encoded: u64,
    /// Rows asked for one by one.
    pub(crate) store_reads: u64,
    pub(crate) store_writes: u64,
    /// Changes that were handed on.
    pub(crate) changes: u64,
}

impl Counts {
    /// The store `name`, whose serdes, and rows of windows, are counted.
    pub(crate) fn materialized(&self, name: &str) -> Materialized<i64, i64> {
        let serde = |count: &Arc<AtomicU64>| Arc::new(CountedSerde(Arc::clone(count), i64::default_serde()));
        Materialized::named(name)
            .with_key_serde(serde(&self.keys_encoded))
            .with_value_serde(serde(&self.values_encoded))
            .in_store_of(Arc::new(CountedStores(self.store.clone())))
    }

    pub(crate) fn with_changes(&self, changes: u64) -> CountsOf {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CountsOf {
            keys_encoded: read(&self.keys_encoded),
            values_encoded: read(&self.values_encoded),
            store_reads: read(&self.store.reads),
            store_writes: read(&self.store.writes),
            changes,
        }
    }
}

/// Numbers, counting how many become bytes.
struct CountedSerde(Arc<AtomicU64>, SharedSerde<i64>);

impl Serde<i64> for CountedSerde {
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

#[derive(Clone, Debug, Default)]
struct Accesses {
    reads: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
}

/// Stores in memory; of those of windows, accesses are counted.
#[derive(Debug)]
struct CountedStores(Accesses);

impl StoreSupplier for CountedStores {
    fn is_persistent(&self) -> bool {
        false
    }
    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError> {
        Ok(match MemoryStores::new().open(spec, context)? {
            Store::Window(store) => Store::Window(Box::new(CountedWindows(self.0.clone(), store))),
            other => other,
        })
    }
}

struct CountedWindows(Accesses, Box<dyn WindowBytes>);

impl StateStore for CountedWindows {
    fn name(&self) -> &str {
        self.1.name()
    }
    fn is_persistent(&self) -> bool {
        self.1.is_persistent()
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        self.1.committed_offset()
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.1.commit(changelog)
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        self.1.restore(records)
    }
}

impl WindowBytes for CountedWindows {
    fn put(&mut self, key: &[u8], start: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        self.0.writes.fetch_add(1, Ordering::Relaxed);
        self.1.put(key, start, row)
    }
    fn fetch(&self, key: &[u8], start: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        self.1.fetch(key, start)
    }
    fn scan(
        &self,
        query: WindowQuery<'_>,
        order: Order,
        after: Option<&WindowEntry>,
        limit: usize,
        into: &mut Vec<WindowEntry>,
    ) -> Result<Scan, StoreError> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        self.1.scan(query, order, after, limit, into)
    }
    fn observed_time(&self) -> Timestamp {
        self.1.observed_time()
    }
}
