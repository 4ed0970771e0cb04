//! How long a turn processes, how many records of a task at once, and whose turn it is.

use std::time::Duration;

use headwater_topology::TaskId;

/// The group, commits and other tasks wait for a turn.
pub(super) const LONG: Duration = Duration::from_millis(200);
const SHORT: Duration = Duration::from_millis(50);
const MOST: usize = 1_000;

/// Records per task and turn: one at first, and more as long as turns stay short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    limit: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { limit: 1 }
    }
}

impl Pace {
    /// How many now.
    pub(super) fn limit(self) -> usize {
        self.limit
    }

    /// So long it took, all tasks together, until they had as many as they may or `ended_early`. What else a turn does says nothing
    /// about records.
    pub(super) fn took(&mut self, time: Duration, ended_early: bool) {
        if time >= LONG {
            self.limit = (self.limit / 2).max(1);
        } else if time < SHORT && !ended_early {
            self.limit = (self.limit * 2).min(MOST);
        }
    }
}

/// Whose turn it is where not all have theirs: those come first who have waited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rotation {
    last: Option<TaskId>,
}

impl Rotation {
    /// The tasks in the order of their turns.
    pub(super) fn order(self, tasks: impl Iterator<Item = TaskId>) -> Vec<TaskId> {
        let (before, mut order): (Vec<_>, Vec<_>) = tasks.partition(|task| Some(*task) <= self.last);
        order.extend(before);
        order
    }

    /// `task` had its turn, and those behind it had none.
    pub(super) fn stopped_at(&mut self, task: TaskId) {
        self.last = Some(task);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_topology::TaskId;

    use super::{Pace, Rotation};

    #[test]
    fn slow_records_are_taken_one_by_one_and_quick_ones_by_the_thousand() {
        let mut pace = Pace::default();
        let mut turns = |millis: u64, ended_early: bool| {
            (0..20).for_each(|_| pace.took(Duration::from_millis(millis), ended_early));
            pace.limit()
        };
        assert_eq!(turns(1_000, true), 1);
        assert_eq!(turns(1, false), 1_000);
        assert_eq!(turns(100, false), 1_000, "a turn of 100 ms is fine as it is");
        assert_eq!(turns(200, true), 1);
        assert_eq!(turns(10, true), 1, "a turn that a commit cuts short shows nothing");
    }

    #[test]
    fn who_had_no_turn_comes_first() {
        let tasks = [0, 1, 2, 3].map(|partition| TaskId::new(0, partition));
        let mut rotation = Rotation::default();
        assert_eq!(rotation.order(tasks.into_iter()), tasks);
        rotation.stopped_at(tasks[1]);
        assert_eq!(rotation.order(tasks.into_iter()), [tasks[2], tasks[3], tasks[0], tasks[1]]);
        rotation.stopped_at(tasks[3]);
        assert_eq!(rotation.order(tasks.into_iter()), tasks);
        assert_eq!(rotation.order(tasks.into_iter().take(2)), [tasks[0], tasks[1]], "the last one is gone");
    }
}
