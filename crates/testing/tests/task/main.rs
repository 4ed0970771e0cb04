//! Tasks and the test driver on the in-process cluster: real graphs, real stores, virtual time.
#![cfg(test)]

mod cached;
mod commit;
mod driver;
mod graph;
mod output;
mod queues;
mod restart;
mod spec;
mod world;
