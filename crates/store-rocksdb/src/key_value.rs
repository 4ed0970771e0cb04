//! A value per key (Java's `RocksDBStore` and `RocksDBTimestampedStore`).

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Offset, Partition, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{Asked, Row, RowBuf, RowRef, StateStore, Store, StoreError, StoreViews, View};

use crate::scan::HalfOpen;
use crate::table::{Marks, Table};

#[derive(Debug)]
pub(crate) struct KeyValue {
    table: Table,
}

impl KeyValue {
    pub(crate) fn new(table: Table) -> Self {
        KeyValue { table }
    }
}

/// The row of a changelog record; `None` for a tombstone.
pub(crate) fn row_of<'a>(record: &RawRecord<'a>) -> Option<Row<'a>> {
    record.value.map(|value| Row { value, timestamp: record.timestamp, headers: record.headers })
}

/// A changelog record's key. A record without one was written by nobody who keeps a store.
pub(crate) fn key_of<'a>(record: &RawRecord<'a>) -> Result<&'a [u8], StoreError> {
    record.key.ok_or_else(|| StoreError::Corrupt { reason: "a changelog record has no key".to_owned() })
}

impl StateStore for KeyValue {
    fn name(&self) -> &str {
        self.table.name()
    }
    fn is_persistent(&self) -> bool {
        true
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.table.offset())
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.table.commit(changelog, Marks::NONE)
    }
    fn committed_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        Ok(self.table.offsets())
    }
    fn commit_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) -> Result<(), StoreError> {
        self.table.note_offsets(offsets);
        self.commit(None)
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        self.table.restored_unread();
        for record in records {
            self.table.put(key_of(&record)?, row_of(&record));
        }
        Ok(())
    }
    fn sync(&mut self) -> Result<(), StoreError> {
        self.table.sync()
    }
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.table.views()
    }
    fn uncommitted(
        &mut self,
        asked: &Asked<'_>,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let range = HalfOpen::new(asked.keys.from, asked.keys.to);
        let Some(table) = self.table.uncommitted(&[range]) else { return Ok(None) };
        self.table.show(Store::KeyValue(Box::new(KeyValue { table })), amend)
    }
    fn pending_bytes(&self) -> usize {
        self.table.pending_bytes()
    }
}

impl KeyValueBytes for KeyValue {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.table.get(key)
    }
    fn look(&self, key: &[u8], look: &mut dyn FnMut(RowRef<'_>)) -> Result<(), StoreError> {
        self.table.look(key, look)
    }
    fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<RowBuf>>, StoreError> {
        self.table.multi_get(keys)
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        self.table.put(key, row);
        Ok(())
    }
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        let mut left = limit;
        let mut end = Scan::Done;
        self.table.scan((range.from, range.to), true, order, |key, row| {
            let Some(after) = left.checked_sub(1) else {
                end = Scan::More;
                return Ok(false);
            };
            left = after;
            into.push(Entry { key: key.to_vec(), row: row()? });
            Ok(true)
        })?;
        Ok(end)
    }
    fn approximate_len(&self) -> u64 {
        self.table.approximate_len()
    }
}
