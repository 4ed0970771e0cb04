//! What a store that forgets still has.

use std::time::Duration;

use headwater_record::Timestamp;

/// The store's time, and how far behind it entries are kept.
#[derive(Debug)]
pub(crate) struct Retention {
    observed: i64,
    retention_ms: i64,
}

impl Retention {
    pub(crate) fn new(retention: Duration) -> Self {
        Retention { observed: -1, retention_ms: i64::try_from(retention.as_millis()).unwrap_or(i64::MAX) }
    }

    /// The latest time seen.
    pub(crate) fn observed(&self) -> Timestamp {
        Timestamp::from_millis(self.observed)
    }

    /// Takes note of a write at `time`; whether it is in time.
    pub(crate) fn observe(&mut self, time: i64) -> bool {
        self.observed = self.observed.max(time);
        time >= self.oldest()
    }

    /// The earliest time of which there may be entries.
    pub(crate) fn oldest(&self) -> i64 {
        self.observed.saturating_sub(self.retention_ms).saturating_add(1)
    }
}
