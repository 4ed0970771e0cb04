//! A key-value store of the tests: a map.

use std::collections::BTreeMap;

use headwater_record::{Offset, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{Row, RowBuf, RowFormat, StateStore, StoreError};

pub(crate) struct MapStore {
    format: RowFormat,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MapStore {
    pub(crate) fn new(format: RowFormat) -> Self {
        MapStore { format, rows: BTreeMap::new() }
    }
}

impl StateStore for MapStore {
    fn name(&self) -> &'static str {
        "store"
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(None)
    }
    fn commit(&mut self, _changelog: Option<Offset>) -> Result<(), StoreError> {
        Ok(())
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        for record in records {
            let row = record.value.map(|value| Row { value, timestamp: record.timestamp, headers: record.headers });
            self.put(record.key.unwrap_or_default(), row)?;
        }
        Ok(())
    }
}

impl KeyValueBytes for MapStore {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.rows.get(key).map(|row| self.format.decode(row.clone())).transpose()
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        match row {
            None => self.rows.remove(key),
            Some(row) => {
                let mut bytes = Vec::new();
                self.format.encode(row, &mut bytes);
                self.rows.insert(key.to_vec(), bytes)
            }
        };
        Ok(())
    }
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        let found = self.rows.range::<[u8], _>((range.from, range.to));
        let found: Vec<_> = match order {
            Order::Forward => found.take(limit).collect(),
            Order::Backward => found.rev().take(limit).collect(),
        };
        for (key, row) in &found {
            into.push(Entry { key: (*key).clone(), row: self.format.decode((*row).clone())? });
        }
        Ok(if found.len() < limit { Scan::Done } else { Scan::More })
    }
    fn approximate_len(&self) -> u64 {
        self.rows.len() as u64
    }
}
