//! Who wants to know how restoring and following go on (Java's `StateRestoreListener` and `StandbyUpdateListener`).

use headwater_record::{Offset, TopicPartition};
use headwater_topology::TaskId;

/// Hears about the restoration of active tasks' stores. It is called in the thread that restores, and must not take long.
pub trait RestoreListener: Send + Sync + std::fmt::Debug {
    /// The store will be restored from the records at `from` up to, and without, `to`.
    fn on_start(&self, changelog: &TopicPartition, store: &str, from: Offset, to: Offset) {
        let _ = (changelog, store, from, to);
    }

    /// So many `records` were applied, the last of them at `batch_end`.
    fn on_batch(&self, changelog: &TopicPartition, store: &str, batch_end: Offset, records: u64) {
        let _ = (changelog, store, batch_end, records);
    }

    /// The store is complete; `total` records were applied.
    fn on_end(&self, changelog: &TopicPartition, store: &str, total: u64) {
        let _ = (changelog, store, total);
    }

    /// The task was taken away, or failed, before the store was complete; `total` records were applied.
    fn on_suspended(&self, changelog: &TopicPartition, store: &str, total: u64) {
        let _ = (changelog, store, total);
    }
}

/// Why a standby follows no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandbyEnd {
    /// It becomes an active task here.
    Promoted,
    /// It goes elsewhere, or failed.
    Migrated,
}

/// Hears about the stores of standbys. It is called in the thread that restores, and must not take long.
pub trait StandbyUpdateListener: Send + Sync + std::fmt::Debug {
    /// The store follows its changelog from `from` on.
    fn on_start(&self, changelog: &TopicPartition, store: &str, from: Offset) {
        let _ = (changelog, store, from);
    }

    /// So many `records` were applied, the last of them at `batch_end`; the changelog `ends` there, as far as was heard.
    fn on_batch(
        &self,
        changelog: &TopicPartition,
        store: &str,
        task: TaskId,
        batch_end: Offset,
        records: u64,
        ends: Option<Offset>,
    ) {
        let _ = (changelog, store, task, batch_end, records, ends);
    }

    /// The store follows no longer; `next` would be the next record.
    fn on_suspended(
        &self,
        changelog: &TopicPartition,
        store: &str,
        next: Offset,
        ends: Option<Offset>,
        why: StandbyEnd,
    ) {
        let _ = (changelog, store, next, ends, why);
    }
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl RestoreListener for Silent {}

impl StandbyUpdateListener for Silent {}
