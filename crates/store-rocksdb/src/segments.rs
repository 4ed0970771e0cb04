//! Rows in segments of time, the unit in which a store forgets (Java's `AbstractRocksDBSegmentedBytesStore`).
//!
//! Java has a database for each segment. Here a store is one database, so that its content and its changelog offset can never
//! part, and a row's key begins with the number of its segment: the order is the same, and forgetting a segment is one deletion
//! of a range.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Offset, Partition, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::history::HistoryTime;
use headwater_store::{Row, RowBuf, Store, StoreError, StoreViews, View};
use smallvec::SmallVec;

use crate::scan::HalfOpen;
use crate::table::{Marks, Table};

/// The rows of a store that forgets.
#[derive(Debug)]
pub(crate) struct Segments {
    table: Table,
    time: HistoryTime,
    /// Whether rows that are exactly as old as the retention are still read.
    reads_edge: bool,
    /// Segments before this one are gone.
    forgotten: i64,
    /// The sequence number given last.
    pub(crate) sequence: i32,
}

/// The times asked for, cut to those that there may be rows of, and the segments they lie in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    first: i64,
    last: i64,
}

impl Span {
    /// The segments.
    pub(crate) fn segments(self) -> RangeInclusive<i64> {
        self.first..=self.last
    }
}

/// Rows that are never forgotten lie behind all segments, as if in this one.
pub(crate) const LASTING: i64 = i64::MAX;

