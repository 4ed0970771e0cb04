//! Why a task stopped.

use headwater_client::ClientError;
use headwater_record::TopicPartition;
use headwater_store::StoreError;
use headwater_topology::{ProcessError, TaskId, WiringError};

use crate::directory::DirectoryError;

/// Why a task stopped. What is to be done about it is decided elsewhere.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A record, a punctuation or a cache flush failed, and no handler let it pass.
    #[error("{error}")]
    Process {
        /// Which task.
        task: TaskId,
        /// At what.
        error: ProcessError,
    },
    /// The task could not be brought to life.
    #[error("{error}")]
    Wiring {
        /// Which task.
        task: TaskId,
        /// Why.
        error: WiringError,
    },
    /// A store could not be committed.
    #[error("task {task}: {error}")]
    Store {
        /// Which task.
        task: TaskId,
        /// Why.
        error: StoreError,
    },
    /// What its stores contain could not be noted in the state directory.
    #[error("task {task}: {error}")]
    Directory {
        /// Which task.
        task: TaskId,
        /// Why.
        error: DirectoryError,
    },
    /// A record that the task wrote could not be written, and the production exception handler did not let it go.
    #[error("Error encountered sending record to topic {topic} for task {task}: {error}")]
    Production {
        /// Which task.
        task: TaskId,
        /// To which topic.
        topic: String,
        /// Why.
        error: ClientError,
    },
    /// The task may not commit yet: records that it wrote have no answer.
    #[error(
        "task {task}: {records} records that it wrote have not been acknowledged yet; flush the output before committing"
    )]
    UnderWay {
        /// Which task.
        task: TaskId,
        /// How many.
        records: u64,
    },
    /// Bytes of an input partition mean nothing.
    #[error("task {task}: {error}")]
    Input {
        /// Which task.
        task: TaskId,
        /// What and where.
        error: ClientError,
    },
    /// The task was handed records that are not its own.
    #[error("task {task} was handed records of {partition}, which is none of its inputs")]
    NotAnInput {
        /// Which task.
        task: TaskId,
        /// From where they came.
        partition: TopicPartition,
    },
}

headwater_record::debug_as_text!(TaskError);

impl TaskError {
    /// Which task stopped.
    pub fn task(&self) -> TaskId {
        match self {
            TaskError::Process { task, .. }
            | TaskError::Wiring { task, .. }
            | TaskError::Store { task, .. }
            | TaskError::Directory { task, .. }
            | TaskError::Production { task, .. }
            | TaskError::UnderWay { task, .. }
            | TaskError::Input { task, .. }
            | TaskError::NotAnInput { task, .. } => *task,
        }
    }
}
