//! Suppression: against models, and across restarts.
#![cfg(test)]

mod finals;
mod model;
mod properties;
mod restart;
