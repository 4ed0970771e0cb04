//! A value per key and window start.

use headwater_record::Timestamp;

use crate::bytes::{Order, Put, Scan};
use crate::{Row, RowBuf, StateStore, StoreError};

/// Which keys are asked for.
#[derive(Clone, Copy, Debug)]
pub enum KeySelection<'a> {
    /// This one.
    One(&'a [u8]),
    /// From the first to the second, both included; `None` is open.
    Between(Option<&'a [u8]>, Option<&'a [u8]>),
}

impl KeySelection<'_> {
    /// All keys.
    pub const ALL: KeySelection<'static> = KeySelection::Between(None, None);

    /// Whether `key` is among them.
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            KeySelection::One(one) => *one == key,
            KeySelection::Between(from, to) => from.is_none_or(|from| from <= key) && to.is_none_or(|to| key <= to),
        }
    }
}

/// Which windows are asked for: of which keys, starting from when to when, both included.
#[derive(Clone, Copy, Debug)]
pub struct WindowQuery<'a> {
    /// Of which keys.
    pub keys: KeySelection<'a>,
    /// The first window start.
    pub from: Timestamp,
    /// The last window start.
    pub to: Timestamp,
}

/// A window of a key with its row.
#[derive(Clone, Debug)]
pub struct WindowEntry {
    /// The key's bytes.
    pub key: Vec<u8>,
    /// When the window starts.
    pub start: Timestamp,
    /// Which of several values with the same key and start; 0 unless the store retains duplicates.
    pub sequence: i32,
    /// What lies there.
    pub row: RowBuf,
}

/// A value per key and window start, forgotten after the retention.
///
/// The store's time is the latest window start put so far. Reads show entries that start later than that time minus the retention
/// (Java's `AbstractRocksDBSegmentedBytesStore` and `InMemoryWindowStore`); those of a time-ordered store on disk also entries
/// that start exactly then, so that a window without grace is found when it closes
/// (`AbstractDualSchemaRocksDBSegmentedBytesStore`).
///
/// Forward order: of one key by start, then sequence. Of several keys as the make of store has it: in memory by start, then key;
/// in RocksDB by segment, then key, then start; in a time-ordered store by start, then key.
pub trait WindowBytes: StateStore {
    /// Sets or, with `None`, deletes. In a store that retains duplicates each value is added with the next sequence number, and
    /// `None` does nothing.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn put(&mut self, key: &[u8], start: Timestamp, row: Option<Row<'_>>) -> Result<Put, StoreError>;

    /// The row of `key` in the window that starts at `start`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn fetch(&self, key: &[u8], start: Timestamp) -> Result<Option<RowBuf>, StoreError>;

    /// Appends at most `limit` windows in `order`, those after `after` when given (the last entry of the scan before).
    ///
    /// # Errors
    /// As [`WindowBytes::fetch`].
    fn scan(
        &self,
        query: WindowQuery<'_>,
        order: Order,
        after: Option<&WindowEntry>,
        limit: usize,
        into: &mut Vec<WindowEntry>,
    ) -> Result<Scan, StoreError>;

    /// The sequence number given last in a store that retains duplicates, restored ones included: what is logged goes on behind it,
    /// so that no later value has the key of an earlier one. 0 in other stores, and at first.
    fn last_sequence(&self) -> i32 {
        0
    }

    /// The store's time: the latest window start put so far, -1 at first.
    fn observed_time(&self) -> Timestamp;
}
