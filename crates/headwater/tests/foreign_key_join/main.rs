//! Joins by a foreign key: against brute force, on applications whose tasks move, and what serdes are told.
#![cfg(test)]

mod application;
mod messages;
mod model;
mod properties;
mod topics;
