//! Windows of activity.

use std::time::Duration;

use headwater_record::Timestamp;

use crate::{Window, WindowError, duration, millis};

/// Windows of activity, apart from each other by more than a gap (Java's `SessionWindows`); both ends belong to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    gap_ms: i64,
    grace_ms: i64,
}

impl SessionWindows {
    /// Sessions that end after `gap` without a record; late records are dropped.
    pub fn of_inactivity_gap_with_no_grace(gap: Duration) -> Self {
        Self::of_inactivity_gap_and_grace(gap, Duration::ZERO)
    }

    /// Sessions that end after `gap` without a record; records are taken until `grace` after that.
    pub fn of_inactivity_gap_and_grace(gap: Duration, grace: Duration) -> Self {
        SessionWindows { gap_ms: millis(gap), grace_ms: millis(grace) }
    }

    /// The time without records that ends a session.
    pub fn inactivity_gap(&self) -> Duration {
        duration(self.gap_ms)
    }

    /// How long after the gap a session takes records.
    pub fn grace(&self) -> Duration {
        duration(self.grace_ms)
    }

    /// How long a store must keep sessions: gap and grace.
    pub fn retention(&self) -> Duration {
        duration(self.gap_ms.saturating_add(self.grace_ms))
    }

    /// Whether the windows can be used: always. Without a gap, records of the same timestamp make a session.
    ///
    /// # Errors
    /// None; the other windows have some.
    pub fn validate(&self) -> Result<(), WindowError> {
        Ok(())
    }

    /// What a record at `timestamp` merges with: sessions that end at the first time or later and start at the second or earlier.
    pub fn reach(&self, timestamp: Timestamp) -> (Timestamp, Timestamp) {
        let millis = timestamp.millis();
        (
            Timestamp::from_millis(millis.saturating_sub(self.gap_ms)),
            Timestamp::from_millis(millis.saturating_add(self.gap_ms)),
        )
    }

    /// Whether a session, merged with a record, is too late at `stream_time`.
    pub fn is_closed(&self, session: Window, stream_time: Timestamp) -> bool {
        let close = stream_time.millis().saturating_sub(self.grace_ms).saturating_sub(self.gap_ms);
        session.end.millis() < close
    }
}
