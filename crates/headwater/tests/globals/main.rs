//! Global tables and stores in running applications: driven by hand under a virtual clock, and on threads of their own.
#![cfg(test)]
#![allow(missing_docs, reason = "a test")]

#[cfg(feature = "rocksdb")]
mod disk;
mod faults;
mod filling;
mod handlers;
mod metrics;
mod threads;
mod world;
