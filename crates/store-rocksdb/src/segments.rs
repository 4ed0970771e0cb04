//! Rows in segments of time, the unit in which a store forgets (Java's `AbstractRocksDBSegmentedBytesStore`).
//!
//! Java has a database for each segment. Here a store is one database, so that its content and its changelog offset can never
//! part, and a row's key begins with the number of its segment: the order is the same, and forgetting a segment is one deletion
//! of a range.

use std::ops::Bound;
use std::time::Duration;

use headwater_record::{Offset, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::{Row, RowBuf, StoreError};

use crate::table::{Marks, Table};

/// The rows of a store that forgets.
#[derive(Debug)]
pub(crate) struct Segments {
    table: Table,
    retention_ms: i64,
    interval_ms: i64,
    /// Whether rows that are exactly as old as the retention are still read.
    reads_edge: bool,
    observed: i64,
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What the keys of a segment begin with.
fn prefix(segment: i64) -> [u8; 8] {
    // The sign bit turned over, so that the order of bytes is that of numbers.
    (segment ^ i64::MIN).to_be_bytes()
}

/// A key in the segment `segment` that goes on with `rest`.
fn keyed(segment: i64, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + rest.len());
    key.extend_from_slice(&prefix(segment));
    key.extend_from_slice(rest);
    key
}

impl Segments {
    pub(crate) fn new(table: Table, retention: Duration, interval: Duration) -> Self {
        let marks = table.marks();
        let mut segments = Segments {
            table,
            retention_ms: millis(retention),
            interval_ms: millis(interval).max(1),
            reads_edge: false,
            observed: marks.time.millis(),
            forgotten: 0,
            sequence: marks.sequence,
        };
        segments.forgotten = segments.oldest_segment().max(0);
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

    pub(crate) fn pending_bytes(&self) -> usize {
        self.table.pending_bytes()
    }

    pub(crate) fn observed(&self) -> Timestamp {
        Timestamp::from_millis(self.observed)
    }

    pub(crate) fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.table.commit(changelog, Marks { time: self.observed(), sequence: self.sequence })
    }

    fn segment_of(&self, time: i64) -> i64 {
        time / self.interval_ms
    }

    fn oldest_segment(&self) -> i64 {
        self.segment_of(self.observed.saturating_sub(self.retention_ms))
    }

    /// The earliest time whose rows are read.
    fn oldest(&self) -> i64 {
        let edge = self.observed.saturating_sub(self.retention_ms);
        if self.reads_edge { edge } else { edge.saturating_add(1) }
    }

    /// Takes note of a write at `time`; whether its segment is still there.
    pub(crate) fn observe(&mut self, time: i64) -> bool {
        self.observed = self.observed.max(time);
        let oldest = self.oldest_segment();
        if oldest > self.forgotten {
            self.forgotten = oldest;
            self.table.forget_before(&prefix(oldest));
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
        let from = from.millis().max(self.forgotten.saturating_mul(self.interval_ms));
        let to = to.millis().min(self.observed);
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
            let low = keyed(segment, from);
            let high = to.map_or_else(|| prefix(segment.saturating_add(1)).to_vec(), |to| keyed(segment, to));
            let resume = after.as_ref().filter(|(at, _)| *at == segment).map(|(_, rest)| keyed(segment, rest));
            let bounds = match (&resume, order) {
                (Some(key), Order::Forward) if *key >= low => {
                    (Bound::Excluded(key.as_slice()), Bound::Excluded(&*high))
                }
                (Some(key), Order::Backward) if *key < high => {
                    (Bound::Included(low.as_slice()), Bound::Excluded(key.as_slice()))
                }
                _ => (Bound::Included(low.as_slice()), Bound::Excluded(&*high)),
            };
            let mut go_on = true;
            let on_disk = self.is_on_disk(span.from.max(segment.saturating_mul(self.interval_ms)));
            self.table.scan(bounds, on_disk, order, |key, row| {
                go_on = take(key.get(8..).unwrap_or_default(), row)?;
                Ok(go_on)
            })?;
            if !go_on {
                return Ok(());
            }
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
