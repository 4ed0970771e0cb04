//! What benches and the side-by-side contender have in common: the workloads, and a cluster in this process to run them on.
//!
//! How to run them and what was measured is in `docs/benchmarks.md`.
#![forbid(unsafe_code)]

pub mod bed;
pub mod progress;
pub mod workload;
