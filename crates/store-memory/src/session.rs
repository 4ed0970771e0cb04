//! A value per key and session, in maps by end, then key, then start descending (Java's `InMemorySessionStore`). In place of a
//! store on disk that has an index by time, several keys are listed by end, start and key, as there.

use std::cmp::Reverse;
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use headwater_record::{Offset, RawRecord, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, SessionBytes, SessionEntry, SessionQuery};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreSpec, StoreViews, View};
use headwater_window::key_format::split_session_key;

use crate::index::{Index, Key};
use crate::map::Map;
use crate::retention::Retention;
use crate::scan::{is_empty, next_in};
use crate::state::{State, key_of, row_of};

type Starts = Map<Reverse<i64>, Vec<u8>>;
type Keys = Map<Key, Starts>;

#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    retention: Retention,
    /// Whether several keys are listed by their starts first.
    by_start: bool,
    ends: Map<i64, Keys>,
    /// When the sessions of each key end; a view has none of it.
    ends_of: Index,
}

impl Session {
    pub(crate) fn new(spec: &StoreSpec, retention: Retention) -> Self {
        let by_start = retention.is_by_segments() && spec.kind.is_time_ordered();
        Session { state: State::new(spec), retention, by_start, ends: Map::default(), ends_of: Index::default() }
    }

    /// A copy that shares what does not change.
    fn copy(&mut self) -> Store {
        self.ends.share(|keys| keys.share(|starts| starts.share(|_| ())));
        Store::Session(Box::new(Session {
            state: self.state.of_view(),
            retention: self.retention,
            by_start: self.by_start,
            ends: self.ends.clone(),
            ends_of: Index::default(),
        }))
    }

    fn write(&mut self, key: &[u8], start: i64, end: i64, row: Option<Row<'_>>) -> Put {
        let in_time = self.retention.observe(end);
        let oldest = self.retention.forgotten_before();
        let mut gone = 0;
        while let Some((_, keys)) = self.ends.pop_before(&oldest) {
            gone += keys.len();
        }
        self.ends_of.forget(gone, oldest);
        if !in_time {
            return Put::Expired;
        }
        if let Some(row) = row {
            let another = self.ends.another();
            let keys = self.ends.get_or_insert_with(end, || another);
            if let Some(starts) = keys.get_mut(key) {
                self.state.overwrite(row, starts.get_or_insert_with(Reverse(start), Vec::new));
            } else {
                let mut starts: Starts = keys.another();
                starts.insert(Reverse(start), self.state.encoded(row));
                keys.insert(self.ends_of.insert(key, end, oldest), starts);
            }
            return Put::Stored;
        }
        self.take_out(key, start, end);
        Put::Stored
    }

    fn take_out(&mut self, key: &[u8], start: i64, end: i64) {
        let Some(keys) = self.ends.get_mut(&end) else { return };
        let Some(starts) = keys.get_mut(key) else { return };
        starts.remove(&Reverse(start));
        if !starts.is_empty() {
            return;
        }
        keys.remove(key);
        if keys.is_empty() {
            self.ends.remove(&end);
        }
        self.ends_of.remove(key, end);
    }

    /// What `query` asks for among what ends at `end`, by start and key, until there are `full` entries.
    fn scan_by_start(
        &self,
        (end, keys): (i64, &Keys),
        query: SessionQuery<'_>,
        order: Order,
        after: Option<&SessionEntry>,
        full: usize,
        into: &mut Vec<SessionEntry>,
    ) -> Result<Scan, StoreError> {
        let bounds = key_bounds(query.keys, None, Order::Forward);
        if is_empty(bounds.0, bounds.1) {
            return Ok(Scan::Done);
        }
        let starts = keys.range::<[u8]>(bounds);
        let rows =
            starts.flat_map(|(key, starts)| starts.iter().map(move |(Reverse(start), row)| ((*start, &**key), row)));
        let mut rows: Vec<_> = rows.filter(|((start, _), _)| *start <= query.latest_start.millis()).collect();
        rows.sort_unstable_by_key(|(place, _)| *place);
        let mut rows = rows.into_iter();
        while let Some(((start, key), row)) = next_in(&mut rows, order) {
            let read = after.is_some_and(|after| {
                let (place, after) = ((start, key), (after.start.millis(), after.key.as_slice()));
                if order == Order::Forward { place <= after } else { place >= after }
            });
            if read {
                continue;
            }
            if into.len() >= full {
                return Ok(Scan::More);
            }
            let (start, end) = (Timestamp::from_millis(start), Timestamp::from_millis(end));
            into.push(SessionEntry { key: key.to_vec(), start, end, row: self.state.decoded(row)? });
        }
        Ok(Scan::Done)
    }

