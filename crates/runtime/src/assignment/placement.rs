//! Which process gets which task, and who decides that.

use std::collections::{BTreeMap, BTreeSet};

use headwater_topology::TaskId;
use uuid::Uuid;

use super::ClusterView;

/// Which process gets which task.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Placement {
    /// The process of each active task: every task is here once.
    pub active: BTreeMap<TaskId, Uuid>,
    /// The processes of each task's standbys (and warm-ups); never the active one.
    pub standby: BTreeMap<TaskId, BTreeSet<Uuid>>,
    /// Whether to look again after `probing.rebalance.interval.ms`, because better places are being warmed up.
    pub probing: bool,
}

/// Decides which process gets which task. Pure: the same view gives the same placement.
pub trait TaskAssignor: Send + Sync + std::fmt::Debug {
    /// Places every task of `view` on one of its clients.
    fn assign(&self, view: &ClusterView) -> Placement;
}
