//! A value per key and session (Java's `RocksDBSessionStore`, `RocksDBTimeOrderedSessionStore`).

use headwater_record::{Offset, RawRecord, Timestamp};
use headwater_store::bytes::{KeySelection, Order, Put, Scan, SessionBytes, SessionEntry, SessionQuery};
use headwater_store::{Row, RowBuf, StateStore, StoreError};
use headwater_window::Window;
use headwater_window::key_format::{put_session, split_session_key};

use crate::key_value::{key_of, row_of};
use crate::segments::{Segments, Span, upper_bound};

/// Behind its segment, a row's key is key, end, start; in a time-ordered store end, start, key.
#[derive(Debug)]
pub(crate) struct Session {
    segments: Segments,
    time_ordered: bool,
}

impl Session {
    pub(crate) fn new(segments: Segments, time_ordered: bool) -> Self {
        Session { segments, time_ordered }
    }

    fn row_key(&self, key: &[u8], session: Window) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(key.len() + 16);
        if self.time_ordered {
            put_session(session.start, session.end, &mut bytes);
            bytes.extend_from_slice(key);
        } else {
            bytes.extend_from_slice(key);
            put_session(session.start, session.end, &mut bytes);
        }
        bytes
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], Window)> {
        if !self.time_ordered {
            return split_session_key(bytes);
        }
        let (times, key) = bytes.split_at_checked(16)?;
        Some((key, split_session_key(times)?.1))
    }

    /// Between which row keys a query's rows lie in each segment; others lie there too.
    fn bounds(&self, keys: KeySelection<'_>, span: Span) -> (Vec<u8>, Option<Vec<u8>>) {
        if self.time_ordered {
            let end = span.to.checked_add(1).map(|end| end.to_be_bytes().to_vec());
            return (span.from.to_be_bytes().to_vec(), end);
        }
        match keys {
            KeySelection::One(key) => {
                let mut end = self.row_key(key, Window::of_millis(i64::MAX, span.to));
                end.push(0);
                (self.row_key(key, Window::of_millis(0, span.from)), Some(end))
            }
            KeySelection::Between(from, to) => (from.unwrap_or_default().to_vec(), to.map(upper_bound)),
        }
    }

    fn write(&mut self, key: &[u8], session: Window, row: Option<Row<'_>>) -> Put {
        let end = session.end.millis();
        if !self.segments.observe(end) {
            return Put::Expired;
        }
        let rest = self.row_key(key, session);
        self.segments.put(end, &rest, row);
        Put::Stored
    }
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
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
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
        let closed = self.time_ordered && query.latest_end < Timestamp::MAX;
        let span = if closed { self.segments.span_of_all(ends.0, ends.1) } else { self.segments.span(ends.0, ends.1) };
        let Some(span) = span else { return Ok(Scan::Done) };
        let full = into.len().saturating_add(limit);
        let mut end = Scan::Done;
        let (low, high) = self.bounds(query.keys, span);
        let after = after.map(|after| {
            let rest = self.row_key(&after.key, Window::new(after.start, after.end));
            (after.end.millis(), rest)
        });
        self.segments.scan(span, (&low, high.as_deref()), order, after, |bytes, row| {
            let Some((key, session)) = self.split(bytes) else { return Ok(true) };
            let ends_within = span.from <= session.end.millis() && session.end.millis() <= span.to;
            if !ends_within || session.start > query.latest_start || !query.keys.contains(key) {
                return Ok(true);
            }
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
