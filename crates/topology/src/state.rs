//! Typed stores of a running task: serdes, changelog and record cache around the bytes.
//!
//! A state is shared by the nodes that use its store (`Rc`); nothing of it leaves the task's thread. Every read and write is
//! handed the [`TaskContext`](crate::TaskContext), which knows the record, logs changes and leads evicted entries on.

mod handle;
mod key_value;

use headwater_record::Timestamp;

use crate::{ProcessError, TaskContext};

pub use self::handle::{FlushTo, StoreHandle};
pub use self::key_value::KeyValueState;

/// A value with its event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped<V> {
    /// The value.
    pub value: V,
    /// Its event time; -1 where the store keeps none.
    pub timestamp: Timestamp,
}

/// A state whose writes may lie in a record cache.
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
}