    /// What ends within `ends`, those of other keys among it only where several keys are asked for.
    fn ending<'a>(
        &'a self,
        keys: KeySelection<'a>,
        ends: RangeInclusive<i64>,
    ) -> Box<dyn DoubleEndedIterator<Item = (i64, &'a Keys)> + 'a> {
        match keys {
            KeySelection::One(key) if !self.state.is_view() => {
                let ends = self.ends_of.times_of(key, ends);
                Box::new(ends.filter_map(|end| Some((end, self.ends.get(&end)?))))
            }
            _ => Box::new(self.ends.range(ends).map(|(end, keys)| (*end, keys))),
        }
    }
}

/// The range of keys that `keys` selects, those after `after` in `order` only (`after` itself included, for its other starts).
fn key_bounds<'a>(keys: KeySelection<'a>, after: Option<&'a [u8]>, order: Order) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    let bound = |key: Option<&'a [u8]>| key.map_or(Bound::Unbounded, Bound::Included);
    let (from, to) = match keys {
        KeySelection::One(key) => (Some(key), Some(key)),
        KeySelection::Between(from, to) => (from, to),
    };
    match (after, order) {
        (Some(after), Order::Forward) => (bound(from.max(Some(after))), bound(to)),
        (Some(after), Order::Backward) => (bound(from), bound(Some(to.map_or(after, |to| to.min(after))))),
        (None, _) => (bound(from), bound(to)),
    }
}

impl StateStore for Session {
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
            let (key, session) = split_session_key(key).ok_or_else(|| StoreError::Corrupt {
                reason: format!("store {}: a changelog key of {} bytes has no session", self.state.name, key.len()),
            })?;
            // A record too old to be kept is no error: the topic forgets later than the store.
            let _ = self.write(key, session.start.millis(), session.end.millis(), row_of(&record));
        }
        Ok(())
    }
}

impl SessionBytes for Session {
    fn put(&mut self, key: &[u8], start: Timestamp, end: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        Ok(self.write(key, start.millis(), end.millis(), row))
    }

