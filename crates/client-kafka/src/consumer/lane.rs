//! One broker that is fetched from: when it may be asked, and how long it may wait for records.
//!
//! A broker answers one fetch at a time. While it waits for records of some partitions, others have to wait for it, so it waits long
//! only when it is asked for all of them.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_record::Timestamp;

/// The first wait of a broker that has nothing while other partitions of it may be wanted any moment; it doubles up to
/// `fetch.max.wait.ms`.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);
/// So long a broker is left alone after it gave records: they are mostly handed out at once, and then all partitions are asked for
/// together.
const GRACE: Duration = Duration::from_millis(2);

/// How things stand with one broker.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// A fetch is under way.
    pub(super) busy: bool,
    wait: Duration,
    not_before: Timestamp,
    /// Until when not to ask for some partitions while others may be wanted any moment.
    grace_until: Timestamp,
    failures: u32,
}

impl Lane {
    /// Whether it may be asked.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        !self.busy && now >= self.not_before
    }

    /// When it may be, where it may not yet.
    pub(super) fn ready_at(&self) -> [Timestamp; 2] {
        [self.not_before, self.grace_until]
    }

    /// How long it may wait for records, at most `longest`; `partial` when partitions are left out that may be wanted any moment.
    /// `None` when those are to be waited for.
    pub(super) fn wait(&self, now: Timestamp, partial: bool, longest: Duration) -> Option<Duration> {
        match partial {
            false => Some(longest),
            true if now < self.grace_until => None,
            true => Some(self.wait.max(SHORTEST_WAIT).min(longest)),
        }
    }

    /// Another of its partitions is wanted now.
    pub(super) fn wanted(&mut self) {
        self.wait = SHORTEST_WAIT;
    }

    /// It answered, with `records` or without, and wants to be left alone for a while.
    pub(super) fn answered(&mut self, now: Timestamp, records: bool, leave_alone: Duration, longest: Duration) {
        self.busy = false;
        self.failures = 0;
        self.not_before = now.plus(leave_alone);
        if records {
            self.wait = SHORTEST_WAIT;
            self.grace_until = now.plus(GRACE);
        } else {
            self.wait = (self.wait * 2).clamp(SHORTEST_WAIT, longest.max(SHORTEST_WAIT));
        }
    }

    /// It did not; returns how often in a row. `backoff` is how long to wait after so many failures before.
    pub(super) fn failed(&mut self, now: Timestamp, backoff: impl Fn(u32) -> Duration) -> u32 {
        self.busy = false;
        self.not_before = now.plus(backoff(self.failures));
        self.failures += 1;
        self.failures
    }
}
