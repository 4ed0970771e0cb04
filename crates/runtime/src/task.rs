//! Tasks: one part of the topology at one partition, the unit of work and of state.
//!
//! [`TaskSpec`] says what a task is made of, [`Running`] processes, [`GlobalTask`] fills global stores.

mod closed;
mod error;
mod global;
mod last_input;
mod running;
pub mod spec;

pub use closed::ClosedStores;
pub use error::TaskError;
pub use global::GlobalTask;
pub(crate) use global::NO_TASK;
pub use running::{Committed, Parts, Running, Taken, TaskSettings};
pub use spec::{TaskInput, TaskSpec, TaskStore};
