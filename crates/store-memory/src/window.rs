//! A value per key and window start, in maps by start, then key (Java's `InMemoryWindowStore`).

use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use headwater_record::{Offset, RawRecord, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreSpec, StoreViews, View};
use headwater_window::key_format::split_window_store_key;

use crate::index::{Index, Key};
use crate::map::Map;
use crate::retention::Retention;
use crate::scan::{is_empty, next_in};
use crate::state::{State, key_of, row_of};

type Rows = Map<Key, Vec<u8>>;

#[derive(Debug)]
pub(crate) struct Window {
    state: State,
    retention: Retention,
    /// By start, then by key; with duplicates, by key and sequence number (4 bytes, big-endian).
    starts: Map<i64, Rows>,
    /// When the windows of each key start; a view has none of it.
    starts_of: Index,
    /// The sequence number given last, in a store that retains duplicates.
    sequence: Option<i32>,
}

impl Window {
    pub(crate) fn new(spec: &StoreSpec, retention: Retention, retain_duplicates: bool) -> Self {
        let sequence = retain_duplicates.then_some(0);
        Window { state: State::new(spec), retention, starts: Map::default(), starts_of: Index::default(), sequence }
    }

    /// A copy that shares what does not change.
    fn copy(&mut self) -> Store {
        self.starts.share(|rows| rows.share(|_| ()));
        Store::Window(Box::new(Window {
            state: self.state.of_view(),
            retention: self.retention,
            starts: self.starts.clone(),
            starts_of: Index::default(),
            sequence: self.sequence,
        }))
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
        let mut gone = 0;
        while let Some((_, rows)) = self.starts.pop_before(&oldest) {
            gone += rows.len();
        }
        self.starts_of.forget(gone, oldest);
        if !in_time {
            return Put::Expired;
        }
        match row {
            Some(row) => self.insert(row_key, start, row),
            None => self.remove(row_key, start),
        }
        Put::Stored
    }

    fn insert(&mut self, row_key: &[u8], start: i64, row: Row<'_>) {
        let another = self.starts.another();
        let rows = self.starts.get_or_insert_with(start, || another);
        if let Some(bytes) = rows.get_mut(row_key) {
            self.state.overwrite(row, bytes);
            return;
        }
        let duplicates = self.sequence.is_some();
        let key = self.starts_of.insert(split(row_key, duplicates).0, start, self.retention.forgotten_before());
        rows.insert(if duplicates { row_key.into() } else { key }, self.state.encoded(row));
    }

    /// In a store without duplicates, where a row's key is the key.
    fn remove(&mut self, key: &[u8], start: i64) {
        let Some(rows) = self.starts.get_mut(&start) else { return };
        if rows.remove(key).is_some() {
            self.starts_of.remove(key, start);
        }
        if rows.is_empty() {
            self.starts.remove(&start);
        }
    }

    /// What starts within `starts`, which must not be empty; those that have no rows of the key, where only one is asked for, left out.
    fn starting<'a>(
        &'a self,
        keys: KeySelection<'_>,
        starts: RangeInclusive<i64>,
    ) -> Box<dyn DoubleEndedIterator<Item = (i64, &'a Rows)> + 'a> {
        match keys {
            KeySelection::One(key) if !self.state.is_view() => {
                let starts = self.starts_of.times_of(key, starts);
                Box::new(starts.filter_map(|start| Some((start, self.starts.get(&start)?))))
            }
            _ => Box::new(self.starts.range(starts).map(|(start, rows)| (*start, rows))),
        }
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
}

/// The key and the sequence number in a row's key.
fn split(row_key: &[u8], duplicates: bool) -> (&[u8], i32) {
    match row_key.split_last_chunk::<4>() {
        Some((key, sequence)) if duplicates => (key, i32::from_be_bytes(*sequence)),
        _ => (row_key, 0),
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
            let key = key_of(&record)?;
            let (key, start, sequence) = split_window_store_key(key).ok_or_else(|| StoreError::Corrupt {
                reason: format!("store {}: a changelog key of {} bytes has no window", self.state.name, key.len()),
            })?;
            self.sequence = self.sequence.map(|last| last.max(sequence));
            // A record too old to be kept is no error: the topic forgets later than the store.
            let _ = match row_of(&record) {
                None if self.sequence.is_some() => self.put(key, start, None)?,
                row => self.write(&self.row_key(key, sequence), start.millis(), row),
            };
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
        let mut starts = self.starting(query.keys, from..=to);
        let full = into.len().saturating_add(limit);
        while let Some((start, rows)) = next_in(&mut starts, order) {
            let (mut low, mut high) = (as_slice(&low), as_slice(&high));
            if let Some((_, row_key)) = resume.as_ref().filter(|(at, _)| *at == start) {
                match order {
                    Order::Forward => low = Bound::Excluded(row_key),
                    Order::Backward => high = Bound::Excluded(row_key),
                }
            }
            if is_empty(low, high) {
                continue;
            }
            let mut rows = rows.range::<[u8]>((low, high));
            while let Some((row_key, bytes)) = next_in(&mut rows, order) {
                let (key, sequence) = split(row_key, self.sequence.is_some());
                if !query.keys.contains(key) {
                    continue;
                }
                if into.len() >= full {
                    return Ok(Scan::More);
                }
                let (key, start) = (key.to_vec(), Timestamp::from_millis(start));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_record::Timestamp;
    use headwater_store::bytes::{Put, WindowBytes as _};
    use headwater_store::{Row, StoreError, StoreKind, StoreSpec};

    use super::{Key, Window, split};
    use crate::retention::{Forgets, Retention};

    #[test]
    fn the_index_holds_what_the_rows_say_and_nothing_else() -> Result<(), StoreError> {
        for duplicates in [false, true] {
            let retention = Retention::new(Duration::from_millis(50), Forgets::AtOnce);
            let mut store = Window::new(&StoreSpec::new("s", StoreKind::KeyValue), retention, duplicates);
            let mut most = 0;
            for n in 0..5_000_i64 {
                // Seven keys, up to 60 ms late, every third a deletion of what may be there.
                let (key, start) = ([(n % 7) as u8], Timestamp::from_millis((n / 2 + 60 - n * 37 % 61) / 10 * 10));
                let row = (duplicates || n % 3 > 0).then_some(Row::plain(b"v"));
                let late = start.millis() <= store.observed_time().millis() - 50;
                assert_eq!(store.put(&key, start, row)?, if late { Put::Expired } else { Put::Stored });
                let rows = store.starts.iter().flat_map(|(start, rows)| rows.iter().map(move |(row, _)| (row, *start)));
                let keys = rows.map(|(row_key, start)| (split(row_key, duplicates).0.into(), start)).collect();
                assert_eq!(store.starts_of.entries(store.retention.oldest()), keys);
                let shared =
                    store.starts.iter().flat_map(|(_, rows)| rows.iter()).all(|(key, _)| Key::strong_count(key) > 1);
                assert!(shared || duplicates, "a key lies in memory once");
                most = most.max(keys.len());
            }
            assert!(most > 15);
            let _ = store.put(b"other", Timestamp::from_millis(10_000), Some(Row::plain(b"v")))?;
            assert_eq!((store.starts.len(), store.starts_of.entries(i64::MIN).len()), (1, 1));
            let _ = store.put(b"other", Timestamp::from_millis(10_000), None)?;
            assert_eq!(store.starts.is_empty(), !duplicates);
        }
        Ok(())
    }
}
