//! A value per key and window start, in maps by start, then key (Java's `InMemoryWindowStore`).

use std::collections::BTreeMap;
use std::ops::Bound;

use headwater_record::{Offset, RawRecord, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use headwater_store::{Row, RowBuf, StateStore, StoreError, StoreSpec};
use headwater_window::key_format::split_window_store_key;

use crate::retention::Retention;
use crate::scan::{is_empty, next_in};
use crate::state::{State, key_of, row_of};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug)]
pub(crate) struct Window {
    state: State,
    retention: Retention,
    /// By start, then by key; with duplicates, by key and sequence number (4 bytes, big-endian).
    starts: BTreeMap<i64, Rows>,
    /// The sequence number given last, in a store that retains duplicates.
    sequence: Option<i32>,
}

impl Window {
    pub(crate) fn new(spec: &StoreSpec, retention: Retention, retain_duplicates: bool) -> Self {
        Window { state: State::new(spec), retention, starts: BTreeMap::new(), sequence: retain_duplicates.then_some(0) }
    }

    fn row_key(&self, key: &[u8], sequence: i32) -> Vec<u8> {
        let mut row_key = key.to_vec();
        if self.sequence.is_some() {
            row_key.extend_from_slice(&sequence.to_be_bytes());
        }
        row_key
    }

    fn write(&mut self, row_key: &[u8], start: i64, row: Option<Row<'_>>) -> Put {
        let in_time = self.retention.observe(start);
        let oldest = self.retention.forgotten_before();
        while self.starts.first_key_value().is_some_and(|(start, _)| *start < oldest) {
            self.starts.pop_first();
        }
        if !in_time {
            return Put::Expired;
        }
        if let Some(row) = row {
            let rows = self.starts.entry(start).or_default();
            if let Some(bytes) = rows.get_mut(row_key) {
                self.state.overwrite(row, bytes);
            } else {
                rows.insert(row_key.to_vec(), self.state.encoded(row));
            }
        } else if let Some(rows) = self.starts.get_mut(&start) {
            rows.remove(row_key);
            if rows.is_empty() {
                self.starts.remove(&start);
            }
        }
        Put::Stored
    }

    /// Between which row keys the keys lie.
    fn bounds(&self, keys: KeySelection<'_>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let (from, to) = match keys {
            KeySelection::One(key) => (Some(key), Some(key)),
            KeySelection::Between(from, to) => (from, to),
        };
        let from = from.map_or(Bound::Unbounded, |key| Bound::Included(self.row_key(key, 0)));
        let to = to.map_or(Bound::Unbounded, |key| Bound::Included(self.row_key(key, i32::MAX)));
        (from, to)
    }

    fn split<'a>(&self, row_key: &'a [u8]) -> (&'a [u8], i32) {
        match row_key.split_last_chunk::<4>() {
            Some((key, sequence)) if self.sequence.is_some() => (key, i32::from_be_bytes(*sequence)),
            _ => (row_key, 0),
        }
    }
}

impl StateStore for Window {
    fn name(&self) -> &str {
        &self.state.name
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn does_as_on_disk(&self) -> bool {
        self.retention.is_by_segments()
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
            let key = key_of(&record)?;
            let (key, start, sequence) = split_window_store_key(key).ok_or_else(|| StoreError::Corrupt {
                reason: format!("store {}: a changelog key of {} bytes has no window", self.state.name, key.len()),
            })?;
            self.sequence = self.sequence.map(|last| last.max(sequence));
            // As on disk, where a null beside duplicates changes nothing, not even the store's time.
            if self.retention.is_by_segments() && self.sequence.is_some() && record.value.is_none() {
                continue;
            }
            // A record too old to be kept is no error: the topic forgets later than the store.
            let _ = self.write(&self.row_key(key, sequence), start.millis(), row_of(&record));
        }
        Ok(())
    }
}

impl WindowBytes for Window {
    fn put(&mut self, key: &[u8], start: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        let Some(last) = self.sequence else { return Ok(self.write(key, start.millis(), row)) };
        // Java's stores on disk do not look at a null, and number what they refuse.
        let on_disk = self.retention.is_by_segments();
        if row.is_none() {
            let stored = on_disk || self.retention.observe(start.millis());
            return Ok(if stored { Put::Stored } else { Put::Expired });
        }
        let next = last.wrapping_add(1) & i32::MAX;
        let put = self.write(&self.row_key(key, next), start.millis(), row);
        if put == Put::Stored || on_disk {
            self.sequence = Some(next);
        }
        Ok(put)
    }

    fn fetch(&self, key: &[u8], start: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        if start.millis() < self.retention.oldest() {
            return Ok(None);
        }
        let row = self.starts.get(&start.millis()).and_then(|rows| rows.get(key));
        row.filter(|_| self.sequence.is_none()).map(|bytes| self.state.decoded(bytes)).transpose()
    }

    fn scan(
        &self,
        query: WindowQuery<'_>,
        order: Order,
        after: Option<&WindowEntry>,
        limit: usize,
        into: &mut Vec<WindowEntry>,
    ) -> Result<Scan, StoreError> {
        let mut from = query.from.millis().max(self.retention.oldest());
        let mut to = query.to.millis();
        match (after, order) {
            (Some(after), Order::Forward) => from = from.max(after.start.millis()),
            (Some(after), Order::Backward) => to = to.min(after.start.millis()),
            (None, _) => {}
        }
        if from > to {
            return Ok(Scan::Done);
        }
        let (low, high) = self.bounds(query.keys);
        let resume = after.map(|after| (after.start.millis(), self.row_key(&after.key, after.sequence)));
        let mut starts = self.starts.range(from..=to);
        let full = into.len().saturating_add(limit);
        while let Some((start, rows)) = next_in(&mut starts, order) {
            let (mut low, mut high) = (as_slice(&low), as_slice(&high));
            if let Some((_, row_key)) = resume.as_ref().filter(|(at, _)| at == start) {
                match order {
                    Order::Forward => low = Bound::Excluded(row_key),
                    Order::Backward => high = Bound::Excluded(row_key),
                }
            }
            if is_empty(low, high) {
                continue;
            }
            let mut rows = rows.range::<[u8], _>((low, high));
            while let Some((row_key, bytes)) = next_in(&mut rows, order) {
                let (key, sequence) = self.split(row_key);
                if !query.keys.contains(key) {
                    continue;
                }
                if into.len() >= full {
                    return Ok(Scan::More);
                }
                let (key, start) = (key.to_vec(), Timestamp::from_millis(*start));
                into.push(WindowEntry { key, start, sequence, row: self.state.decoded(bytes)? });
            }
        }
        Ok(Scan::Done)
    }

    fn last_sequence(&self) -> i32 {
        self.sequence.unwrap_or_default()
    }

    fn observed_time(&self) -> Timestamp {
        self.retention.observed()
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}
