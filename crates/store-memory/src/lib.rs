//! Stores in this process's memory: ordered maps that are gone with the process and are restored from their changelogs.
//!
//! **Architecture Invariant:** these stores are exact about order and, unless they stand for stores on disk
//! ([`MemoryStores::in_place_of_disk`]), about expiry, as Java's in-memory stores are. Versioned stores, which Java has on disk
//! only, forget by segments. The stores in RocksDB are another implementation of the same contract, and the two never meet.
#![forbid(unsafe_code)]

mod index;
mod key_value;
mod lru;
mod map;
mod retention;
mod scan;
mod session;
mod state;
mod versioned;
mod views;
mod window;

use std::time::Duration;

use headwater_store::{OpenContext, RowFormat, Store, StoreError, StoreKind, StoreSpec, StoreSupplier};

use crate::retention::{Forgets, Retention};

/// Opens stores in memory (Java's `InMemoryKeyValueStore`, `MemoryNavigableLRUCache`, `InMemoryWindowStore` and
/// `InMemorySessionStore`), and versioned stores, which Java has on disk only.
///
/// ```
/// use headwater_store::{OpenContext, Row, Store, StoreKind, StoreSpec, StoreSupplier};
/// let spec = StoreSpec::new("counts", StoreKind::KeyValue);
/// let Store::KeyValue(mut store) =
///     headwater_store_memory::MemoryStores::new().open(&spec, OpenContext { task_directory: None })?
/// else {
///     unreachable!("that is what was asked for");
/// };
/// store.put(b"a", Some(Row::plain(b"1")))?;
/// assert_eq!(store.get(b"a")?.as_ref().map(|row| row.value()), Some(&b"1"[..]));
/// # Ok::<(), headwater_store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStores {
    in_place_of_disk: bool,
}

impl MemoryStores {
    /// The make.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens stores that stand in for stores on disk, in a test that has none: they forget as those do, whole segments at a time.
    /// In Java an aggregate of sessions in memory whose results are handed on when they close goes silent when stream time leaps,
    /// since the store has forgotten them by then; on disk it does not.
    pub fn in_place_of_disk() -> Self {
        MemoryStores { in_place_of_disk: true }
    }

    fn retention(self, kind: StoreKind, retention: Duration) -> Retention {
        let forgets = match kind.segment_interval().filter(|_| self.in_place_of_disk) {
            Some(interval) => Forgets::BySegments {
                interval,
                reads_edge: matches!(kind, StoreKind::Window { time_ordered: true, .. }),
            },
            None => Forgets::AtOnce,
        };
        Retention::new(retention, forgets)
    }
}

impl StoreSupplier for MemoryStores {
    fn is_persistent(&self) -> bool {
        false
    }

    fn open(&self, spec: &StoreSpec, _context: OpenContext<'_>) -> Result<Store, StoreError> {
        match spec.kind {
            StoreKind::KeyValue => Ok(Store::KeyValue(Box::new(key_value::KeyValue::new(spec, self.in_place_of_disk)))),
            StoreKind::Lru { max_entries } => Ok(Store::KeyValue(Box::new(lru::Lru::new(spec, max_entries)))),
            StoreKind::Window { retention, retain_duplicates, .. } => {
                let retention = self.retention(spec.kind, retention);
                Ok(Store::Window(Box::new(window::Window::new(spec, retention, retain_duplicates))))
            }
            StoreKind::Session { retention, .. } => {
                Ok(Store::Session(Box::new(session::Session::new(spec, self.retention(spec.kind, retention)))))
            }
            StoreKind::Versioned { history_retention, segment_interval } if spec.format == RowFormat::Plain => {
                let store = versioned::Versioned::new(spec, history_retention, segment_interval);
                Ok(Store::Versioned(Box::new(store)))
            }
            other => Err(StoreError::Unsupported {
                store: spec.name.clone(),
                make: "memory",
                kind: format!("{other:?} ({:?} rows)", spec.format),
            }),
        }
    }
}
