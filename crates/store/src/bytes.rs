//! The four traits that stores implement. Keys and values are bytes; order is that of unsigned bytes.

mod key_value;
mod session;
mod versioned;
mod window;

pub use key_value::{Entry, KeyRange, KeyValueBytes};
pub use session::{SessionBytes, SessionEntry, SessionQuery};
pub use versioned::{Version, VersionQuery, VersionedBytes, VersionedDelete, VersionedPut};
pub use window::{KeySelection, WindowBytes, WindowEntry, WindowQuery};

/// In which direction to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// The store's own order.
    #[default]
    Forward,
    /// The other way round.
    Backward,
}

/// Whether a scan has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Scan {
    /// There may be more: ask again after the last entry.
    More,
    /// That was all.
    Done,
}

/// Whether a write into a store that forgets was in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// It is stored.
    Stored,
    /// It was too old for the store's retention, and is counted as dropped.
    Expired,
}
