//! Restoring and standby on a cluster in this process, with stores on a real file system.
#![cfg(test)]

mod active;
mod disk_store;
mod failures;
mod standby;
mod topics;
mod world;
