//! What each thread of this instance has, as it told last (Java's `ThreadMetadata`), and what follows from that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::{Offset, Partition, Timestamp, TopicPartition};
use headwater_store::cache::CacheUse;
use headwater_topology::{DropReason, TaskId};

use super::{CommitMetadata, NodeMetadata, Rebalance, RestoreProgress, ThreadState};
use crate::changelog::StoreProgress;

/// What a stream thread has, as of [`told`](ThreadMetadata::told) (Java's `ThreadMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadMetadata {
    /// Its number, from 1 on.
    pub number: usize,
    /// Its name, with which those of its clients begin.
    pub name: String,
    /// Where it stands.
    pub state: ThreadState,
    /// Since when.
    pub since: Timestamp,
    /// When it told this. It does so about once a second, and when its state changes: one that has not for long is busy with a
    /// record, or stuck.
    pub told: Timestamp,
    /// Its tasks.
    pub tasks: BTreeMap<TaskId, TaskMetadata>,
    /// Records that went through its tasks.
    pub processed: u64,
    /// Records that it fetched from input topics.
    pub fetched: u64,
    /// Records that lie in output topics and changelogs by its doing.
    pub sent: u64,
    /// Records that were handed to its producer and have no answer yet.
    pub under_way: u64,
    /// What it committed.
    pub commits: CommitMetadata,
    /// The last rebalances that it went through, the newest last; of those before them nothing is kept.
    pub rebalances: Vec<Rebalance>,
}

/// Whether a task processes here, or is kept up to date for when it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskRole {
    /// It processes, or is about to.
    Active,
    /// It follows the active task's changelogs.
    Standby,
    /// It is being given up.
    Leaving,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskPhase {
    /// Its stores are not open yet.
    Created,
    /// Its stores are brought up to date; those of a standby always are.
    Restoring,
    /// Its stores are here, and it is about to go on or to be closed.
    Suspended,
    /// It processes.
    Running,
}

impl fmt::Display for TaskPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TaskPhase::Created => "CREATED",
            TaskPhase::Restoring => "RESTORING",
            TaskPhase::Suspended => "SUSPENDED",
            TaskPhase::Running => "RUNNING",
        })
    }
}

/// A task of a thread (Java's `TaskMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskMetadata {
    /// What it is here for.
    pub role: TaskRole,
    /// Where it stands.
    pub phase: TaskPhase,
    /// Its input partitions, and how far each is; of a task that does not process only which.
    pub inputs: BTreeMap<TopicPartition, InputProgress>,
    /// The greatest timestamp of the records that it took, -1 before the first.
    pub stream_time: Timestamp,
    /// How far its stores are while they are brought up to date; a standby's always.
    pub stores: Vec<StoreProgress>,
    /// How that goes on, of an active task that is being restored.
    pub restore: Option<RestoreProgress>,
    /// Its nodes by their names; none of a task that does not process.
    pub nodes: BTreeMap<Arc<str>, NodeMetadata>,
    /// Records that its nodes left out, and those that could not be written and were let go, by the reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Records that exception handlers sent to a topic of dead letters.
    pub dead_letters: u64,
    /// How its record caches were used, by the names of their stores.
    pub caches: BTreeMap<String, CacheUse>,
    /// How often it was committed.
    pub commits: u64,
    /// Empty input partitions that it waits for while others have records (`max.task.idle.ms`), and since when, as far as was seen.
    pub waits_for: BTreeMap<TopicPartition, Timestamp>,
}

/// How far an input partition is. Offsets are those of the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputProgress {
    /// The next record to be processed.
    pub position: Option<Offset>,
    /// What this task committed last; `None` before its first commit.
    pub committed: Option<Offset>,
    /// Where the partition ended when last heard of.
    pub end: Option<Offset>,
    /// Records that were fetched and wait.
    pub buffered: usize,
    /// The greatest timestamp of the records taken from it, -1 before the first.
    pub partition_time: Timestamp,
    /// Since when, by the wall clock, it is at this position, as far as was seen.
    pub since: Timestamp,
}

impl InputProgress {
    /// Of a partition of which nothing is known.
    pub const UNKNOWN: InputProgress = InputProgress {
        position: None,
        committed: None,
        end: None,
        buffered: 0,
        partition_time: Timestamp::UNKNOWN,
        since: Timestamp::UNKNOWN,
    };

    /// How many offsets lie between the next record and the end; `None` while either is not known.
    pub fn lag(&self) -> Option<u64> {
        let distance = self.end?.value().saturating_sub(self.position?.value());
        Some(u64::try_from(distance).unwrap_or(0))
    }
}

/// How far a store's partition is behind its changelog (Java's `LagInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LagInfo {
    /// The next record of the changelog that the store will apply.
    pub current_offset: Offset,
    /// The next record that those who read the store do not see yet: they see what was committed, every `commit.interval.ms`.
    pub committed_offset: Offset,
    /// Where the changelog ended when last heard of.
    pub end_offset: Offset,
}

impl LagInfo {
    /// How many offsets those who read the store lack ([`Queries::with_stale`](crate::query::Queries::with_stale)).
    pub fn committed_lag(&self) -> u64 {
        u64::try_from(self.end_offset.value().saturating_sub(self.committed_offset.value())).unwrap_or(0)
    }

    /// How many offsets it lacks.
    pub fn offset_lag(&self) -> u64 {
        u64::try_from(self.end_offset.value().saturating_sub(self.current_offset.value())).unwrap_or(0)
    }
}

/// What the threads told last, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct LocalThreads {
    told: Mutex<BTreeMap<usize, Arc<ThreadMetadata>>>,
}

impl LocalThreads {
    /// Takes what a thread tells.
    pub(crate) fn tells(&self, thread: Arc<ThreadMetadata>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(thread.number, thread);
    }

    /// What a thread, or the one that was in its place before, told last.
    pub(crate) fn of(&self, number: usize) -> Option<Arc<ThreadMetadata>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<ThreadMetadata>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How far the stores are that are brought up to date, by name and partition (Java's `allLocalStorePartitionLags`).
    pub(crate) fn store_lags(&self) -> BTreeMap<String, BTreeMap<Partition, LagInfo>> {
        let mut lags: BTreeMap<String, BTreeMap<Partition, LagInfo>> = BTreeMap::new();
        for thread in self.all() {
            for store in thread.tasks.values().flat_map(|task| &task.stores) {
                let (Some(current_offset), Some(committed_offset), Some(end_offset)) =
                    (store.position, store.committed, store.end)
                else {
                    continue;
                };
                let of_store = lags.entry(store.name.clone()).or_default();
                of_store.insert(store.changelog.partition, LagInfo { current_offset, committed_offset, end_offset });
            }
        }
        lags
    }
}
