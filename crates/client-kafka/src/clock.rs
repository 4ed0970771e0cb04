//! The machine's clock, in which the deadlines of real clients are.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater_record::{Clock, Deadline, Timestamp};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "a real cluster lives in real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// No wait is longer.
const LONGEST: Duration = Duration::from_hours(24);

/// How long there is still to wait until `until`.
pub(crate) fn remaining(until: Deadline) -> Duration {
    until.remaining(SystemClock.now()).min(LONGEST)
}
