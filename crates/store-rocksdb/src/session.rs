//! A value per key and session (Java's `RocksDBSessionStore`, `RocksDBTimeOrderedSessionStore`).

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Offset, Partition, RawRecord, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, SessionBytes, SessionEntry, SessionQuery};
use headwater_store::{Asked, Row, RowBuf, StateStore, Store, StoreError, StoreViews, View};
use headwater_window::Window;
use headwater_window::key_format::{put_session, split_session_key};

use crate::key_value::{key_of, row_of};
use crate::segments::{Segments, Span, upper_bound};

/// Behind its segment, a row's key is key, end, start. A time-ordered store has an index beside its rows, whose keys are end,
/// start, key; one byte before either tells them apart.
///
/// Java's time-ordered store has the rows in the order of time and the index in that of keys; the other way round, the sessions
/// around a record, which every record asks for, take one look.
#[derive(Debug)]
pub(crate) struct Session {
    segments: Segments,
    time_ordered: bool,
}

const ROW: u8 = 0;
const INDEX: u8 = 1;

impl Session {
    pub(crate) fn new(segments: Segments, time_ordered: bool) -> Self {
        Session { segments, time_ordered }
    }

    fn row_bound(&self, key: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(key.len() + 17);
        bytes.extend(self.time_ordered.then_some(ROW));
        bytes.extend_from_slice(key);
        bytes
    }

    fn row_key(&self, key: &[u8], session: Window) -> Vec<u8> {
        let mut bytes = self.row_bound(key);
        put_session(session.start, session.end, &mut bytes);
        bytes
    }

    fn split_row<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], Window)> {
        split_session_key(bytes.get(usize::from(self.time_ordered)..)?)
    }

    /// Between which row keys a query's rows lie in each segment; others lie there too.
    fn bounds(&self, keys: KeySelection<'_>, span: Span) -> (Vec<u8>, Option<Vec<u8>>) {
        match keys {
            KeySelection::One(key) => {
                let mut end = self.row_key(key, Window::of_millis(i64::MAX, span.to));
                end.push(0);
                (self.row_key(key, Window::of_millis(0, span.from)), Some(end))
            }
            KeySelection::Between(from, to) => {
                let end = to.map(|to| self.row_bound(&upper_bound(to)));
                (self.row_bound(from.unwrap_or_default()), end.or(self.time_ordered.then(|| vec![INDEX])))
            }
        }
    }

    fn write(&mut self, key: &[u8], session: Window, row: Option<Row<'_>>) -> Put {
        let end = session.end.millis();
        if !self.segments.observe(end) {
            return Put::Expired;
        }
        if self.time_ordered {
            self.segments.put(end, &index_key(key, session), row.map(|_| Row::plain(&[])));
        }
        self.segments.put(end, &self.row_key(key, session), row);
        Put::Stored
    }

    /// Hands what lies in `span` to `take`, in the order of the rows or of the index, until it says no.
    fn walk(
        &self,
        (query, span): (SessionQuery<'_>, Span),
        by_time: bool,
        order: Order,
        after: Option<&SessionEntry>,
        mut take: impl FnMut(&[u8], Window, Lookup<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let key_of = |key: &[u8], session| if by_time { index_key(key, session) } else { self.row_key(key, session) };
        let after = after.map(|after| (after.end.millis(), key_of(&after.key, Window::new(after.start, after.end))));
        let (low, high) = if by_time {
            (index_bound(span.from), Some(index_bound(span.to.saturating_add(1))))
        } else {
            self.bounds(query.keys, span)
        };
        self.segments.scan(span, (&low, high.as_deref()), order, after, |bytes, row| {
            let Some((key, session)) = (if by_time { split_index(bytes) } else { self.split_row(bytes) }) else {
                return Ok(true);
            };
            let ends_within = span.from <= session.end.millis() && session.end.millis() <= span.to;
            if !ends_within || session.start > query.latest_start || !query.keys.contains(key) {
                return Ok(true);
            }
            let indexed = || {
                let found = self.segments.row(session.end.millis(), &self.row_key(key, session))?;
                found.ok_or_else(|| StoreError::Corrupt {
                    reason: format!("store {}: its index has a session that it does not have", self.name()),
                })
            };
            take(key, session, if by_time { &indexed } else { row })
        })
    }
}

/// Reads the row that a scan has come to.
type Lookup<'a> = &'a dyn Fn() -> Result<RowBuf, StoreError>;

fn index_bound(end: i64) -> Vec<u8> {
    let mut bytes = vec![INDEX];
    bytes.extend_from_slice(&end.to_be_bytes());
    bytes
}

fn index_key(key: &[u8], session: Window) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 17);
    bytes.push(INDEX);
    put_session(session.start, session.end, &mut bytes);
    bytes.extend_from_slice(key);
    bytes
}

fn split_index(bytes: &[u8]) -> Option<(&[u8], Window)> {
    let (times, key) = bytes.get(1..)?.split_at_checked(16)?;
    Some((key, split_session_key(times)?.1))
}

impl StateStore for Session {
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
            let (key, session) = split_session_key(key).ok_or_else(|| StoreError::Corrupt {
                reason: format!("store {}: a changelog key of {} bytes has no session", self.name(), key.len()),
            })?;
            // A record too old to be kept is no error: the topic forgets later than the store.
            let _ = self.write(key, session, row_of(&record));
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
        let bounds = span.map_or_else(|| (Vec::new(), None), |span| self.bounds(asked.selection(), span));
        let in_segments = span.into_iter().flat_map(Span::segments);
        let Some(segments) = self.segments.uncommitted(in_segments, (&bounds.0, bounds.1.as_deref())) else {
            return Ok(None);
        };
        let copy = Session { segments, time_ordered: self.time_ordered };
        self.segments.show(Store::Session(Box::new(copy)), amend)
    }
    fn pending_bytes(&self) -> usize {
        self.segments.pending_bytes()
    }
}

impl SessionBytes for Session {
    fn put(&mut self, key: &[u8], start: Timestamp, end: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError> {
        Ok(self.write(key, Window::new(start, end), row))
    }

    fn fetch(&self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<Option<RowBuf>, StoreError> {
        self.segments.get(end.millis(), &self.row_key(key, Window::new(start, end)))
    }

    fn scan(
        &self,
        query: SessionQuery<'_>,
        order: Order,
        after: Option<&SessionEntry>,
        limit: usize,
        into: &mut Vec<SessionEntry>,
    ) -> Result<Scan, StoreError> {
        let ends = (query.earliest_end, query.latest_end);
        // Sessions that have closed are looked for by their ends, after their retention too (Java's `fetchSessions`).
        let range = matches!(query.keys, KeySelection::Between(..));
        let by_time = self.time_ordered && range && query.latest_end < Timestamp::MAX;
        let span = if by_time { self.segments.span_of_all(ends.0, ends.1) } else { self.segments.span(ends.0, ends.1) };
        let Some(span) = span else { return Ok(Scan::Done) };
        let full = into.len().saturating_add(limit);
        let mut end = Scan::Done;
        self.walk((query, span), by_time, order, after, |key, session, row| {
            if into.len() >= full {
                end = Scan::More;
                return Ok(false);
            }
            into.push(SessionEntry { key: key.to_vec(), start: session.start, end: session.end, row: row()? });
            Ok(true)
        })?;
        Ok(end)
    }

    fn observed_time(&self) -> Timestamp {
        self.segments.observed()
    }
}
