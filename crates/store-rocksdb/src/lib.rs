//! Stores in RocksDB: on disk, larger than memory, and open again where they were after a restart.
//!
//! The stores of a task are one database below the task's directory, `rocksdb`, with a column family for the rows of each. What is
//! written between two commits stays in memory, where reads see it; a commit writes it together with the changelog offset in one
//! batch, and reads still find it in memory until later commits need the room. There is no write-ahead log, so a killed process loses the batches that RocksDB had not flushed to files yet: the store
//! then opens with the content *and* the offset of an earlier commit, and restoring goes on from there. Content and offset do not
//! part (see [`RocksDbStores`]), but that rows which are restored by much at a time come to disk before their offset: they are then
//! restored once more.
//!
//! **Architecture Invariant:** nothing outside this crate knows RocksDB.
#![forbid(unsafe_code)]

mod arena;
mod bulk;
mod database;
mod error;
mod generation;
mod key_value;
mod layout;
mod options;
mod overlay;
mod pace;
mod room;
mod scan;
mod segments;
mod session;
mod spare;
mod table;
mod versioned;
mod views;
mod window;

use headwater_store::{MemoryBudget, OpenContext, RowFormat, Store, StoreError, StoreKind, StoreSpec, StoreSupplier};

use database::Databases;
use options::Shared;

/// Opens stores in RocksDB (Java's `RocksDBStore`, `RocksDBTimestampedStore`, `RocksDBVersionedStore` and their like).
///
/// One block cache and one write-buffer manager serve all stores opened from here, so that the memory they use together is what
/// the [`MemoryBudget`] says, however many there are. A process has one `RocksDbStores`.
///
/// The rows of a task's stores and their changelog offsets lie in column families that are always flushed together
/// (`atomic_flush`): whatever moment the process ends at, what is on disk is the content of exactly the offsets beside it. A store that is
/// restored from a large changelog writes files of sorted rows, each before the offset that goes with it: if the process ends between the
/// two, rows are later than their offset, which restoring mends, and never earlier.
///
/// A task has about ten files open and two more for each store, and some more as they grow; the limit of the process
/// (`ulimit -n`) has to reach for all tasks.
#[derive(Debug)]
pub struct RocksDbStores {
    shared: Shared,
    databases: Databases,
}

impl RocksDbStores {
    /// A make whose stores together keep to `budget`.
    pub fn new(budget: MemoryBudget) -> Self {
        RocksDbStores { shared: Shared::new(budget), databases: Databases::default() }
    }

    /// Memory now in use for blocks read from disk, bytes.
    pub fn block_cache_bytes(&self) -> usize {
        self.shared.block_cache_bytes()
    }

    /// Memory now in use for writes not on disk yet, bytes.
    pub fn write_buffer_bytes(&self) -> usize {
        self.shared.write_buffer_bytes()
    }

    /// Memory now in use for rows that were committed lately, bytes.
    pub fn committed_bytes(&self) -> usize {
        self.shared.room.taken()
    }
}

impl StoreSupplier for RocksDbStores {
    fn is_persistent(&self) -> bool {
        true
    }

    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError> {
        let spec = match spec.kind {
            StoreKind::Versioned { .. } if spec.format == RowFormat::Plain => {
                &StoreSpec { format: RowFormat::Timestamped, ..spec.clone() }
            }
            StoreKind::KeyValue | StoreKind::Window { .. } | StoreKind::Session { .. } => spec,
            other => {
                return Err(StoreError::Unsupported {
                    store: spec.name.clone(),
                    make: "RocksDB",
                    kind: format!("{other:?} ({:?} rows)", spec.format),
                });
            }
        };
        store_of(spec, table::Table::open(self, spec, context)?)
    }
}

/// The store of `spec` whose rows are those of `table`.
fn store_of(spec: &StoreSpec, table: table::Table) -> Result<Store, StoreError> {
    match spec.kind {
        StoreKind::Window { retention, segment_interval, retain_duplicates, time_ordered, key_index, .. } => {
            let segments = segments::Segments::new(table, retention, segment_interval).reading_edge(time_ordered);
            let layout = match time_ordered {
                false => window::Layout::ByKey,
                true if key_index && !retain_duplicates => window::Layout::Indexed,
                true => window::Layout::ByTime,
            };
            Ok(Store::Window(Box::new(window::Window::new(segments, layout, retain_duplicates))))
        }
        StoreKind::Session { retention, segment_interval, time_ordered } => {
            let segments = segments::Segments::new(table, retention, segment_interval);
            Ok(Store::Session(Box::new(session::Session::new(segments, time_ordered))))
        }
        StoreKind::Versioned { history_retention, segment_interval } => {
            let segments = segments::Segments::new(table, history_retention, segment_interval);
            Ok(Store::Versioned(Box::new(versioned::Versioned::new(segments)?)))
        }
        _ => Ok(Store::KeyValue(Box::new(key_value::KeyValue::new(table)))),
    }
}