/// A number as bytes in the order of numbers: big-endian with the sign bit turned over.
pub(crate) fn ordered(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// A key in the segment `segment` that goes on with `rest`; a short one asks for no memory.
fn keyed(segment: i64, rest: &[u8]) -> SmallVec<[u8; 64]> {
    let mut key = SmallVec::with_capacity(8 + rest.len());
    key.extend_from_slice(&ordered(segment));
    key.extend_from_slice(rest);
    key
}

impl Segments {
    pub(crate) fn new(table: Table, retention: Duration, interval: Duration) -> Self {
        let marks = table.marks();
        let mut segments = Segments {
            table,
            time: HistoryTime::new(retention, interval, marks.time),
            reads_edge: false,
            forgotten: 0,
            sequence: marks.sequence,
        };
        segments.forgotten = segments.time.oldest_segment().max(0);
        segments
    }

    /// Reads rows that are exactly as old as the retention too: Java's time-ordered window stores, where a window without grace
    /// must be found just when it closes.
    pub(crate) fn reading_edge(self, reads_edge: bool) -> Self {
        Segments { reads_edge, ..self }
    }

    pub(crate) fn name(&self) -> &str {
        self.table.name()
    }

    pub(crate) fn offset(&self) -> Option<Offset> {
        self.table.offset()
    }

    pub(crate) fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.table.views()
    }

    /// The store as it is now, for one reader, who looks in each of `segments`, which are in order, from `low` on and before `high` only;
    /// `None` is the segment's end.
    pub(crate) fn uncommitted(
        &self,
        segments: impl IntoIterator<Item = i64>,
        (low, high): (&[u8], Option<&[u8]>),
    ) -> Option<Self> {
        let range = |segment: i64| {
            let from = keyed(segment, low);
            let to = match high {
                Some(high) => Some(keyed(segment, high)),
                None => segment.checked_add(1).map(|next| keyed(next, &[])),
            };
            HalfOpen::new(Bound::Included(&from[..]), to.as_deref().map_or(Bound::Unbounded, Bound::Excluded))
        };
        let ranges: Vec<_> = segments.into_iter().map(range).collect();
        let table = self.table.uncommitted(&ranges)?;
        Some(Segments { table, ..*self })
    }

    /// Gives `copy` to a reader, as `amend` leaves it.
    pub(crate) fn show(&self, copy: Store, amend: &mut dyn FnMut(&mut Store)) -> Result<Option<Arc<View>>, StoreError> {
        self.table.show(copy, amend)
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.table.pending_bytes()
    }

    pub(crate) fn observed(&self) -> Timestamp {
        self.time.observed()
    }

    pub(crate) fn time(&self) -> HistoryTime {
        self.time
    }

    pub(crate) fn offsets(&self) -> BTreeMap<Partition, Offset> {
        self.table.offsets()
    }

    pub(crate) fn note_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) {
        self.table.note_offsets(offsets);
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.table.sync()
    }

    pub(crate) fn restored(&mut self) {
        self.table.restored();
    }

    pub(crate) fn restored_unread(&mut self) {
        self.table.restored_unread();
    }

    pub(crate) fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.table.commit(changelog, Marks { time: self.observed(), sequence: self.sequence })
    }

    pub(crate) fn segment_of(&self, time: i64) -> i64 {
        // No time on earth lies in the last segment; the number is taken.
        self.time.segment_of(Timestamp::from_millis(time)).min(LASTING - 1)
    }

    /// The earliest time whose rows are read.
    fn oldest(&self) -> i64 {
        let edge = self.time.horizon().millis();
        if self.reads_edge { edge } else { edge.saturating_add(1) }
    }

    /// Takes note of a write at `time`; whether its segment is still there.
    pub(crate) fn observe(&mut self, time: i64) -> bool {
        self.time.observe(Timestamp::from_millis(time));
        let oldest = self.time.oldest_segment();
        if oldest > self.forgotten {
            self.forgotten = oldest;
            self.table.forget_before(&ordered(oldest));
        }
        self.segment_of(time) >= oldest
    }

    /// Writes the row at `time` whose key goes on with `rest`.
    pub(crate) fn put(&mut self, time: i64, rest: &[u8], row: Option<Row<'_>>) {
        let key = keyed(self.segment_of(time), rest);
        self.table.put(&key, row);
    }

    /// The row at `time` whose key goes on with `rest`.
    pub(crate) fn get(&self, time: i64, rest: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        if time < self.oldest() {
            return Ok(None);
        }
        self.row(time, rest)
    }

    /// The same, past the retention too, as long as its segment is not forgotten.
    pub(crate) fn row(&self, time: i64, rest: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        let key = keyed(self.segment_of(time), rest);
        if self.is_on_disk(time) { self.table.get(&key) } else { self.table.get_pending(&key) }
    }

    /// Whether rows of `time` may be on disk: those there are not later than the store's time when they were committed. Of what is
    /// going on right now, nothing is.
    fn is_on_disk(&self, time: i64) -> bool {
        time <= self.table.marks().time.millis()
    }

    /// What there may be of the times from `from` to `to`; `None` when there is nothing.
    pub(crate) fn span(&self, from: Timestamp, to: Timestamp) -> Option<Span> {
        self.span_of_all(from.max(Timestamp::from_millis(self.oldest())), to)
    }

    /// What there is of the times from `from` to `to`, rows among it that are past the retention but not forgotten yet.
    pub(crate) fn span_of_all(&self, from: Timestamp, to: Timestamp) -> Option<Span> {
        // Before the next commit, what was forgotten still lies on disk, and what was deleted of it too.
        let from = from.max(self.time.start_of(self.forgotten)).millis();
        let to = to.min(self.observed()).millis();
        (from <= to).then(|| Span { from, to, first: self.segment_of(from), last: self.segment_of(to) })
    }

    /// Hands the rows of a span to `take`, segment by segment, until it says no: what follows the segment in the key, and the
    /// row's decoder.
    ///
    /// In each segment the keys go from `from` on and end before `to`; `None` is the segment's end. `after` is time and rest of
    /// the row to go on from.
    pub(crate) fn scan(
        &self,
        span: Span,
        (from, to): (&[u8], Option<&[u8]>),
        order: Order,
        after: Option<(i64, Vec<u8>)>,
        mut take: impl FnMut(&[u8], &dyn Fn() -> Result<RowBuf, StoreError>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let after = after.map(|(time, rest)| (self.segment_of(time), rest));
        let (mut first, mut last) = (span.first, span.last);
        match (&after, order) {
            (Some((segment, _)), Order::Forward) => first = first.max(*segment),
            (Some((segment, _)), Order::Backward) => last = last.min(*segment),
            (None, _) => {}
        }
        let mut segments = first..=last;
        loop {
            let next = match order {
                Order::Forward => segments.next(),
                Order::Backward => segments.next_back(),
            };
            let Some(segment) = next else { return Ok(()) };
            let resume = after.as_ref().filter(|(at, _)| *at == segment).map(|(_, rest)| rest.as_slice());
            let mut bounds = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
            match (resume, order) {
                (Some(rest), Order::Forward) if rest >= from => bounds.0 = Bound::Excluded(rest),
                (Some(rest), Order::Backward) if to.is_none_or(|to| rest < to) => bounds.1 = Bound::Excluded(rest),
                _ => {}
            }
            let mut go_on = true;
            self.scan_segment(segment, Timestamp::from_millis(span.from), bounds, order, |rest, row| {
                go_on = take(rest, row)?;
                Ok(go_on)
            })?;
            if !go_on {
                return Ok(());
            }
        }
    }

    /// Hands the rows of one segment whose keys go on within the bounds to `take`, until it says no; all are of `earliest` or later.
    pub(crate) fn scan_segment(
        &self,
        segment: i64,
        earliest: Timestamp,
        (from, to): (Bound<&[u8]>, Bound<&[u8]>),
        order: Order,
        mut take: impl FnMut(&[u8], &dyn Fn() -> Result<RowBuf, StoreError>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let (low, high) = (from.map(|from| keyed(segment, from)), to.map(|to| keyed(segment, to)));
        let (start, end) = (ordered(segment), ordered(segment.saturating_add(1)));
        let low = match &low {
            Bound::Unbounded => Bound::Included(&start[..]),
            low => low.as_ref().map(SmallVec::as_slice),
        };
        let high = match &high {
            Bound::Unbounded => Bound::Excluded(&end[..]),
            high => high.as_ref().map(SmallVec::as_slice),
        };
        let on_disk = self.is_on_disk(earliest.max(self.time.start_of(segment)).millis());
        self.table.scan((low, high), on_disk, order, |key, row| take(key.get(8..).unwrap_or_default(), row))
    }

    /// The row of `key` that is never forgotten.
    pub(crate) fn get_lasting(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.table.get(&keyed(LASTING, key))
    }

    /// Writes the row of `key` that is never forgotten.
    pub(crate) fn put_lasting(&mut self, key: &[u8], row: Option<Row<'_>>) {
        self.table.put(&keyed(LASTING, key), row);
    }

    /// The segments that have rows.
    pub(crate) fn filled(&self) -> Result<BTreeSet<i64>, StoreError> {
        let mut filled = BTreeSet::new();
        let mut from = ordered(i64::MIN);
        loop {
            let mut first = None;
            let bounds = (Bound::Included(&from[..]), Bound::Excluded(&ordered(LASTING)[..]));
            self.table.scan(bounds, true, Order::Forward, |key, _| {
                first = key.first_chunk::<8>().copied();
                Ok(false)
            })?;
            let Some(first) = first else { return Ok(filled) };
            let segment = i64::from_be_bytes(first) ^ i64::MIN;
            filled.insert(segment);
            from = ordered(segment.saturating_add(1));
        }
    }
}

/// A key that is greater than `key` and whatever follows it in a row, and than all lesser keys with what follows them (Java's
/// `OrderedBytes#upperRange`): what follows begins with a time, whose first byte is at most 0x7f.
pub(crate) fn upper_bound(key: &[u8]) -> Vec<u8> {
    let mut bound: Vec<u8> = Vec::with_capacity(key.len() + 1);
    for byte in key {
        if !bound.is_empty() && *byte < 0x7f {
            break;
        }
        bound.push(*byte);
    }
    bound.push(0x80);
    bound
}
