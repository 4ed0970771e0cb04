//! What a task has been handed and has not processed yet: a queue of batches per partition, and which of them is next.

mod partition_group;
mod partition_queue;

pub use partition_group::{PartitionGroup, Readiness};
pub use partition_queue::PartitionQueue;
