//! What an application shows of itself: counts of nodes, caches and joins, why nothing was handed on, and all that on threads with
//! RocksDB while tasks move.
#![cfg(test)]

mod explained;
mod moving;
mod summary;
mod waiting;
mod world;
