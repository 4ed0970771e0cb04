//! Versions of a value per key (KIP-889).

use headwater_record::Timestamp;

use crate::{RowBuf, StateStore, StoreError};

/// One version.
#[derive(Clone, Debug)]
pub struct Version {
    /// The value; its timestamp is that from which it is valid.
    pub row: RowBuf,
    /// Until when it is valid, excluded; `None` for the latest.
    pub valid_to: Option<Timestamp>,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum VersionedPut {
    /// It is the latest version (Java returns -1).
    Latest,
    /// A later version exists, from this time on.
    ValidTo(Timestamp),
    /// Too old for the history retention: not put (Java returns `i64::MIN`).
    Expired,
}

/// Versions of a value per key, ordered by the time from which they are valid.
pub trait VersionedBytes: StateStore {
    /// Adds a version, or a tombstone, valid from `timestamp` on.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: Timestamp) -> Result<VersionedPut, StoreError>;

    /// The latest version, `None` when there is none or it is a tombstone.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn get(&self, key: &[u8]) -> Result<Option<Version>, StoreError>;

    /// The version that was valid at `as_of`.
    ///
    /// # Errors
    /// As [`VersionedBytes::get`].
    fn get_as_of(&self, key: &[u8], as_of: Timestamp) -> Result<Option<Version>, StoreError>;
}
