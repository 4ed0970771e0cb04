//! A clock that stands still until it is told to move.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use headwater_record::{Clock, Timestamp};

/// Virtual time: it passes when a test or a simulation says so, and clones share it.
///
/// ```
/// use std::time::Duration;
/// use headwater::memory::ManualClock;
/// use headwater::record::{Clock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now(), Timestamp::from_millis(3_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    millis: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        ManualClock { millis: Arc::new(AtomicI64::new(now.millis())) }
    }

    /// Shows `now` from here on. Going back is allowed, but Kafka's time-outs do not expect it.
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.millis(), Ordering::SeqCst);
    }

    /// Goes on by `duration`, in whole milliseconds.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().plus(duration));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }
}
