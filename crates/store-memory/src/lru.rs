//! The keys used last, at most so many (Java's `MemoryNavigableLRUCache`, `Stores#lruMap`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::{Offset, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreSpec, StoreViews, View};

use crate::key_value::KeyValue;
use crate::scan::scan_own;
use crate::state::{State, key_of, row_of};

#[derive(Debug)]
struct Slot {
    row: Vec<u8>,
    // When it was used last, in uses of the store.
    used: AtomicU64,
}

/// Getting and putting a key uses it; scanning does not.
#[derive(Debug)]
pub(crate) struct Lru {
    state: State,
    max_entries: usize,
    slots: BTreeMap<Vec<u8>, Slot>,
    // Keys by when they were used last. Reading changes it, hence the lock.
    by_use: Mutex<BTreeMap<u64, Vec<u8>>>,
    uses: AtomicU64,
    evicted: Vec<Vec<u8>>,
}

impl Lru {
    pub(crate) fn new(spec: &StoreSpec, max_entries: usize) -> Self {
        Lru {
            state: State::new(spec),
            max_entries,
            slots: BTreeMap::new(),
            by_use: Mutex::default(),
            uses: AtomicU64::new(0),
            evicted: Vec::new(),
        }
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn touch(&self, slot: &Slot) {
        // A slot's use and its place among the others change together: under the lock.
        let mut by_use = self.by_use.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.next_use();
        if let Some(key) = by_use.remove(&slot.used.swap(now, Ordering::Relaxed)) {
            by_use.insert(now, key);
        }
    }

    fn by_use_mut(&mut self) -> &mut BTreeMap<u64, Vec<u8>> {
        self.by_use.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy. There are not many.
    fn copy(&self) -> Store {
        let rows = self.slots.iter().map(|(key, slot)| (key.clone(), slot.row.clone())).collect();
        Store::KeyValue(Box::new(KeyValue::view_of(self.state.of_view(), rows)))
    }

    fn write(&mut self, key: &[u8], row: Option<Row<'_>>) {
        let Some(row) = row else {
            if let Some(slot) = self.slots.remove(key) {
                self.by_use_mut().remove(&slot.used.into_inner());
            }
            return;
        };
        if let Some(slot) = self.slots.get_mut(key) {
            self.state.overwrite(row, &mut slot.row);
        } else {
            let now = self.next_use();
            self.by_use_mut().insert(now, key.to_vec());
            self.slots.insert(key.to_vec(), Slot { row: self.state.encoded(row), used: AtomicU64::new(now) });
            return;
        }
        if let Some(slot) = self.slots.get(key) {
            self.touch(slot);
        }
    }

    /// Drops the key that was used longest ago when there is one too many.
    fn evict(&mut self) -> Option<Vec<u8>> {
        if self.slots.len() <= self.max_entries {
            return None;
        }
        let (_, key) = self.by_use_mut().pop_first()?;
        self.slots.remove(&key);
        Some(key)
    }
}

impl StateStore for Lru {
    fn name(&self) -> &str {
        &self.state.name
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.state.offset)
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        if self.state.commit(changelog) {
            let copy = self.copy();
            self.state.show(copy);
        }
        Ok(())
    }
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.state.views()
    }
    fn uncommitted(
        &mut self,
        _: &Asked<'_>,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let copy = self.copy();
        self.state.show_to_one(copy, amend)
    }
    // What is dropped while restoring is not told: the changelog has its tombstones already.
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        for record in records {
            self.write(key_of(&record)?, row_of(&record));
            self.evict();
        }
        Ok(())
    }
}

impl KeyValueBytes for Lru {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        let Some(slot) = self.slots.get(key) else { return Ok(None) };
        self.touch(slot);
        self.state.decoded(&slot.row).map(Some)
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        self.write(key, row);
        if let Some(key) = self.evict() {
            self.evicted.push(key);
        }
        Ok(())
    }
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        scan_own(&self.slots, (range.from, range.to), order, limit, |key, slot| {
            into.push(Entry { key: key.to_vec(), row: self.state.decoded(&slot.row)? });
            Ok(())
        })
    }
    fn approximate_len(&self) -> u64 {
        self.slots.len() as u64
    }
    fn take_evicted(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.evicted)
    }
}
