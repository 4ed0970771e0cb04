//! The machine's clock.
#![allow(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]

use std::time::{SystemTime, UNIX_EPOCH};

use headwater_record::{Clock, Timestamp};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
