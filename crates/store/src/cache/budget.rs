//! What the record caches of a thread may hold, what their entries weigh, and how they are used.

use std::cell::Cell;

use crate::RecordContext;

/// How many bytes the record caches of a thread may hold together (`statestore.cache.max.bytes` divided by the threads).
#[derive(Debug)]
pub struct Budget {
    max: usize,
    used: Cell<usize>,
}

impl Budget {
    /// At most `max` bytes.
    pub fn new(max: usize) -> Self {
        Budget { max, used: Cell::new(0) }
    }

    /// The most there may be.
    pub fn max(&self) -> usize {
        self.max
    }

    /// What all caches hold now.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Whether caches hold more than they may.
    #[inline]
    pub fn is_exceeded(&self) -> bool {
        self.used.get() > self.max
    }

    /// A cache that held `before` holds `now`.
    #[inline]
    pub(super) fn changes(&self, before: usize, now: usize) {
        self.used.set(self.used.get() + now - before);
    }
}

/// How a record cache is used, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Entries that are there now.
    pub entries: usize,
    /// How often what was looked for was there (of `hits + misses`, Java's `hit-ratio`).
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
}

/// What an entry weighs: Java's `LRUNode#size`.
pub fn entry_bytes(key: usize, value: usize, context: Option<&RecordContext>) -> usize {
    const NODE: usize = 24;
    const DIRTY: usize = 1;
    // An entry that was only read has a context too, an empty one.
    const EMPTY_CONTEXT: usize = 8 + 8 + 4;
    key + NODE + DIRTY + value + context.map_or(EMPTY_CONTEXT, RecordContext::weight)
}
