//! What the record caches of a thread hold together.

use std::cell::Cell;

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
