//! The machine's clock, in which the deadlines of real clients are.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use headwater_record::{Clock, Deadline, Steady, Timestamp};

/// The machine's clock. It never goes back, whatever the machine's time is set to: see [`Steady`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "a real cluster lives in real time")]
    fn now(&self) -> Timestamp {
        static LAST: Mutex<Option<(Instant, Steady)>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let instant = Instant::now();
        let (before, time) = last.get_or_insert((instant, Steady::at(wall)));
        let elapsed = instant.saturating_duration_since(*before);
        *before = instant;
        time.read(elapsed, wall)
    }
}

/// No wait is longer.
const LONGEST: Duration = Duration::from_hours(24);

/// How long there is still to wait until `until`.
pub(crate) fn remaining(until: Deadline) -> Duration {
    until.remaining(SystemClock.now()).min(LONGEST)
}
