//! How far apart records may be to join.

use std::fmt;
use std::time::Duration;

use headwater_record::Timestamp;

use crate::{WindowError, duration, millis};

/// How far apart two records may be to join (Java's `JoinWindows`): the other one's timestamp lies from `before` before this
/// one's to `after` after it, both included. Seen from the other side before and after change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub struct JoinWindows {
    before_ms: i64,
    after_ms: i64,
    grace_ms: i64,
}

impl JoinWindows {
    /// Records at most `difference` apart; without grace.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Records at most `difference` apart; records that found no partner are given up `grace` after the end of their window.
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference_ms = millis(difference);
        JoinWindows { before_ms: difference_ms, after_ms: difference_ms, grace_ms: millis(grace) }
    }

    /// The other record is at most `before` earlier.
    #[must_use]
    pub fn before(self, before: Duration) -> Self {
        self.before_millis(millis(before))
    }

    /// The other record is at most `after` later.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        self.after_millis(millis(after))
    }

    /// As [`JoinWindows::before`]; with a negative number the other record is later by at least that much.
    #[must_use]
    pub fn before_millis(self, before_ms: i64) -> Self {
        JoinWindows { before_ms, ..self }
    }

    /// As [`JoinWindows::after`]; with a negative number the other record is earlier by at least that much.
    #[must_use]
    pub fn after_millis(self, after_ms: i64) -> Self {
        JoinWindows { after_ms, ..self }
    }

    /// How much earlier the other record may be; may be negative.
    pub fn before_ms(&self) -> i64 {
        self.before_ms
    }

    /// How much later the other record may be; may be negative.
    pub fn after_ms(&self) -> i64 {
        self.after_ms
    }

    /// How long after the end of its window a record waits for a partner.
    pub fn grace(&self) -> Duration {
        duration(self.grace_ms)
    }

    /// Before and after together.
    pub fn size(&self) -> Duration {
        duration(self.before_ms.saturating_add(self.after_ms))
    }

    /// How long a store must keep records: size and grace.
    pub fn retention(&self) -> Duration {
        duration(self.before_ms.saturating_add(self.after_ms).saturating_add(self.grace_ms))
    }

    /// Whether the windows can be used.
    ///
    /// # Errors
    /// [`WindowError::NegativeInterval`].
    pub fn validate(&self) -> Result<(), WindowError> {
        if self.before_ms.saturating_add(self.after_ms) < 0 { Err(WindowError::NegativeInterval) } else { Ok(()) }
    }

    /// The times at which a partner of a record at `timestamp` may be, both included; times before 0 are cut off.
    pub fn reach(&self, timestamp: Timestamp) -> (Timestamp, Timestamp) {
        let millis = timestamp.millis();
        (
            Timestamp::from_millis(millis.saturating_sub(self.before_ms).max(0)),
            Timestamp::from_millis(millis.saturating_add(self.after_ms).max(0)),
        )
    }

    /// The same windows seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        JoinWindows { before_ms: self.after_ms, after_ms: self.before_ms, ..self }
    }
}

/// As Java's `toString` has it.
impl fmt::Display for JoinWindows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JoinWindows { before_ms, after_ms, grace_ms } = self;
        write!(f, "JoinWindows{{beforeMs={before_ms}, afterMs={after_ms}, graceMs={grace_ms}}}")
    }
}
