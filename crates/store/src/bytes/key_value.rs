//! A value per key.

use std::ops::{Bound, RangeBounds};

use crate::bytes::{KeySelection, Order, Scan};
use crate::{Row, RowBuf, RowRef, StateStore, StoreError};

/// A stretch of keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// Where it begins.
    pub from: Bound<&'a [u8]>,
    /// Where it ends.
    pub to: Bound<&'a [u8]>,
}

impl<'a> KeyRange<'a> {
    /// All keys.
    pub const ALL: KeyRange<'static> = KeyRange { from: Bound::Unbounded, to: Bound::Unbounded };

    /// From `from` to `to`, both included; `None` is open.
    pub fn inclusive(from: Option<&'a [u8]>, to: Option<&'a [u8]>) -> Self {
        KeyRange {
            from: from.map_or(Bound::Unbounded, Bound::Included),
            to: to.map_or(Bound::Unbounded, Bound::Included),
        }
    }

    /// Whether `key` lies in it.
    pub fn contains(self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&(self.from, self.to), key)
    }

    /// The one key that lies in it, if it names one.
    pub fn only(self) -> Option<&'a [u8]> {
        match (self.from, self.to) {
            (Bound::Included(from), Bound::Included(to)) if from == to => Some(from),
            _ => None,
        }
    }

    /// The keys in it, and perhaps those that are excluded.
    pub fn selection(self) -> KeySelection<'a> {
        let key_of = |bound| match bound {
            Bound::Included(key) | Bound::Excluded(key) => Some(key),
            Bound::Unbounded => None,
        };
        self.only().map_or_else(|| KeySelection::Between(key_of(self.from), key_of(self.to)), KeySelection::One)
    }

    /// What is left after `last` was read in `order`.
    #[must_use]
    pub fn after(self, last: &'a [u8], order: Order) -> Self {
        match order {
            Order::Forward => KeyRange { from: Bound::Excluded(last), to: self.to },
            Order::Backward => KeyRange { from: self.from, to: Bound::Excluded(last) },
        }
    }
}

/// A key with its row.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key's bytes.
    pub key: Vec<u8>,
    /// What lies under it.
    pub row: RowBuf,
}

/// A value per key, ordered by key bytes.
pub trait KeyValueBytes: StateStore {
    /// The row of `key`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError>;

    /// Hands the row of `key` to `look`, if there is one. Stores that can lend it as it lies there, without a copy.
    ///
    /// # Errors
    /// As [`KeyValueBytes::get`].
    fn look(&self, key: &[u8], look: &mut dyn FnMut(RowRef<'_>)) -> Result<(), StoreError> {
        if let Some(row) = self.get(key)? {
            look(row.lend());
        }
        Ok(())
    }

    /// The rows of `keys`, in their order. Stores that read from disk do it at once.
    ///
    /// # Errors
    /// As [`KeyValueBytes::get`].
    fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<RowBuf>>, StoreError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Sets or, with `None`, deletes the row of `key`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError>;

    /// Appends at most `limit` entries of `range` to `into`, in `order`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError>;

    /// How many entries there are, about.
    fn approximate_len(&self) -> u64;

    /// Keys that the store dropped by itself since last asked (an LRU store), for the changelog.
    fn take_evicted(&mut self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}
