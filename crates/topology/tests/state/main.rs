//! Key-value states of a task, with and without record cache.

mod bench;
mod by_hand;
mod cached;
mod store;
mod uncached;
