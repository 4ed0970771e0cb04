//! When to commit.

use std::time::Duration;

use headwater_record::Timestamp;

/// How often it is said that commits take long.
const BETWEEN_WARNINGS: Duration = Duration::from_mins(1);

/// When a thread commits next: an interval after the end of the last commit, so that one which takes long leaves as much time for
/// records as any other.
#[derive(Debug)]
pub(crate) struct Schedule {
    interval: Duration,
    /// When the last commit ended.
    last: Timestamp,
    /// No attempt before this time: the last one failed.
    not_before: Timestamp,
    /// Since when attempts fail.
    trouble_since: Option<Timestamp>,
    warned: Option<Timestamp>,
}

impl Schedule {
    pub(crate) fn new(interval: Duration, now: Timestamp) -> Self {
        Schedule { interval, last: now, not_before: now, trouble_since: None, warned: None }
    }

    /// When the interval is over.
    pub(crate) fn due(&self) -> Timestamp {
        self.last.plus(self.interval).max(self.not_before)
    }

    /// Whether the interval is over. A commit that somebody `requested` does not wait for it.
    pub(crate) fn is_due(&self, now: Timestamp, requested: bool) -> bool {
        now >= if requested { self.not_before } else { self.due() }
    }

    /// A commit has succeeded. Gives how long it took where somebody should hear of that: longer than the interval.
    pub(crate) fn succeeded(&mut self, began: Timestamp, ended: Timestamp) -> Option<Duration> {
        self.last = ended;
        self.trouble_since = None;
        let took = ended.since(began);
        let warns = took > self.interval
            && !self.interval.is_zero()
            && self.warned.is_none_or(|at| ended.since(at) >= BETWEEN_WARNINGS);
        warns.then(|| {
            self.warned = Some(ended);
            took
        })
    }

    /// Tries no more before `then`.
    pub(crate) fn put_off(&mut self, then: Timestamp) {
        self.not_before = then;
    }

    /// An attempt has failed. Gives for how long they have.
    pub(crate) fn failed(&mut self, now: Timestamp) -> Duration {
        now.since(*self.trouble_since.get_or_insert(now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_record::Timestamp;

    use super::Schedule;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn schedule(interval: u64) -> Schedule {
        Schedule::new(Duration::from_millis(interval), at(1_000))
    }

    #[test]
    fn the_interval_begins_at_the_end_of_a_commit() {
        let mut commits = schedule(100);
        assert!(!commits.is_due(at(1_099), false));
        assert!(commits.is_due(at(1_100), false));
        commits.succeeded(at(1_100), at(1_900));
        assert_eq!(commits.due(), at(2_000));
        assert!(commits.is_due(at(1_900), true), "a commit on request does not wait");
    }

    #[test]
    fn after_a_failure_nobody_is_served_before_the_pause_is_over() {
        let mut commits = schedule(100);
        assert_eq!(commits.failed(at(1_100)), Duration::ZERO);
        commits.put_off(at(1_300));
        assert_eq!(commits.due(), at(1_300));
        assert!(!commits.is_due(at(1_299), true));
        assert_eq!(commits.failed(at(1_400)), Duration::from_millis(300), "since the first failure");
        commits.succeeded(at(1_500), at(1_500));
        assert_eq!(commits.failed(at(1_700)), Duration::ZERO);
    }

    #[test]
    fn commits_longer_than_their_interval_are_told_once_a_minute() {
        let mut commits = schedule(200);
        assert_eq!(commits.succeeded(at(1_200), at(1_400)), None, "as long as the interval is not longer");
        assert_eq!(commits.succeeded(at(1_600), at(1_801)), Some(Duration::from_millis(201)));
        assert_eq!(commits.succeeded(at(2_000), at(3_000)), None);
        assert_eq!(commits.succeeded(at(61_000), at(61_801)), Some(Duration::from_millis(801)));
        assert_eq!(schedule(0).succeeded(at(1_000), at(9_000)), None, "who wants no interval has none to exceed");
    }
}
