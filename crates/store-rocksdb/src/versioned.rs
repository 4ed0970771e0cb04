//! Versions of a value per key (Java's `RocksDBVersionedStore`).
//!
//! The latest version of a key lies under the key alone, in no segment. What has ended lies in the segment of its end, a row for
//! each span: behind the segment's number key and end (eight big-endian bytes with the sign bit turned over); in the row its
//! beginning as timestamp, then a byte that says whether there was a value, then the value. Java keeps the spans of a key and
//! segment together in one row, which each put writes again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use headwater_record::{Offset, Partition, RawRecord, Timestamp};
use headwater_store::bytes::{Order, Scan, Version, VersionQuery, VersionedBytes, VersionedPut};
use headwater_store::history::{self, HistoryTime, Span, Versions};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreViews, View};

use crate::key_value::key_of;
use crate::segments::{LASTING, Segments, ordered};

const NOTHING: u8 = 0;
const VALUE: u8 = 1;

#[derive(Debug)]
pub(crate) struct Versioned {
    rows: Rows,
}

#[derive(Debug)]
struct Rows {
    segments: Segments,
    /// Segments that may have rows, so that a look for spans takes no walk over those that have none.
    filled: BTreeSet<i64>,
    /// Where rows are made.
    scratch: Vec<u8>,
}

impl Versioned {
    /// Over segments of rows with timestamps.
    pub(crate) fn new(segments: Segments) -> Result<Self, StoreError> {
        let filled = segments.filled()?;
        Ok(Versioned { rows: Rows { segments, filled, scratch: Vec::new() } })
    }
}

fn span_key(key: &[u8], end: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 8);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&ordered(end.millis()));
    bytes
}

fn end_of(row_key: &[u8], key: &[u8]) -> Option<Timestamp> {
    let end = <[u8; 8]>::try_from(row_key.strip_prefix(key)?).ok()?;
    Some(Timestamp::from_millis(i64::from_be_bytes(end) ^ i64::MIN))
}

fn span(to: Timestamp, row: &RowBuf) -> Span {
    let from = row.timestamp();
    let value = row.value().strip_prefix(&[VALUE]);
    Span { from, to, value: value.map(|value| RowBuf::timestamped(value.to_vec(), from)) }
}

impl Versions for Rows {
    fn time(&self) -> HistoryTime {
        self.segments.time()
    }

    fn observe(&mut self, timestamp: Timestamp) {
        self.segments.observe(timestamp.millis());
        let oldest = self.time().oldest_segment();
        while self.filled.first().is_some_and(|segment| *segment < oldest) {
            self.filled.pop_first();
        }
    }

    fn latest(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.segments.get_lasting(key)
    }

    fn set_latest(&mut self, key: &[u8], version: Option<(&[u8], Timestamp)>) -> Result<(), StoreError> {
        self.segments.put_lasting(key, version.map(|(value, from)| Row::timestamped(value, from)));
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
        if segments.is_empty() {
            return Ok(());
        }
        let (first, last) = (span_key(key, *ends.start()), span_key(key, *ends.end()));
        let bounds = (Bound::Included(&*first), Bound::Included(&*last));
        let mut filled = self.filled.range(segments);
        let mut go_on = true;
        while go_on {
            let next = match order {
                Order::Forward => filled.next(),
                Order::Backward => filled.next_back(),
            };
            let Some(segment) = next else { break };
            self.segments.scan_segment(*segment, *ends.start(), bounds, order, |row_key, row| {
                // Rows of longer keys lie among them.
                if let Some(end) = end_of(row_key, key) {
                    go_on = take(span(end, &row()?));
                }
                Ok(go_on)
            })?;
        }
        Ok(())
    }

    fn set_span(&mut self, key: &[u8], from: Timestamp, to: Timestamp, value: Option<&[u8]>) -> Result<(), StoreError> {
        self.filled.insert(self.segments.segment_of(to.millis()));
        self.scratch.clear();
        self.scratch.push(if value.is_some() { VALUE } else { NOTHING });
        self.scratch.extend_from_slice(value.unwrap_or_default());
        self.segments.put(to.millis(), &span_key(key, to), Some(Row::timestamped(&self.scratch, from)));
        Ok(())
    }
}

impl StateStore for Versioned {
    fn name(&self) -> &str {
        self.rows.segments.name()
    }
    fn is_persistent(&self) -> bool {
        true
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.rows.segments.offset())
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.rows.segments.commit(changelog)
    }
    fn committed_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        Ok(self.rows.segments.offsets())
    }
    fn commit_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) -> Result<(), StoreError> {
        self.rows.segments.note_offsets(offsets);
        self.commit(None)
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        self.rows.segments.restored();
        for record in records {
            // A record too old to be kept is no error: it was logged, though it was not put.
            let _ = self.put(key_of(&record)?, record.value, record.timestamp)?;
        }
        Ok(())
    }
    fn sync(&mut self) -> Result<(), StoreError> {
        self.rows.segments.sync()
    }
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.rows.segments.views()
    }
    fn uncommitted(
        &mut self,
        asked: &Asked<'_>,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let (low, high) = match asked.keys.only() {
            Some(key) => (key, Some([&span_key(key, Timestamp::MAX)[..], &[0]].concat())),
            None => (&[][..], None),
        };
        let Rows { segments, filled, .. } = &self.rows;
        let in_segments = filled.iter().copied().chain([LASTING]);
        let Some(segments) = segments.uncommitted(in_segments, (low, high.as_deref())) else { return Ok(None) };
        let copy = Versioned { rows: Rows { segments, filled: filled.clone(), scratch: Vec::new() } };
        self.rows.segments.show(Store::Versioned(Box::new(copy)), amend)
    }
    fn pending_bytes(&self) -> usize {
        self.rows.segments.pending_bytes()
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
        self.rows.segments.observed()
    }
}
