//! The machine's clock, in which the deadlines of real clients are.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicI64, Ordering};
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
        let now = time.read(elapsed, wall);
        #[cfg(target_os = "linux")]
        AHEAD_OF_TICKS.store(now.millis() - ticks(), Ordering::Relaxed);
        now
    }

    /// By the kernel's ticks, which cost a thirtieth of asking two clocks.
    #[cfg(target_os = "linux")]
    #[inline]
    fn coarse(&self) -> Timestamp {
        match AHEAD_OF_TICKS.load(Ordering::Relaxed) {
            UNKNOWN => self.now(),
            ahead => Timestamp::from_millis(ticks() + ahead),
        }
    }
}

#[cfg(target_os = "linux")]
const UNKNOWN: i64 = i64::MIN;
/// By how much the time was ahead of [`ticks`] when it was asked for last.
#[cfg(target_os = "linux")]
static AHEAD_OF_TICKS: AtomicI64 = AtomicI64::new(UNKNOWN);

/// Milliseconds that have gone by for the kernel, as of its last tick.
#[cfg(target_os = "linux")]
#[inline]
fn ticks() -> i64 {
    let ticks = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    ticks.tv_sec * 1_000 + ticks.tv_nsec / 1_000_000
}

/// Time that goes on while the process is frozen and the machine suspended, whatever the machine's time is set to. Elsewhere than on
/// Linux it is that of [`SystemClock`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SinceBoot;

impl Clock for SinceBoot {
    #[cfg(target_os = "linux")]
    fn now(&self) -> Timestamp {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Timestamp::from_millis(since_boot.tv_sec * 1_000 + since_boot.tv_nsec / 1_000_000)
    }

    #[cfg(not(target_os = "linux"))]
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// No wait is longer.
const LONGEST: Duration = Duration::from_hours(24);

/// How long there is still to wait until `until`.
pub(crate) fn remaining(until: Deadline) -> Duration {
    until.remaining(SystemClock.now()).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use headwater_record::Clock;

    use super::SystemClock;

    #[test]
    fn the_coarse_time_is_not_far_from_the_time() {
        let differ = |_| (SystemClock.coarse().millis() - SystemClock.now().millis()).abs();
        let least = (0..100).map(differ).min();
        assert!(least.is_some_and(|least| least <= 100), "{least:?} ms apart");
    }
}
