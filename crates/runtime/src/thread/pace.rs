//! How many records a task may process before the thread looks after everything else.

use std::time::Duration;

const MOST: usize = 1_000;
/// A turn that takes longer is too long: the group and commits wait for it.
const LONG: Duration = Duration::from_millis(200);
const SHORT: Duration = Duration::from_millis(50);

/// Records per task and turn: few when records are slow, so that a turn stays short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    limit: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { limit: MOST / 10 }
    }
}

impl Pace {
    /// How many now.
    pub(super) fn limit(self) -> usize {
        self.limit
    }

    /// So many took so long. What else a turn does says nothing about records.
    pub(super) fn took(&mut self, time: Duration) {
        if time > LONG {
            self.limit = (self.limit / 2).max(1);
        } else if time < SHORT {
            self.limit = (self.limit * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn slow_records_are_taken_one_by_one_and_quick_ones_by_the_thousand() {
        let mut pace = Pace::default();
        let mut turns = |millis: u64| {
            (0..20).for_each(|_| pace.took(Duration::from_millis(millis)));
            pace.limit()
        };
        assert_eq!(turns(1_000), 1);
        assert_eq!(turns(1), 1_000);
        assert_eq!(turns(100), 1_000, "a turn of 100 ms is fine as it is");
    }
}
