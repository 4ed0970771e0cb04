//! Windows that slide along with the records.

use std::time::Duration;

use headwater_record::Timestamp;

use crate::{Window, WindowError, duration, millis};

/// Windows that contain records at most so far apart (Java's `SlidingWindows`); both ends belong to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindows {
    difference_ms: i64,
    grace_ms: i64,
}

impl SlidingWindows {
    /// Windows of records at most `difference` apart; late ones are dropped.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Windows of records at most `difference` apart; records are taken until `grace` after the end of their window.
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        SlidingWindows { difference_ms: millis(difference), grace_ms: millis(grace) }
    }

    /// How far apart records of a window may be.
    pub fn time_difference(&self) -> Duration {
        duration(self.difference_ms)
    }

    /// How long after its end a window takes records.
    pub fn grace(&self) -> Duration {
        duration(self.grace_ms)
    }

    /// How long a store must keep windows: twice the difference, and the grace.
    pub fn retention(&self) -> Duration {
        duration(self.difference_ms.saturating_mul(2).saturating_add(self.grace_ms))
    }

    /// Whether the windows can be used: always.
    ///
    /// # Errors
    /// None; the other windows have some.
    pub fn validate(&self) -> Result<(), WindowError> {
        Ok(())
    }

    /// The window that starts at `start`.
    pub fn window_from(&self, start: Timestamp) -> Window {
        Window::of_size(start, self.difference_ms)
    }

    /// Whether a record at `timestamp` is too late for every window it could be in.
    pub fn is_late(&self, timestamp: Timestamp, stream_time: Timestamp) -> bool {
        self.is_closed(self.window_from(timestamp), stream_time)
    }

    /// Whether `window` takes no more records at `stream_time`.
    pub fn is_closed(&self, window: Window, stream_time: Timestamp) -> bool {
        window.end.millis() < stream_time.millis().saturating_sub(self.grace_ms)
    }
}
