//! A value per key and window start (Java's `RocksDBWindowStore`, `RocksDBTimeOrderedWindowStore`).

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Offset, Partition, RawRecord, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreViews, View};
use headwater_window::key_format::{put_window_store_suffix, split_window_store_key};

use crate::key_value::{key_of, row_of};
use crate::segments::{Segments, Span, upper_bound};

/// Where rows lie behind their segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// By key, start, sequence.
    ByKey,
    /// By start, key, sequence.
    ByTime,
    /// By key, with an index beside them by start and key; one byte before either tells them apart. Of Java's store it is the other way
    /// round: the windows around a record, which every record asks for, take one look here.
    Indexed,
}

/// A store of windows.
#[derive(Debug)]
pub(crate) struct Window {
    segments: Segments,
    layout: Layout,
    retain_duplicates: bool,
}

const ROW: u8 = 0;
const INDEX: u8 = 1;

fn index_bound(start: i64) -> Vec<u8> {
    let mut bytes = vec![INDEX];
    bytes.extend_from_slice(&start.to_be_bytes());
    bytes
}

fn index_key(key: &[u8], start: i64) -> Vec<u8> {
    let mut bytes = index_bound(start);
    bytes.extend_from_slice(key);
    bytes
}

fn split_index(bytes: &[u8]) -> Option<(&[u8], Timestamp, i32)> {
    let (start, key) = bytes.get(1..)?.split_first_chunk::<8>()?;
    Some((key, Timestamp::from_millis(i64::from_be_bytes(*start)), 0))
}

impl Window {
    pub(crate) fn new(segments: Segments, layout: Layout, retain_duplicates: bool) -> Self {
        Window { segments, layout, retain_duplicates }
    }

    fn row_key(&self, key: &[u8], start: i64, sequence: i32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(key.len() + 13);
        bytes.extend((self.layout == Layout::Indexed).then_some(ROW));
        if self.layout == Layout::ByTime {
            bytes.extend_from_slice(&start.to_be_bytes());
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&sequence.to_be_bytes());
        } else {
            bytes.extend_from_slice(key);
            put_window_store_suffix(Timestamp::from_millis(start), sequence, &mut bytes);
        }
        bytes
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], Timestamp, i32)> {
        match self.layout {
            Layout::ByKey => return split_window_store_key(bytes),
            Layout::Indexed => return split_window_store_key(bytes.get(1..)?),
            Layout::ByTime => {}
        }
        let (start, rest) = bytes.split_first_chunk::<8>()?;
        let (key, sequence) = rest.split_last_chunk::<4>()?;
        Some((key, Timestamp::from_millis(i64::from_be_bytes(*start)), i32::from_be_bytes(*sequence)))
    }

    /// Writes or, with `None`, deletes a row.
    fn write(&mut self, key: &[u8], start: i64, sequence: i32, row: Option<Row<'_>>) {
        if self.layout == Layout::Indexed {
            self.segments.put(start, &index_key(key, start), row.map(|_| Row::plain(&[])));
        }
        let rest = self.row_key(key, start, sequence);
        self.segments.put(start, &rest, row);
    }

    /// Between which keys of rows, or of the index `by_index`, a query's rows lie in each segment; others lie there too.
    fn bounds(&self, keys: KeySelection<'_>, span: Span, by_index: bool) -> (Vec<u8>, Option<Vec<u8>>) {
        if by_index {
            return (index_bound(span.from), Some(index_bound(span.to.saturating_add(1))));
        }
        if self.layout == Layout::ByTime {
            let end = span.to.checked_add(1).map(|end| end.to_be_bytes().to_vec());
            return (span.from.to_be_bytes().to_vec(), end);
        }
        match keys {
            KeySelection::One(key) => {
                let mut end = self.row_key(key, span.to, i32::MAX);
                end.push(0);
                (self.row_key(key, span.from, 0), Some(end))
            }
            KeySelection::Between(from, to) => (from.unwrap_or_default().to_vec(), to.map(upper_bound)),
        }
    }
}

