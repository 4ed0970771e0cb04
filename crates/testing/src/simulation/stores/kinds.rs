//! The four kinds of stores, watched.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp};
use headwater_store::bytes::{
    Entry, KeyRange, KeySelection, KeyValueBytes, Order, Put, Scan, SessionBytes, SessionEntry, SessionQuery, Version,
    VersionQuery, VersionedBytes, VersionedPut, WindowBytes, WindowEntry, WindowQuery,
};
use headwater_store::{Row, RowBuf, StoreError};
use headwater_window::key_format::{put_session, put_window_store_suffix};

use super::Watched;
use crate::simulation::disk::Journal;
use crate::simulation::process::Call;

/// All that a store holds, under the keys of its changelog.
pub(crate) trait Rows {
    /// All rows, or those of `keys` where the store does not tell which it has; `None` when it cannot be read.
    fn rows(&self, keys: &BTreeSet<Vec<u8>>) -> Option<BTreeMap<Vec<u8>, Vec<u8>>>;
}

/// A row's time and value.
fn shown(row: &RowBuf) -> Vec<u8> {
    [&row.timestamp().millis().to_be_bytes(), row.value()].concat()
}

impl Rows for dyn KeyValueBytes {
    fn rows(&self, _: &BTreeSet<Vec<u8>>) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut entries = Vec::new();
        let _ = self.scan(KeyRange::ALL, Order::Forward, usize::MAX, &mut entries).ok()?;
        Some(entries.into_iter().map(|entry| (entry.key, shown(&entry.row))).collect())
    }
}

impl Rows for dyn WindowBytes {
    fn rows(&self, _: &BTreeSet<Vec<u8>>) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
        let query = WindowQuery { keys: KeySelection::ALL, from: Timestamp::ZERO, to: Timestamp::MAX };
        let mut entries = Vec::new();
        let _ = self.scan(query, Order::Forward, None, usize::MAX, &mut entries).ok()?;
        let mut rows = BTreeMap::new();
        for entry in &entries {
            let mut key = window_key(&entry.key, entry.start, 0);
            if entry.sequence == 0 {
                rows.insert(key, shown(&entry.row));
            } else {
                // Values of one key and time are numbered anew by every life of the store.
                key.extend(shown(&entry.row));
                rows.entry(key).or_insert_with(Vec::new).push(1);
            }
        }
        Some(rows)
    }
}

impl Rows for dyn SessionBytes {
    fn rows(&self, _: &BTreeSet<Vec<u8>>) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
        let query = SessionQuery {
            keys: KeySelection::ALL,
            earliest_end: Timestamp::ZERO,
            latest_end: Timestamp::MAX,
            latest_start: Timestamp::MAX,
        };
        let mut entries = Vec::new();
        let _ = self.scan(query, Order::Forward, None, usize::MAX, &mut entries).ok()?;
        let key = |entry: &SessionEntry| session_key(&entry.key, entry.start, entry.end);
        Some(entries.iter().map(|entry| (key(entry), shown(&entry.row))).collect())
    }
}

impl Rows for dyn VersionedBytes {
    fn rows(&self, keys: &BTreeSet<Vec<u8>>) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut rows = BTreeMap::new();
        for key in keys {
            let query = VersionQuery { key, from: Timestamp::ZERO, to: Timestamp::MAX };
            let mut versions = Vec::new();
            let _ = self.scan(query, Order::Forward, None, usize::MAX, &mut versions).ok()?;
            for version in versions {
                let until = version.valid_to.unwrap_or(Timestamp::MAX).millis().to_be_bytes();
                rows.insert([&key[..], &until].concat(), shown(&version.row));
            }
        }
        Some(rows)
    }
}

fn window_key(key: &[u8], start: Timestamp, sequence: i32) -> Vec<u8> {
    let mut bytes = key.to_vec();
    put_window_store_suffix(start, sequence, &mut bytes);
    bytes
}

fn session_key(key: &[u8], start: Timestamp, end: Timestamp) -> Vec<u8> {
    let mut bytes = key.to_vec();
    put_session(start, end, &mut bytes);
    bytes
}

