//! Settings of reading, by the names of Java's `ConsumerConfig`.

use std::time::Duration;

use headwater_client::{ClientConfig, ClientError};

use crate::config::{Servers, flag, millis, number};
use crate::connection::FRAME_LIMIT;

/// An answer may go beyond this by one batch, and must stay below the longest frame.
const MOST_BYTES: i32 = (FRAME_LIMIT / 2) as i32;

pub(crate) const FOLLOWED: [&str; 15] = [
    "bootstrap.servers",
    "check.crcs",
    "client.id",
    "client.rack",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "isolation.level",
    "max.partition.fetch.bytes",
    "metadata.max.age.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
];

/// What the fetcher asks for, and how.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) servers: Servers,
    /// `fetch.min.bytes`: a broker answers when it has so much.
    pub(super) min_bytes: i32,
    /// `fetch.max.wait.ms`: or after this time.
    pub(super) max_wait: Duration,
    /// `fetch.max.bytes`, of one answer; at most half a gibibyte.
    pub(super) max_bytes: i32,
    /// `max.partition.fetch.bytes`, of one partition in it.
    pub(super) partition_bytes: i32,
    /// `isolation.level=read_committed`.
    pub(super) committed_only: bool,
    /// `check.crcs`.
    pub(super) check_crcs: bool,
    /// `client.rack`: replicas that are near are read from, where the brokers choose so (KIP-392).
    pub(super) rack: String,
    /// `metadata.max.age.ms`.
    pub(super) metadata_max_age: Duration,
    /// `retry.backoff.max.ms`.
    pub(super) most_backoff: Duration,
}

impl Settings {
    /// # Errors
    /// [`ClientError::Config`] for values that cannot be.
    pub(super) fn of(config: &ClientConfig) -> Result<Self, ClientError> {
        let committed_only = match config.value("isolation.level").map(str::trim) {
            None | Some("read_uncommitted") => false,
            Some("read_committed") => true,
            Some(other) => {
                return Err(ClientError::Config(format!(
                    "isolation.level: {other:?} is neither read_uncommitted nor read_committed"
                )));
            }
        };
        Ok(Settings {
            servers: Servers::of(config, "headwater-consumer")?,
            min_bytes: number(config, "fetch.min.bytes", 1)?,
            max_wait: millis(config, "fetch.max.wait.ms", 500)?,
            max_bytes: number(config, "fetch.max.bytes", 50 << 20)?.min(MOST_BYTES),
            partition_bytes: number(config, "max.partition.fetch.bytes", 1 << 20)?,
            committed_only,
            check_crcs: flag(config, "check.crcs", true)?,
            rack: config.value("client.rack").unwrap_or_default().to_owned(),
            metadata_max_age: millis(config, "metadata.max.age.ms", 300_000)?,
            most_backoff: millis(config, "retry.backoff.max.ms", 1_000)?,
        })
    }

    /// How long to wait after so many failures before this one.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        let least = self.servers.retry_backoff;
        least.saturating_mul(1 << failures.min(10)).min(self.most_backoff.max(least))
    }
}
