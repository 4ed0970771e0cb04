//! A value per key, in a `BTreeMap` (Java's `InMemoryKeyValueStore`).

use std::collections::BTreeMap;

use headwater_record::{Offset, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{Row, RowBuf, StateStore, StoreError, StoreSpec};

use crate::scan::scan;
use crate::state::{State, key_of, row_of};

#[derive(Debug)]
pub(crate) struct KeyValue {
    state: State,
    in_place_of_disk: bool,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl KeyValue {
    pub(crate) fn new(spec: &StoreSpec, in_place_of_disk: bool) -> Self {
        KeyValue { state: State::new(spec), in_place_of_disk, rows: BTreeMap::new() }
    }

    fn write(&mut self, key: &[u8], row: Option<Row<'_>>) {
        let Some(row) = row else {
            self.rows.remove(key);
            return;
        };
        // The usual write is to a key that is there: it takes no allocation.
        if let Some(bytes) = self.rows.get_mut(key) {
            self.state.overwrite(row, bytes);
        } else {
            let bytes = self.state.encoded(row);
            self.rows.insert(key.to_vec(), bytes);
        }
    }
}

impl StateStore for KeyValue {
    fn name(&self) -> &str {
        &self.state.name
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn does_as_on_disk(&self) -> bool {
        self.in_place_of_disk
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.state.offset)
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.state.commit(changelog);
        Ok(())
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        for record in records {
            self.write(key_of(&record)?, row_of(&record));
        }
        Ok(())
    }
}

impl KeyValueBytes for KeyValue {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.rows.get(key).map(|bytes| self.state.decoded(bytes)).transpose()
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        self.write(key, row);
        Ok(())
    }
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        scan(&self.rows, (range.from, range.to), order, limit, |key, bytes| {
            into.push(Entry { key: key.to_vec(), row: self.state.decoded(bytes)? });
            Ok(())
        })
    }
    fn approximate_len(&self) -> u64 {
        self.rows.len() as u64
    }
}
