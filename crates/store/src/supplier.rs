//! Opening stores, and what all of them can do.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use headwater_record::{Offset, Partition, RawRecord};

use crate::bytes::{KeyValueBytes, SessionBytes, VersionedBytes, WindowBytes};
use crate::suppress::SuppressBytes;
use crate::{Asked, StoreError, StoreSpec, StoreViews, View};

/// What every store can do.
///
/// A store's durable content is always that of one changelog offset: [`StateStore::commit`] writes both as one. After a crash
/// the store opens with the content and the offset of its last commit, or of one before ([`StateStore::sync`]). Only of what is restored may
/// it have more than its offset says, where it is no matter whether that is restored twice.
///
/// A global store is filled from all partitions of its topic, and has an offset for each: [`StateStore::commit_offsets`].
///
/// Many threads may read a store at once (a global one is read by all threads of an instance); one at a time changes it.
pub trait StateStore: Send + Sync {
    /// The store's name.
    fn name(&self) -> &str;

    /// Whether its content outlives the process.
    fn is_persistent(&self) -> bool;

    /// Whether it does as stores on disk do where they differ from those in memory: it is one, or stands in for one in a test.
    fn does_as_on_disk(&self) -> bool {
        self.is_persistent()
    }

    /// The offset of the last changelog record that the durable content holds; `None` when nothing was committed, so that the
    /// changelog must be read from its beginning.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be read.
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError>;

    /// Makes everything written so far durable, together with the offset of the last changelog record it contains. Without an
    /// offset the one before stands.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be written; the content on disk is then that of the commit before.
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError>;

    /// As [`StateStore::committed_offset`], of each partition of a global store's topic, by [`StateStore::commit_offsets`].
    ///
    /// # Errors
    /// As [`StateStore::committed_offset`].
    fn committed_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        Ok(BTreeMap::new())
    }

    /// As [`StateStore::commit`], with the last offset of each partition of a global store's topic. Of a partition that is not
    /// among `offsets` the one before stands.
    ///
    /// A store that does not implement this and [`StateStore::committed_offsets`] remembers none: whatever it keeps is then
    /// deleted, and filled anew from the whole topic, when the application starts again.
    ///
    /// # Errors
    /// As [`StateStore::commit`].
    fn commit_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) -> Result<(), StoreError> {
        let _ = offsets;
        self.commit(None)
    }

    /// Begins to bring to disk what was committed and lies in memory for now, and does not wait for it. A store that is seldom written
    /// is asked once in a while, so that a crash costs it the last minutes and not all since it was opened.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be written.
    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Applies changelog records in order, without logging them again. They count as written, not as committed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a key that is none of this kind of store, [`StoreError::Io`].
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError>;

    /// Where other threads get views of it. `None`: this make has none, and only its task reads the store.
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        None
    }

    /// A view of the store as it is now, with what is not committed: of that it shows what is `asked` for at least. It is a copy, into which
    /// `amend` writes before it is given out what lies in a record cache. `None`: of this make only what was committed is seen.
    ///
    /// The store's thread makes it between two records. It is to cost what was written lately, not what the store holds.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be made.
    fn uncommitted(
        &mut self,
        asked: &Asked<'_>,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let _ = (asked, amend);
        Ok(None)
    }

    /// Answers a question of a store of one's own, which nobody else understands (`CustomQuery`). `None`: neither does this one.
    ///
    /// It is asked of what [`StateStore::views`] and [`StateStore::uncommitted`] give, on the thread of whoever asks.
    ///
    /// # Errors
    /// [`StoreError`], when it cannot be answered.
    fn query(&self, query: &dyn Any) -> Result<Option<Box<dyn Any>>, StoreError> {
        let _ = query;
        Ok(None)
    }

    /// Memory held for what is not durable yet, in bytes.
    fn pending_bytes(&self) -> usize {
        0
    }
}

/// An open store: one of the four kinds, or the buffer of a suppression.
pub enum Store {
    /// A value per key.
    KeyValue(Box<dyn KeyValueBytes>),
    /// A value per key and window.
    Window(Box<dyn WindowBytes>),
    /// A value per key and session.
    Session(Box<dyn SessionBytes>),
    /// Versions per key.
    Versioned(Box<dyn VersionedBytes>),
    /// Changes that wait.
    Suppress(Box<SuppressBytes>),
}

impl Store {
    /// What every store can do.
    pub fn state(&self) -> &dyn StateStore {
        match self {
            Store::KeyValue(store) => store.as_ref(),
            Store::Window(store) => store.as_ref(),
            Store::Session(store) => store.as_ref(),
            Store::Versioned(store) => store.as_ref(),
            Store::Suppress(store) => store.as_ref(),
        }
    }

    /// What every store can do, to change it.
    pub fn state_mut(&mut self) -> &mut dyn StateStore {
        match self {
            Store::KeyValue(store) => store.as_mut(),
            Store::Window(store) => store.as_mut(),
            Store::Session(store) => store.as_mut(),
            Store::Versioned(store) => store.as_mut(),
            Store::Suppress(store) => store.as_mut(),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.state().name())
    }
}

/// How much memory the stores of a process may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// For blocks read from disk, bytes.
    pub block_cache_bytes: usize,
    /// For writes not on disk yet, bytes.
    pub write_buffer_bytes: usize,
    /// For rows that were committed lately, so that reads need not look on disk, bytes. What is not committed yet is bounded by
    /// `statestore.uncommitted.max.bytes`, for each thread.
    pub committed_bytes: usize,
}

impl Default for MemoryBudget {
    /// 64 MiB of blocks, 64 MiB of writes, 256 MiB of rows.
    fn default() -> Self {
        MemoryBudget { block_cache_bytes: 64 << 20, write_buffer_bytes: 64 << 20, committed_bytes: 256 << 20 }
    }
}

/// Where a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenContext<'a> {
    /// The task's directory, made by whoever opens; a store makes its own folder in it. `None`: nothing may be kept on disk.
    pub task_directory: Option<&'a Path>,
}

/// Opens stores of one make.
pub trait StoreSupplier: Send + Sync + std::fmt::Debug {
    /// Whether its stores outlive the process.
    fn is_persistent(&self) -> bool;

    /// Opens (and where needed makes) the store of `spec`.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] for a kind this make does not have, [`StoreError::TypeChanged`] when what lies there was
    /// written by a store of another kind or format, [`StoreError::Io`].
    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError>;
}

impl<S: StoreSupplier + ?Sized> StoreSupplier for Arc<S> {
    fn is_persistent(&self) -> bool {
        (**self).is_persistent()
    }
    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError> {
        (**self).open(spec, context)
    }
}
