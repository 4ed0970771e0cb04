//! Points in time, and who tells them.

use std::fmt;
use std::time::Duration;

/// A point in time: milliseconds since the Unix epoch, as in a Kafka record.
///
/// Kafka writes "no timestamp" as -1, see [`Timestamp::UNKNOWN`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Kafka's "no timestamp", -1 (`ConsumerRecord.NO_TIMESTAMP`).
    pub const UNKNOWN: Timestamp = Timestamp(-1);
    /// The earliest time, 0.
    pub const ZERO: Timestamp = Timestamp(0);
    /// The latest time there is.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From milliseconds since the Unix epoch.
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[inline]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whether this is a time at all, that is, not negative.
    #[inline]
    pub const fn is_known(self) -> bool {
        self.0 >= 0
    }

    /// Later by `duration`, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `duration`; what is before 1970 is negative.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Timestamp(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was, zero when it was not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Timestamp(millis)
    }
}

/// Until when a caller is ready to wait, in the time of its [`Clock`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// Do not wait: answer with what is there.
    pub const NOW: Deadline = Deadline(Timestamp(i64::MIN));
    /// Wait as long as it takes.
    pub const NEVER: Deadline = Deadline(Timestamp::MAX);

    /// At the time `at`.
    pub const fn at(at: Timestamp) -> Self {
        Deadline(at)
    }

    /// `duration` after `now`.
    pub fn after(now: Timestamp, duration: Duration) -> Self {
        Deadline(now.plus(duration))
    }

    /// How long there is still to wait at the time `now`: zero when it has passed.
    pub fn remaining(self, now: Timestamp) -> Duration {
        self.0.since(now)
    }

    /// Whether it has passed at the time `now`.
    pub fn passed(self, now: Timestamp) -> bool {
        now >= self.0
    }

    /// The time of this deadline.
    pub const fn time(self) -> Timestamp {
        self.0
    }
}

/// Tells the time. Nothing in headwater asks the machine for it in any other way, so that a test or a simulation owns time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now, milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;

    /// About now: it may differ from [`Clock::now`] by some milliseconds, and may be asked for each record.
    fn coarse(&self) -> Timestamp {
        self.now()
    }
}
