//! A value per key, in an ordered map (Java's `InMemoryKeyValueStore`).

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Offset, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreSpec, StoreViews, View};

use crate::map::Map;
use crate::scan::scan;
use crate::state::{State, key_of, row_of};

#[derive(Debug)]
pub(crate) struct KeyValue {
    state: State,
    in_place_of_disk: bool,
    rows: Map<Vec<u8>, Vec<u8>>,
}

impl KeyValue {
    pub(crate) fn new(spec: &StoreSpec, in_place_of_disk: bool) -> Self {
        KeyValue { state: State::new(spec), in_place_of_disk, rows: Map::default() }
    }

    /// Over the rows of a store that is copied for its readers as a whole.
    pub(crate) fn view_of(state: State, rows: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        KeyValue { state, in_place_of_disk: false, rows: Map::Own(rows) }
    }

    /// A copy that shares what does not change.
    fn copy(&mut self) -> Store {
        self.rows.share(|_| ());
        let (state, rows) = (self.state.of_view(), self.rows.clone());
        Store::KeyValue(Box::new(KeyValue { state, in_place_of_disk: self.in_place_of_disk, rows }))
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
