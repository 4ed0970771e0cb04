//! Versions of a value per key, in maps by segment, then key, then end of validity. Java has such a store on disk only.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Offset, RawRecord, Timestamp};
use headwater_store::bytes::{Order, Scan, Version, VersionQuery, VersionedBytes, VersionedPut};
use headwater_store::history::{self, HistoryTime, Span, Versions};
use headwater_store::{Asked, RowBuf, StateStore, Store, StoreError, StoreSpec, StoreViews, View};

use crate::map::Map;
use crate::scan::next_in;
use crate::state::{State, key_of};

/// From when on, and what was valid.
type Ended = (Timestamp, Option<Vec<u8>>);
/// The spans of each key by their ends.
type Segment = Map<Vec<u8>, Map<Timestamp, Ended>>;

#[derive(Debug)]
pub(crate) struct Versioned {
    state: State,
    rows: Rows,
}

#[derive(Clone, Debug)]
struct Rows {
    time: HistoryTime,
    latest: Map<Vec<u8>, (Timestamp, Vec<u8>)>,
    segments: Map<i64, Segment>,
}

impl Versioned {
    pub(crate) fn new(spec: &StoreSpec, history_retention: Duration, segment_interval: Duration) -> Self {
        let time = HistoryTime::new(history_retention, segment_interval, Timestamp::UNKNOWN);
        let rows = Rows { time, latest: Map::default(), segments: Map::default() };
        Versioned { state: State::new(spec), rows }
    }

    /// A copy that shares what does not change.
    fn copy(&mut self) -> Store {
        self.rows.latest.share(|_| ());
        self.rows.segments.share(|segment| segment.share(|spans| spans.share(|_| ())));
        Store::Versioned(Box::new(Versioned { state: self.state.of_view(), rows: self.rows.clone() }))
    }
}

impl Versions for Rows {
    fn time(&self) -> HistoryTime {
        self.time
    }

    fn observe(&mut self, timestamp: Timestamp) {
        self.time.observe(timestamp);
        let oldest = self.time.oldest_segment();
        while self.segments.pop_before(&oldest).is_some() {}
    }

    fn latest(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        let latest = self.latest.get(key);
        Ok(latest.map(|(timestamp, value)| RowBuf::timestamped(value.clone(), *timestamp)))
    }

    fn set_latest(&mut self, key: &[u8], version: Option<(&[u8], Timestamp)>) -> Result<(), StoreError> {
        match (version, self.latest.get_mut(key)) {
            // In the memory that is there.
            (Some((value, timestamp)), Some((from, bytes))) => {
                *from = timestamp;
                bytes.clear();
                bytes.extend_from_slice(value);
            }
            (Some((value, timestamp)), None) => {
                self.latest.insert(key.to_vec(), (timestamp, value.to_vec()));
            }
            (None, _) => {
                self.latest.remove(key);
            }
        }
        Ok(())
    }

    fn spans(
        &self,
        key: &[u8],
        ends: RangeInclusive<Timestamp>,
        segments: RangeInclusive<i64>,
        order: Order,
        take: &mut dyn FnMut(Span) -> bool,
    ) -> Result<(), StoreError> {
        if ends.is_empty() || segments.is_empty() {
            return Ok(());
        }
        let mut segments = self.segments.range(segments);
        while let Some((_, segment)) = next_in(&mut segments, order) {
            let Some(spans) = segment.get(key) else { continue };
            let mut spans = spans.range(ends.clone());
            while let Some((to, (from, value))) = next_in(&mut spans, order) {
                let value = value.as_ref().map(|value| RowBuf::timestamped(value.clone(), *from));
                if !take(Span { from: *from, to: *to, value }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn set_span(&mut self, key: &[u8], from: Timestamp, to: Timestamp, value: Option<&[u8]>) -> Result<(), StoreError> {
        let another = self.segments.another();
        let segment: &mut Segment = self.segments.get_or_insert_with(self.time.segment_of(to), || another);
        let ended = (from, value.map(<[u8]>::to_vec));
        if let Some(spans) = segment.get_mut(key) {
            spans.insert(to, ended);
        } else {
            let mut spans = segment.another();
            spans.insert(to, ended);
            segment.insert(key.to_vec(), spans);
        }
        Ok(())
    }
}

impl StateStore for Versioned {
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
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        for record in records {
            // A record too old to be kept is no error: it was logged, though it was not put.
            let _ = self.put(key_of(&record)?, record.value, record.timestamp)?;
        }
        Ok(())
    }
}

impl VersionedBytes for Versioned {
    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: Timestamp) -> Result<VersionedPut, StoreError> {
        history::put(&mut self.rows, key, value, timestamp)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Version>, StoreError> {
        history::get(&self.rows, key)
    }
    fn get_as_of(&self, key: &[u8], as_of: Timestamp) -> Result<Option<Version>, StoreError> {
        history::get_as_of(&self.rows, key, as_of)
    }
    fn scan(
        &self,
        query: VersionQuery<'_>,
        order: Order,
        after: Option<&Version>,
        limit: usize,
        into: &mut Vec<Version>,
    ) -> Result<Scan, StoreError> {
        history::scan(&self.rows, query, order, after, limit, into)
    }
    fn observed_time(&self) -> Timestamp {
        self.rows.time.observed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_record::Timestamp;
    use headwater_store::bytes::VersionedBytes as _;
    use headwater_store::{StoreKind, StoreSpec};

    use super::Versioned;

    fn spans(store: &Versioned) -> usize {
        store.rows.segments.iter().flat_map(|(_, segment)| segment.iter()).map(|(_, spans)| spans.len()).sum()
    }

    #[test]
    fn expired_history_takes_no_memory() {
        let (retention, interval) = (Duration::from_millis(100), Duration::from_millis(25));
        let kind = StoreKind::Versioned { history_retention: retention, segment_interval: interval };
        let mut store = Versioned::new(&StoreSpec::new("s", kind), retention, interval);
        for millis in 0..10_000 {
            let key = [u8::try_from(millis % 10).unwrap_or_default()];
            let value = (millis % 7 > 0).then_some(&b"v"[..]);
            let put = store.put(&key, value, Timestamp::from_millis(millis));
            assert!(put.is_ok());
            assert!(spans(&store) <= 126, "{} spans at {millis}", spans(&store));
        }
        assert_eq!(store.rows.segments.len(), 5);
        // Deleted and then forgotten, nothing of a key is left.
        for key in 0..10 {
            assert!(store.put(&[key], None, Timestamp::from_millis(10_000)).is_ok());
        }
        assert!(store.put(b"other", Some(b"v"), Timestamp::from_millis(20_000)).is_ok());
        assert_eq!((spans(&store), store.rows.segments.len(), store.rows.latest.len()), (0, 0, 1));
    }
}
