//! A value per key and session.

use headwater_record::Timestamp;

use crate::bytes::{KeySelection, Order, Put, Scan};
use crate::{Row, RowBuf, StateStore, StoreError};

/// Which sessions are asked for: of which keys, ending at `earliest_end` or later and starting at `latest_start` or earlier.
#[derive(Clone, Copy, Debug)]
pub struct SessionQuery<'a> {
    /// Of which keys.
    pub keys: KeySelection<'a>,
    /// The least end.
    pub earliest_end: Timestamp,
    /// The greatest end; [`Timestamp::MAX`] for no bound.
    pub latest_end: Timestamp,
    /// The greatest start; [`Timestamp::MAX`] for no bound.
    pub latest_start: Timestamp,
}

/// A session of a key with its row.
#[derive(Clone, Debug)]
pub struct SessionEntry {
    /// The key's bytes.
    pub key: Vec<u8>,
    /// When it starts.
    pub start: Timestamp,
    /// When it ends, included.
    pub end: Timestamp,
    /// What lies there.
    pub row: RowBuf,
}

/// A value per key and session, forgotten after the retention.
///
/// The store's time is the latest session end put so far. Reads show sessions that end later than that time minus the retention;
/// a time-ordered store on disk, asked for all keys up to a latest end, also older ones that are not forgotten yet, so that closed
/// sessions are found (Java's `RocksDBTimeOrderedSessionSegmentedBytesStore#fetchSessions`).
///
/// Forward order of one key: in RocksDB by end, then start; in memory by end, then start *descending* (as Java's
/// `InMemorySessionStore`). Of several keys: in RocksDB by segment, key, end, start; in memory by end, key, start descending; in
/// a time-ordered store, where a latest end is asked for, by end, start, key.
pub trait SessionBytes: StateStore {
    /// Sets or, with `None`, removes.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn put(&mut self, key: &[u8], start: Timestamp, end: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError>;

    /// Removes a session, of which it is no matter if it has expired. Other than a [`put`](SessionBytes::put) of `None`, it may leave
    /// the store's time where it is: as Java's `remove` does in memory (`InMemorySessionStore`), and not on disk.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn remove(&mut self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<(), StoreError> {
        self.put(key, start, end, None).map(|_| ())
    }

    /// The row of exactly this session.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn fetch(&self, key: &[u8], start: Timestamp, end: Timestamp) -> Result<Option<RowBuf>, StoreError>;

    /// Appends at most `limit` sessions in `order`, those after `after` when given (the last entry of the scan before).
    ///
    /// # Errors
    /// As [`SessionBytes::fetch`].
    fn scan(
        &self,
        query: SessionQuery<'_>,
        order: Order,
        after: Option<&SessionEntry>,
        limit: usize,
        into: &mut Vec<SessionEntry>,
    ) -> Result<Scan, StoreError>;

    /// The store's time: the latest session end put so far, -1 at first.
    fn observed_time(&self) -> Timestamp;
}
