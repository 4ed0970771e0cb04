//! A wish for old values, passed up a chain of tables (Java's `enableSendingOldValues`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a table sends old values; read when a task is wired.
#[derive(Clone, Debug)]
pub(crate) struct OldValues(Arc<Wish>);

#[derive(Debug)]
struct Wish {
    granted: AtomicBool,
    from: From,
}

/// From where a table has its old values.
enum From {
    /// From its own store.
    Store,
    /// From its own store, which the function makes when it is told that it must, and says whether there is one.
    StoreIfMade(Box<dyn Fn(bool) -> bool + Send + Sync>),
    /// From the old values of another table.
    Table(OldValues),
}

impl fmt::Debug for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            From::Store => "Store",
            From::StoreIfMade(_) => "StoreIfMade",
            From::Table(_) => "Table",
        })
    }
}

impl OldValues {
    /// Of a table that has a store.
    pub(crate) fn of_store() -> Self {
        Self::new(From::Store)
    }

    /// Of a table that has a store if `make` says so; it is told whether there must be one.
    pub(crate) fn of_store_if_made(make: impl Fn(bool) -> bool + Send + Sync + 'static) -> Self {
        Self::new(From::StoreIfMade(Box::new(make)))
    }

    /// Of a table that has no store and makes its old values of those of `parent`.
    pub(crate) fn of_table(parent: &OldValues) -> Self {
        Self::new(From::Table(parent.clone()))
    }

    fn new(from: From) -> Self {
        OldValues(Arc::new(Wish { granted: AtomicBool::new(false), from }))
    }

    /// Asks for old values. Unless `force` is set, only a table that is kept in a store already grants it.
    pub(crate) fn ask(&self, force: bool) -> bool {
        if self.granted() {
            return true;
        }
        let granted = match &self.0.from {
            From::Store => true,
            From::StoreIfMade(make) => make(force),
            From::Table(parent) => parent.ask(force),
        };
        self.set(granted);
        granted
    }

    /// Sends old values from now on if `parent` does, and asks it for them without force (Java's `KTableFilter`).
    pub(crate) fn follow(&self, parent: &OldValues) {
        self.set(parent.ask(false));
    }

    fn set(&self, granted: bool) {
        self.0.granted.store(granted, Ordering::Relaxed);
    }

    /// Whether old values are sent.
    pub(crate) fn granted(&self) -> bool {
        self.0.granted.load(Ordering::Relaxed)
    }
}
