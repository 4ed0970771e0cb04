//! Names of the parts: nodes, sub-topologies, tasks, stores.

use std::fmt;
use std::str::FromStr;

use headwater_record::Partition;

/// A node of a topology, numbered in the order in which nodes were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(u32);

impl NodeId {
    pub(crate) const fn new(index: usize) -> Self {
        NodeId(index as u32)
    }
    /// Its number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A state store of a topology, numbered in the order in which stores were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StoreId(u32);

impl StoreId {
    pub(crate) const fn new(index: usize) -> Self {
        StoreId(index as u32)
    }
    /// Its number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A connected part of a topology; its tasks read the same partition number of each of its topics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubtopologyId(i32);

impl SubtopologyId {
    /// Sub-topology `number`.
    pub const fn new(number: i32) -> Self {
        SubtopologyId(number)
    }
    /// Its number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for SubtopologyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A sub-topology at one partition: the unit of work and of state. It prints as `0_3`, as in Java, which is also its directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Which part of the topology.
    pub subtopology: SubtopologyId,
    /// At which partition.
    pub partition: Partition,
}

impl TaskId {
    /// The task of `subtopology` at `partition`.
    pub const fn new(subtopology: i32, partition: Partition) -> Self {
        TaskId { subtopology: SubtopologyId(subtopology), partition }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no task id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a task id such as 0_3")]
pub struct TaskIdError(String);

impl FromStr for TaskId {
    type Err = TaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('_')
            .and_then(|(subtopology, partition)| Some(TaskId::new(subtopology.parse().ok()?, partition.parse().ok()?)))
            .filter(|id| id.partition >= 0 && id.subtopology.0 >= 0)
            .ok_or_else(|| TaskIdError(text.to_owned()))
    }
}
