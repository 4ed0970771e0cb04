//! Tasks: one part of the topology at one partition, the unit of work and of state.
//!
//! [`TaskSpec`] says what a task is made of, [`TaskStores`] are its stores with their changelogs, [`StreamTask`] owns both and
//! processes, [`GlobalTask`] fills global stores.

mod closed;
mod error;
mod global;
mod last_input;
mod open;
pub mod spec;
mod stores;
mod stream_task;

pub use closed::ClosedTask;
pub use error::TaskError;
pub use global::GlobalTask;
pub(crate) use global::NO_TASK;
pub use open::{ConfiguredStores, OpenError, StoreChoice, keeps_state, open_stores};
pub use spec::{TaskInput, TaskSpec, TaskStore};
pub use stores::{ChangelogPartition, StoresError, TaskStores};
pub use stream_task::{Committed, Parts, StreamTask, Taken, TaskSettings};
