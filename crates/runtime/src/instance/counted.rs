//! What nodes, caches, commits, restores and rebalances count, for those who look in from elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::Timestamp;
use headwater_topology::{DropReason, Held};

/// What a node of a task did since the task began here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeMetadata {
    /// Records that it took. Of a source: those that it read, with the ones that it could not.
    pub taken: u64,
    /// Records that it handed on, by the nodes that took them: each got them all, unless it branches.
    pub handed_on: BTreeMap<Arc<str>, u64>,
    /// Records that it left out, by the reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Of a node with windows, or one that waits with records: what it keeps back, and until when.
    pub held: Option<Held>,
}

/// What a stream thread committed since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitMetadata {
    /// How often it committed, all that was due together.
    pub count: u64,
    /// When it did so last.
    pub last: Option<Timestamp>,
    /// How long it processed nothing because of that.
    pub took: Duration,
}

/// How the restoring of a task's stores goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreProgress {
    /// Since when, as far as was seen.
    pub since: Timestamp,
    /// When it was last seen to have gone on.
    pub moved: Timestamp,
    /// How many offsets there are to go; `None` while that is not known of all stores.
    pub remaining: Option<u64>,
    /// How many records were applied a second, since then.
    pub per_second: u64,
    /// How long it takes if that goes on.
    pub time_left: Option<Duration>,
}

/// A rebalance of the group as a stream thread went through it: from the wish to join until it processes all its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebalance {
    /// When it began.
    pub began: Timestamp,
    /// Why: as the group is told it (KIP-800).
    pub reason: String,
    /// How often the thread joined; more than once where tasks go over, or where one rebalance led to the next.
    pub rounds: u32,
    /// When the last round began.
    pub round_began: Timestamp,
    /// When the thread knew its tasks; `None` while the last round goes on.
    pub assigned: Option<Timestamp>,
    /// When it processed them all; `None` while it does not.
    pub ended: Option<Timestamp>,
}

impl Rebalance {
    /// How long it took, or takes so far.
    pub fn length(&self, now: Timestamp) -> Duration {
        self.ended.unwrap_or(now).since(self.began)
    }
}
