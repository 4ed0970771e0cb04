//! A question to the cluster that is asked again and again, at a measured pace.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_record::Timestamp;

/// Whether it may be asked now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inquiry {
    pause: Duration,
    longest_pause: Duration,
    under_way: bool,
    not_before: Timestamp,
    failures: u32,
}

impl Inquiry {
    /// Asked at most each `pause`, which doubles with each failure up to the longest.
    pub(super) fn new(pause: Duration, longest_pause: Duration) -> Self {
        Inquiry { pause, longest_pause, under_way: false, not_before: Timestamp::ZERO, failures: 0 }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// When it may be asked again.
    pub(super) fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Whether it is to be asked now.
    pub(super) fn begin(&mut self, now: Timestamp) -> bool {
        let may = !self.under_way && now >= self.not_before;
        self.under_way |= may;
        may
    }

    pub(super) fn succeeded(&mut self, now: Timestamp) {
        self.under_way = false;
        self.failures = 0;
        self.not_before = now.plus(self.pause);
    }

    /// Returns whether it is the first failure since a success.
    pub(super) fn failed(&mut self, now: Timestamp) -> bool {
        self.under_way = false;
        let doubled = self.pause.saturating_mul(1 << self.failures.min(16));
        self.not_before = now.plus(doubled.min(self.longest_pause));
        self.failures += 1;
        self.failures == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_one_at_a_time_and_less_often_while_it_fails() {
        let at = Timestamp::from_millis;
        let mut inquiry = Inquiry::new(Duration::from_millis(100), Duration::from_millis(300));
        assert!(inquiry.begin(at(5)));
        assert!(!inquiry.begin(at(5)), "it is under way");
        assert!(inquiry.failed(at(10)));
        for (failed_at, next) in [(110, 310), (310, 610), (610, 910)] {
            assert!(!inquiry.begin(at(failed_at - 1)));
            assert!(inquiry.begin(at(failed_at)));
            assert!(!inquiry.failed(at(failed_at)));
            assert_eq!(inquiry.not_before(), at(next));
        }
        assert!(inquiry.begin(at(910)));
        inquiry.succeeded(at(920));
        assert_eq!(inquiry.not_before(), at(1_020));
        assert!(inquiry.begin(at(1_020)));
        assert!(inquiry.failed(at(1_030)), "the first since a success");
    }
}
