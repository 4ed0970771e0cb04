//! How many records a task may process before the thread looks after everything else.

use std::time::Duration;

use headwater_record::Timestamp;

const MOST: usize = 1_000;
/// A turn that takes longer is too long: the group and commits wait for it.
const LONG: Duration = Duration::from_millis(200);
const SHORT: Duration = Duration::from_millis(50);

/// Records per task and turn: few when records are slow, so that a turn stays short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    limit: usize,
    began: Option<Timestamp>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { limit: MOST / 10, began: None }
    }
}

impl Pace {
    /// How many now. The time since the last call that was followed by [`Pace::worked`] tells how long those took.
    pub(super) fn limit(&mut self, now: Timestamp) -> usize {
        if let Some(began) = self.began.take() {
            let took = now.since(began);
            if took > LONG {
                self.limit = (self.limit / 2).max(1);
            } else if took < SHORT {
                self.limit = (self.limit * 2).min(MOST);
            }
        }
        self.limit
    }

    /// The turn that began at `now` has processed records.
    pub(super) fn worked(&mut self, now: Timestamp) {
        self.began = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use headwater_record::Timestamp;

    use super::Pace;

    #[test]
    fn slow_records_are_taken_one_by_one_and_quick_ones_by_the_thousand() {
        let mut pace = Pace::default();
        let mut now = 0;
        let mut turns = |pace: &mut Pace, millis: i64| {
            for _ in 0..20 {
                let at = Timestamp::from_millis(now);
                pace.limit(at);
                pace.worked(at);
                now += millis;
            }
            pace.limit(Timestamp::from_millis(now))
        };
        assert_eq!(turns(&mut pace, 1_000), 1);
        assert_eq!(turns(&mut pace, 1), 1_000);
        assert_eq!(turns(&mut pace, 100), 1_000, "a turn of 100 ms is fine as it is");
    }
}
