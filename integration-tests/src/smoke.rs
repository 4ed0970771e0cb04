//! Kafka's smoke test (`SmokeTestClient`, `SmokeTestDriver`), rebuilt: the same topology, the same numbers, the same checks.

pub mod client;
pub mod driver;
