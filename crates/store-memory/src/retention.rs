//! What a store that forgets still has.

use std::time::Duration;

use headwater_record::Timestamp;
use headwater_store::history::HistoryTime;

/// When a store forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgets {
    /// Each entry at its time (Java's stores in memory).
    AtOnce,
    /// Whole segments, so that entries are there for a while after their retention (Java's stores on disk).
    BySegments {
        /// How long a segment is.
        interval: Duration,
        /// Whether the last millisecond past the retention is read too.
        reads_edge: bool,
    },
}

/// The store's time, and how far behind it entries are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    time: HistoryTime,
    forgets: Forgets,
}

impl Retention {
    pub(crate) fn new(retention: Duration, forgets: Forgets) -> Self {
        let interval = match forgets {
            Forgets::AtOnce => Duration::from_millis(1),
            Forgets::BySegments { interval, .. } => interval,
        };
        Retention { time: HistoryTime::new(retention, interval, Timestamp::UNKNOWN), forgets }
    }

    /// Whether it is that of a store on disk.
    pub(crate) fn is_by_segments(&self) -> bool {
        matches!(self.forgets, Forgets::BySegments { .. })
    }

    /// The latest time seen.
    pub(crate) fn observed(&self) -> Timestamp {
        self.time.observed()
    }

    /// Takes note of a write at `time`; whether it is in time.
    pub(crate) fn observe(&mut self, time: i64) -> bool {
        self.time.observe(Timestamp::from_millis(time));
        time >= self.forgotten_before()
    }

    /// The earliest time whose entries are read.
    pub(crate) fn oldest(&self) -> i64 {
        let edge = self.time.horizon().millis();
        match self.forgets {
            Forgets::BySegments { reads_edge: true, .. } => edge,
            Forgets::BySegments { .. } | Forgets::AtOnce => edge.saturating_add(1),
        }
    }

    /// Entries of an earlier time are gone.
    pub(crate) fn forgotten_before(&self) -> i64 {
        match self.forgets {
            Forgets::AtOnce => self.oldest(),
            Forgets::BySegments { .. } => self.time.start_of(self.time.oldest_segment()).millis(),
        }
    }
}
