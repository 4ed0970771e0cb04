//! What benches have in common.
#![forbid(unsafe_code)]