    fn remove(&mut self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<(), StoreError> {
        if self.retention.is_by_segments() {
            let _ = self.write(key, start.millis(), end.millis(), None);
        } else {
            self.take_out(key, start.millis(), end.millis());
        }
        Ok(())
    }

    fn fetch(&self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        if end.millis() < self.retention.oldest() {
            return Ok(None);
        }
        let starts = self.ends.get(&end.millis()).and_then(|keys| keys.get(key));
        let row = starts.and_then(|starts| starts.get(&Reverse(start.millis())));
        row.map(|bytes| self.state.decoded(bytes)).transpose()
    }

    fn scan(
        &self,
        query: SessionQuery<'_>,
        order: Order,
        after: Option<&SessionEntry>,
        limit: usize,
        into: &mut Vec<SessionEntry>,
    ) -> Result<Scan, StoreError> {
        // Sessions that have closed are looked for by their ends (Java's `fetchSessions`): on disk, what is past the retention but
        // not forgotten yet is there.
        let closed = matches!(query.keys, KeySelection::Between(..)) && query.latest_end < Timestamp::MAX;
        let oldest = if closed { self.retention.forgotten_before() } else { self.retention.oldest() };
        let mut from = query.earliest_end.millis().max(oldest);
        let mut to = query.latest_end.millis();
        match (after, order) {
            (Some(after), Order::Forward) => from = from.max(after.end.millis()),
            (Some(after), Order::Backward) => to = to.min(after.end.millis()),
            (None, _) => {}
        }
        if from > to {
            return Ok(Scan::Done);
        }
        let full = into.len().saturating_add(limit);
        let mut ends = self.ending(query.keys, from..=to);
        while let Some((end, keys)) = next_in(&mut ends, order) {
            let after = after.filter(|after| after.end.millis() == end);
            if self.by_start && matches!(query.keys, KeySelection::Between(..)) {
                if self.scan_by_start((end, keys), query, order, after, full, into)? == Scan::More {
                    return Ok(Scan::More);
                }
                continue;
            }
            let bounds = key_bounds(query.keys, after.map(|after| after.key.as_slice()), order);
            if is_empty(bounds.0, bounds.1) {
                continue;
            }
            let mut keys = keys.range::<[u8]>(bounds);
            while let Some((key, starts)) = next_in(&mut keys, order) {
                let after = after.filter(|after| *after.key == **key).map(|after| after.start.millis());
                let mut starts = starts.iter();
                while let Some((Reverse(start), bytes)) = next_in(&mut starts, order) {
                    let read = match order {
                        Order::Forward => after.is_some_and(|after| *start >= after),
                        Order::Backward => after.is_some_and(|after| *start <= after),
                    };
                    if read || *start > query.latest_start.millis() {
                        continue;
                    }
                    if into.len() >= full {
                        return Ok(Scan::More);
                    }
                    let (start, end) = (Timestamp::from_millis(*start), Timestamp::from_millis(end));
                    into.push(SessionEntry { key: key.to_vec(), start, end, row: self.state.decoded(bytes)? });
                }
            }
        }
        Ok(Scan::Done)
    }

    fn observed_time(&self) -> Timestamp {
        self.retention.observed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_record::Timestamp;
    use headwater_store::bytes::{Put, SessionBytes as _};
    use headwater_store::{Row, StoreError, StoreKind, StoreSpec};

    use super::Session;
    use crate::index::Key;
    use crate::retention::{Forgets, Retention};

    /// As `InMemorySessionStore#remove`, which does not look at the time, where `put` of null does.
    #[test]
    fn what_is_removed_does_not_move_the_time() -> Result<(), StoreError> {
        let at = Timestamp::from_millis;
        let with = |forgets: Forgets| {
            let retention = Retention::new(Duration::from_millis(50), forgets);
            let mut store = Session::new(&StoreSpec::new("s", StoreKind::KeyValue), retention);
            assert_eq!(store.put(b"k", at(8), at(10), Some(Row::plain(b"v")))?, Put::Stored);
            store.remove(b"k", at(900), at(1_000))?;
            Ok::<_, StoreError>(store)
        };
        let mut store = with(Forgets::AtOnce)?;
        assert!(store.fetch(b"k", at(8), at(10))?.is_some());
        assert_eq!(store.observed_time(), at(10));
        assert_eq!(store.put(b"k", at(900), at(1_000), None)?, Put::Stored);
        assert!(store.fetch(b"k", at(8), at(10))?.is_none());
        // On disk it does (`RocksDBSessionStore`).
        let store = with(Forgets::BySegments { interval: Duration::from_millis(60), reads_edge: false })?;
        assert_eq!(store.observed_time(), at(1_000));
        Ok(())
    }

    #[test]
    fn the_index_holds_what_the_rows_say_and_nothing_else() -> Result<(), StoreError> {
        let retention = Retention::new(Duration::from_millis(50), Forgets::AtOnce);
        let mut store = Session::new(&StoreSpec::new("s", StoreKind::KeyValue), retention);
        let mut most = 0;
        for n in 0..5_000_i64 {
            // Seven keys, up to 60 ms late, of two starts; every third is deleted again.
            let (key, end) = ([(n % 7) as u8], Timestamp::from_millis((n / 2 + 60 - n * 37 % 61) / 10 * 10));
            let start = Timestamp::from_millis(end.millis() - n % 2);
            let _ = store.put(&key, start, end, Some(Row::plain(b"v")))?;
            if n % 3 == 0 {
                let _ = store.put(&key, start, end, None)?;
            }
            let keys =
                store.ends.iter().flat_map(|(end, keys)| keys.iter().map(move |(key, _)| (Key::clone(key), *end)));
            let keys = keys.collect();
            assert_eq!(store.ends_of.entries(store.retention.oldest()), keys);
            most = most.max(keys.len());
        }
        assert!(most > 15);
        let (start, end) = (Timestamp::from_millis(9_000), Timestamp::from_millis(10_000));
        let _ = store.put(b"other", start, end, Some(Row::plain(b"v")))?;
        assert_eq!((store.ends.len(), store.ends_of.entries(i64::MIN).len()), (1, 1));
        Ok(())
    }
}
