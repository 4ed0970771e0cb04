//! What proofs across crates have in common: a real broker that may be there, a cluster of three that comes and goes,
//! programs that are started and ended, and input that is known.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "programs and a real broker live in real time")]
#![allow(clippy::missing_errors_doc, reason = "whatever fails here fails a test, with its own text")]

pub mod broker;
pub mod cluster;
pub mod dice;
pub mod fleet;
pub mod instance;
pub mod kill;
pub mod lines;
pub mod log;
pub mod program;
pub mod smoke;
pub mod torn;
pub mod traffic;