impl StateStore for Window {
    fn name(&self) -> &str {
        self.segments.name()
    }
    fn is_persistent(&self) -> bool {
        true
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.segments.offset())
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.segments.commit(changelog)
    }
    fn committed_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        Ok(self.segments.offsets())
    }
    fn commit_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) -> Result<(), StoreError> {
        self.segments.note_offsets(offsets);
        self.commit(None)
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        self.segments.restored_unread();
        for record in records {
            let key = key_of(&record)?;
            let (key, start, sequence) = split_window_store_key(key).ok_or_else(|| StoreError::Corrupt {
                reason: format!("store {}: a changelog key of {} bytes has no window", self.name(), key.len()),
            })?;
            self.segments.sequence = self.segments.sequence.max(sequence);
            // A null beside duplicates was logged and changed nothing, not even the store's time.
            if self.retain_duplicates && record.value.is_none() {
                continue;
            }
            // A record too old to be kept is no error: the topic forgets later than the store.
            if self.segments.observe(start.millis()) {
                self.write(key, start.millis(), sequence, row_of(&record));
            }
        }
        Ok(())
    }
    fn sync(&mut self) -> Result<(), StoreError> {
        self.segments.sync()
    }
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.segments.views()
    }
    fn uncommitted(
        &mut self,
        asked: &Asked<'_>,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let span = self.segments.span_of_all(asked.from, asked.to);
        let keys = asked.selection();
        let bounds = match (keys, span) {
            // One row: it is found at once.
            (KeySelection::One(key), Some(span)) if span.from == span.to && !self.retain_duplicates => {
                let low = self.row_key(key, span.from, 0);
                let high = [&low[..], &[0]].concat();
                (low, Some(high))
            }
            // Both rows and index.
            (KeySelection::Between(..), Some(_)) if self.layout == Layout::Indexed => (Vec::new(), None),
            (_, Some(span)) => self.bounds(keys, span, false),
            (_, None) => (Vec::new(), None),
        };
        let in_segments = span.into_iter().flat_map(Span::segments);
        let Some(segments) = self.segments.uncommitted(in_segments, (&bounds.0, bounds.1.as_deref())) else {
            return Ok(None);
        };
        let copy = Window { segments, ..*self };
        self.segments.show(Store::Window(Box::new(copy)), amend)
    }
    fn pending_bytes(&self) -> usize {
        self.segments.pending_bytes()
    }
}

impl WindowBytes for Window {
    fn put(&mut self, key: &[u8], start: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        if self.retain_duplicates && row.is_none() {
            return Ok(Put::Stored);
        }
        let start = start.millis();
        // A put that is refused takes a number too.
        if self.retain_duplicates {
            self.segments.sequence = self.segments.sequence.wrapping_add(1) & i32::MAX;
        }
        if !self.segments.observe(start) {
            return Ok(Put::Expired);
        }
        let sequence = if self.retain_duplicates { self.segments.sequence } else { 0 };
        self.write(key, start, sequence, row);
        Ok(Put::Stored)
    }

    fn fetch(&self, key: &[u8], start: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        let sequence = if self.retain_duplicates { self.segments.sequence } else { 0 };
        self.segments.get(start.millis(), &self.row_key(key, start.millis(), sequence))
    }

    fn scan(
        &self,
        query: WindowQuery<'_>,
        order: Order,
        after: Option<&WindowEntry>,
        limit: usize,
        into: &mut Vec<WindowEntry>,
    ) -> Result<Scan, StoreError> {
        let Some(span) = self.segments.span(query.from, query.to) else { return Ok(Scan::Done) };
        let full = into.len().saturating_add(limit);
        let mut end = Scan::Done;
        let by_index = self.layout == Layout::Indexed && matches!(query.keys, KeySelection::Between(..));
        let (low, high) = self.bounds(query.keys, span, by_index);
        let after = after.map(|after| {
            let start = after.start.millis();
            let key =
                if by_index { index_key(&after.key, start) } else { self.row_key(&after.key, start, after.sequence) };
            (start, key)
        });
        self.segments.scan(span, (&low, high.as_deref()), order, after, |bytes, row| {
            let parts = if by_index { split_index(bytes) } else { self.split(bytes) };
            let Some((key, start, sequence)) = parts else { return Ok(true) };
            let within = span.from <= start.millis() && start.millis() <= span.to;
            if !within || !query.keys.contains(key) {
                return Ok(true);
            }
            if into.len() >= full {
                end = Scan::More;
                return Ok(false);
            }
            let row = if by_index {
                let found = self.segments.row(start.millis(), &self.row_key(key, start.millis(), 0))?;
                found.ok_or_else(|| StoreError::Corrupt {
                    reason: format!("store {}: its index has a window that it does not have", self.name()),
                })?
            } else {
                row()?
            };
            into.push(WindowEntry { key: key.to_vec(), start, sequence, row });
            Ok(true)
        })?;
        Ok(end)
    }

    fn last_sequence(&self) -> i32 {
        self.segments.sequence
    }

    fn observed_time(&self) -> Timestamp {
        self.segments.observed()
    }
}
