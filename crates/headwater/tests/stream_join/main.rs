//! Joins of streams: against a model, across restarts, and while tasks move.
#![cfg(test)]

mod model;
mod moving;
mod properties;
mod restart;
mod stores;
mod world;
