//! When the files of a store are put together: soon in daily work, late while much of it is restored.
//!
//! Each time files are put together their rows are written again. Of a store that is restored as a whole nobody reads before the end,
//! so that it is enough to do it once, then.

use crate::bulk::MUCH_BYTES;

type Settings = &'static [(&'static str, &'static str)];

/// RocksDB's own choice.
const SOON: Settings = &[
    ("level0_file_num_compaction_trigger", "4"),
    ("level0_slowdown_writes_trigger", "20"),
    ("level0_stop_writes_trigger", "36"),
];
/// Reads that do come meanwhile look into so many files at most.
const LATE: Settings = &[
    ("level0_file_num_compaction_trigger", "20"),
    ("level0_slowdown_writes_trigger", "40"),
    ("level0_stop_writes_trigger", "60"),
];

/// How it is with one store.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Whether something was restored since the last commit.
    restored: bool,
    is_late: bool,
}

impl Pace {
    pub(crate) fn restored(&mut self) {
        self.restored = true;
    }

    pub(crate) fn is_late(&self) -> bool {
        self.is_late
    }

    /// What is to be set before a commit of so many `bytes`, if it is not set already. A first commit without anything restored ends it.
    pub(crate) fn before_commit(&mut self, bytes: usize) -> Option<Settings> {
        let is_late = std::mem::take(&mut self.restored) && (self.is_late || bytes >= MUCH_BYTES);
        let changes = is_late != self.is_late;
        self.is_late = is_late;
        changes.then_some(if is_late { LATE } else { SOON })
    }
}

#[cfg(test)]
mod tests {
    use super::{LATE, MUCH_BYTES, Pace, SOON};

    #[test]
    fn files_wait_while_much_is_restored_and_until_something_else_is_written() {
        let mut pace = Pace::default();
        assert_eq!(pace.before_commit(MUCH_BYTES), None, "a task that processes much");
        pace.restored();
        assert_eq!(pace.before_commit(MUCH_BYTES - 1), None, "a little was restored");
        pace.restored();
        assert_eq!(pace.before_commit(MUCH_BYTES), Some(LATE));
        pace.restored();
        assert_eq!(pace.before_commit(1), None, "the rest of it");
        assert_eq!(pace.before_commit(1), Some(SOON));
        assert_eq!(pace.before_commit(MUCH_BYTES), None);
    }
}
