//! Versions of a value per key (KIP-889).

use headwater_record::Timestamp;

use crate::bytes::{Order, Scan};
use crate::{RowBuf, StateStore, StoreError};

/// One version.
#[derive(Clone, Debug)]
pub struct Version {
    /// The value; its timestamp is that from which it is valid.
    pub row: RowBuf,
    /// Until when it is valid, excluded; `None` for the latest.
    pub valid_to: Option<Timestamp>,
}

impl Version {
    /// From when it is valid.
    pub fn valid_from(&self) -> Timestamp {
        self.row.timestamp()
    }
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum VersionedPut {
    /// It is the latest version.
    Latest,
    /// A later version exists, from this time on.
    ValidTo(Timestamp),
    /// Older than the history retention: not put. The record counts as dropped, and is logged to the changelog all the same, as
    /// Java does.
    Expired,
}

impl VersionedPut {
    /// What Java's `VersionedKeyValueStore#put` returns: `PUT_RETURN_CODE_VALID_TO_UNDEFINED` (-1) for the latest version, until
    /// when another one is valid, `PUT_RETURN_CODE_NOT_PUT` (`i64::MIN`) for an expired one.
    ///
    /// ```
    /// use headwater::store::bytes::VersionedPut;
    /// assert_eq!(VersionedPut::Latest.return_code(), -1);
    /// assert_eq!(VersionedPut::ValidTo(7.into()).return_code(), 7);
    /// assert_eq!(VersionedPut::Expired.return_code(), i64::MIN);
    /// ```
    pub fn return_code(self) -> i64 {
        match self {
            VersionedPut::Latest => -1,
            VersionedPut::ValidTo(time) => time.millis(),
            VersionedPut::Expired => i64::MIN,
        }
    }
}

/// What was deleted, and what became of the tombstone.
#[derive(Clone, Debug)]
pub struct VersionedDelete {
    /// The version that was valid at the time of the tombstone; `None` when there was none, or the tombstone is expired.
    pub before: Option<Version>,
    /// What became of the tombstone.
    pub put: VersionedPut,
}

/// Which versions of a key are asked for (Java's `MultiVersionedKeyQuery`, KIP-968).
#[derive(Clone, Copy, Debug)]
pub struct VersionQuery<'a> {
    /// Of which key.
    pub key: &'a [u8],
    /// Valid at this time or later; [`Timestamp::ZERO`] for no bound.
    pub from: Timestamp,
    /// Valid from this time on or earlier; [`Timestamp::MAX`] for no bound.
    pub to: Timestamp,
}

/// Versions of a value per key, ordered by the time from which they are valid (Java's `RocksDBVersionedStore`).
///
/// The store's time is the latest timestamp put so far, over all keys. A put that is older than that time minus the history
/// retention is expired; a version or tombstone whose validity ended before then is forgotten, in segments by that end. The latest
/// version of a key is never forgotten.
///
/// Rows are [`crate::RowFormat::Plain`] in the specification and in the changelog, where the record's timestamp is the version's.
/// There is no record cache over such a store.
pub trait VersionedBytes: StateStore {
    /// Adds a version, or with `None` a tombstone, valid from `timestamp` on. One of the same timestamp is replaced.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: Timestamp) -> Result<VersionedPut, StoreError>;

    /// Adds a tombstone, and says which version it ends.
    ///
    /// # Errors
    /// As [`VersionedBytes::put`].
    fn delete(&mut self, key: &[u8], timestamp: Timestamp) -> Result<VersionedDelete, StoreError> {
        let before = self.get_as_of(key, timestamp)?;
        let put = self.put(key, None, timestamp)?;
        Ok(VersionedDelete { before: before.filter(|_| put != VersionedPut::Expired), put })
    }

    /// The latest version, `None` when there is none or it is a tombstone.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn get(&self, key: &[u8]) -> Result<Option<Version>, StoreError>;

    /// The version that was valid at `as_of`. Further back than the history retention only the latest one is found, when it was
    /// valid then.
    ///
    /// # Errors
    /// As [`VersionedBytes::get`].
    fn get_as_of(&self, key: &[u8], as_of: Timestamp) -> Result<Option<Version>, StoreError>;

    /// Appends at most `limit` versions in `order`, forward from the earliest to the latest, those after `after` when given (the
    /// last one of the scan before). Tombstones are left out.
    ///
    /// As in Java, versions are also found that are older than the history retention and not forgotten yet; where `to` lies
    /// further back than that, none but the latest. A version whose validity ends in a later segment than that of `to` is not
    /// found, though it was valid then.
    ///
    /// # Errors
    /// As [`VersionedBytes::get`].
    fn scan(
        &self,
        query: VersionQuery<'_>,
        order: Order,
        after: Option<&Version>,
        limit: usize,
        into: &mut Vec<Version>,
    ) -> Result<Scan, StoreError>;

    /// The store's time: the latest timestamp put so far, -1 at first.
    fn observed_time(&self) -> Timestamp;
}
