//! Whole applications on a cluster in this process: driven by hand under a virtual clock, and on threads of their own.
#![cfg(test)]

mod chaos;
mod closing;
mod disk;
#[path = "../changelog/disk_store.rs"]
mod disk_store;
mod exactly_once;
mod failures;
mod graph;
mod health;
mod hosts;
mod metrics;
mod offsets;
mod output;
mod own_store;
mod pace;
mod panics;
mod partition_queries;
mod placing;
mod queries;
mod rebalances;
mod recorder;
mod settings;
mod sight;
mod standbys;
mod threads;
mod topologies;
mod world;
mod zombies;
