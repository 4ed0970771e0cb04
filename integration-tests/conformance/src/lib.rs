//! Replays scenarios recorded from Java Kafka Streams and compares everything that they recorded.
//!
//! A scenario (`FORMAT.md`) is a program as data, its input, and what Java Kafka Streams did with both. [`interpret`]
//! builds the program through the public facade alone and runs it on the test driver; [`compare`] names the first
//! difference. Java itself, in [`oracle`], records new scenarios and draws random ones.
#![forbid(unsafe_code)]

pub mod compare;
pub mod differs;
pub mod expr;
pub mod interpret;
pub mod literal;
pub mod oracle;
pub mod outcome;
pub mod partitions;
pub mod random;
pub mod report;
pub mod restart;
pub mod scenario;
pub mod suite;
pub mod val;