fn note(journal: Option<&mut Journal>, key: &[u8], row: Option<Row<'_>>) {
    let Some(journal) = journal else { return };
    let (timestamp, headers) = row.map_or((Timestamp::UNKNOWN, RawHeaders::NONE), |row| (row.timestamp, row.headers));
    let value = row.map(|row| row.value);
    journal.change(&RawRecord { offset: Offset::UNKNOWN, timestamp, key: Some(key), value, headers });
}

impl KeyValueBytes for Watched<dyn KeyValueBytes> {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.call(Call::StoreGet, |inner| inner.get(key))
    }
    fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<RowBuf>>, StoreError> {
        self.call(Call::StoreGet, |inner| inner.multi_get(keys))
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        self.write(|inner, journal| {
            inner.put(key, row)?;
            note(journal, key, row);
            Ok(())
        })
    }
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        self.call(Call::StoreGet, |inner| inner.scan(range, order, limit, into))
    }
    fn approximate_len(&self) -> u64 {
        self.inner.approximate_len()
    }
    fn take_evicted(&mut self) -> Vec<Vec<u8>> {
        self.inner.take_evicted()
    }
}

impl WindowBytes for Watched<dyn WindowBytes> {
    fn put(&mut self, key: &[u8], start: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        self.write(|inner, journal| {
            let put = inner.put(key, start, row)?;
            note(journal, &window_key(key, start, inner.last_sequence()), row);
            Ok(put)
        })
    }
    fn fetch(&self, key: &[u8], start: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        self.call(Call::StoreGet, |inner| inner.fetch(key, start))
    }
    fn scan(
        &self,
        query: WindowQuery<'_>,
        order: Order,
        after: Option<&WindowEntry>,
        limit: usize,
        into: &mut Vec<WindowEntry>,
    ) -> Result<Scan, StoreError> {
        self.call(Call::StoreGet, |inner| inner.scan(query, order, after, limit, into))
    }
    fn last_sequence(&self) -> i32 {
        self.inner.last_sequence()
    }
    fn observed_time(&self) -> Timestamp {
        self.inner.observed_time()
    }
}

impl SessionBytes for Watched<dyn SessionBytes> {
    fn put(&mut self, key: &[u8], start: Timestamp, end: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        self.write(|inner, journal| {
            let put = inner.put(key, start, end, row)?;
            note(journal, &session_key(key, start, end), row);
            Ok(put)
        })
    }
    fn remove(&mut self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<(), StoreError> {
        self.write(|inner, journal| {
            inner.remove(key, start, end)?;
            note(journal, &session_key(key, start, end), None);
            Ok(())
        })
    }
    fn fetch(&self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        self.call(Call::StoreGet, |inner| inner.fetch(key, start, end))
    }
    fn scan(
        &self,
        query: SessionQuery<'_>,
        order: Order,
        after: Option<&SessionEntry>,
        limit: usize,
        into: &mut Vec<SessionEntry>,
    ) -> Result<Scan, StoreError> {
        self.call(Call::StoreGet, |inner| inner.scan(query, order, after, limit, into))
    }
    fn observed_time(&self) -> Timestamp {
        self.inner.observed_time()
    }
}

impl VersionedBytes for Watched<dyn VersionedBytes> {
    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: Timestamp) -> Result<VersionedPut, StoreError> {
        self.keys.insert(key.to_vec());
        self.write(|inner, journal| {
            let put = inner.put(key, value, timestamp)?;
            if let Some(journal) = journal {
                let (key, headers) = (Some(key), RawHeaders::NONE);
                journal.change(&RawRecord { offset: Offset::UNKNOWN, timestamp, key, value, headers });
            }
            Ok(put)
        })
    }
    fn get(&self, key: &[u8]) -> Result<Option<Version>, StoreError> {
        self.call(Call::StoreGet, |inner| inner.get(key))
    }
    fn get_as_of(&self, key: &[u8], as_of: Timestamp) -> Result<Option<Version>, StoreError> {
        self.call(Call::StoreGet, |inner| inner.get_as_of(key, as_of))
    }
    fn scan(
        &self,
        query: VersionQuery<'_>,
        order: Order,
        after: Option<&Version>,
        limit: usize,
        into: &mut Vec<Version>,
    ) -> Result<Scan, StoreError> {
        self.call(Call::StoreGet, |inner| inner.scan(query, order, after, limit, into))
    }
    fn observed_time(&self) -> Timestamp {
        self.inner.observed_time()
    }
}
