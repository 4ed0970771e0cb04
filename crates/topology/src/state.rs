//! Typed stores of a running task: serdes, changelog and record cache around the bytes.
//!
//! A state is shared by the nodes that use its store (`Rc`); nothing of it leaves the task's thread. Every read and write is
//! handed the [`TaskContext`], which knows the record, logs changes and leads evicted entries on.

mod core;
mod handle;
mod join;
mod key_value;
mod session;
mod suppress;
mod table;
mod timed;
mod versioned;
mod waiting;
mod walk;
mod window;
mod write_behind;

use headwater_record::Timestamp;
use headwater_store::cache::CacheUse;
use headwater_store::{Asked, Store};
use headwater_window::Window;

use crate::{ProcessError, TaskContext};

pub use self::handle::{FlushTo, StoreHandle};
pub use self::join::{Fate, JoinState, Unjoined};
pub use self::key_value::KeyValueState;
pub use self::session::{BySession, SessionState};
pub use self::suppress::SuppressState;
pub use self::table::TableState;
pub use self::timed::{ChangeOf, Found, KeyBuf, Keys, Timed, TimedState, Wanted, entries_of};
pub use self::versioned::VersionedState;
pub use self::waiting::WaitingState;
pub use self::window::{ByWindow, WindowState};

/// A value with its event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped<V> {
    /// The value.
    pub value: V,
    /// Its event time; -1 where the store keeps none.
    pub timestamp: Timestamp,
}

/// A state as its task sees it: its writes may lie in a record cache, and it knows the nodes that hear of changes.
pub trait FlushStore {
    /// Writes all cached changes to store and changelog and hands them on, in the order of their last update.
    ///
    /// # Errors
    /// What no handler let pass.
    fn flush(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError>;

    /// Does the same with as many as needed to come back into the cache's budget.
    ///
    /// # Errors
    /// As [`FlushStore::flush`].
    fn evict(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError>;

    /// Lets go of the nodes that hear of changes. Nodes hold states and states hold nodes, so that a task which closes must cut
    /// them apart.
    fn release(&self);

    /// Writes into `copy`, a copy of the store that somebody else is going to read, what lies in the cache of what is `asked` for.
    ///
    /// # Errors
    /// When a value has no bytes, or it cannot be written.
    fn show(&self, asked: &Asked<'_>, copy: &mut Store) -> Result<(), ProcessError> {
        let _ = (asked, copy);
        Ok(())
    }

    /// What a window or session store has, seen through its cache: entries that the store has forgotten may still lie there.
    ///
    /// # Errors
    /// When the store cannot be read, or a value has no bytes.
    fn seen(&self) -> Result<Option<Vec<SeenEntry>>, ProcessError> {
        Ok(None)
    }

    /// How its record cache was used; `None` where it has none.
    fn cache_use(&self) -> Option<CacheUse> {
        None
    }
}

/// An entry of a window or session store, as bytes.
#[derive(Clone, Debug)]
pub struct SeenEntry {
    /// The key's bytes.
    pub key: Vec<u8>,
    /// Its window.
    pub window: Window,
    /// Its time; -1 where the store keeps none.
    pub timestamp: Timestamp,
    /// The value's bytes.
    pub value: Vec<u8>,
}
