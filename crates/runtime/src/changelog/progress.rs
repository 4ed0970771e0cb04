//! How far the stores of tasks are.

use headwater_record::{Offset, TopicPartition};
use headwater_topology::StoreId;

/// How far a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreProgress {
    /// Which store.
    pub store: StoreId,
    /// Its name.
    pub name: String,
    /// Its changelog.
    pub changelog: TopicPartition,
    /// The next record to apply; `None` while the changelog was not asked for yet.
    pub position: Option<Offset>,
    /// The next record that those who read the store from elsewhere do not see yet: it is committed as far as that.
    pub committed: Option<Offset>,
    /// Where it is complete (active tasks), or where the changelog ended when last heard of (standbys).
    pub end: Option<Offset>,
    /// How many records were applied.
    pub applied: u64,
}

impl StoreProgress {
    /// How many offsets lie between here and the end; `None` while that is not known.
    pub fn remaining(&self) -> Option<u64> {
        let distance = self.end?.value().saturating_sub(self.position?.value());
        Some(u64::try_from(distance).unwrap_or(0))
    }
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskProgress {
    /// Whether it is an active task that is being restored, not a standby.
    pub active: bool,
    /// Its stores that have a changelog.
    pub stores: Vec<StoreProgress>,
    /// The offsets that the stores contain, added up, as members tell their group.
    pub offset_sum: i64,
}

impl TaskProgress {
    /// How many offsets lie between the stores and their ends; `None` while that is not known of all.
    pub fn remaining(&self) -> Option<u64> {
        self.stores.iter().map(StoreProgress::remaining).sum()
    }
}
