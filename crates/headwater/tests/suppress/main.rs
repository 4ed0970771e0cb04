//! Suppression: against models, across restarts, and what is told of it.
#![cfg(test)]

mod finals;
mod metrics;
mod model;
mod properties;
mod restart;
