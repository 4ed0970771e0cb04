//! The machine's clock.
#![allow(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use headwater_record::{Clock, Steady, Timestamp};

/// The machine's clock. It never goes back, whatever the machine's time is set to: see [`Steady`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
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
