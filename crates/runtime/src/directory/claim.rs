//! One owner at a time has a task's part of the state directory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_record::{Offset, TopicPartition};
use headwater_topology::TaskId;

use super::{DirectoryError, StateDirectory, checkpoint, layout};

/// The right to a task's directory. It goes with the task from owner to owner; dropping it gives it back.
#[derive(Debug)]
pub struct TaskClaim {
    directory: StateDirectory,
    task: TaskId,
}

impl TaskClaim {
    pub(super) fn new(directory: StateDirectory, task: TaskId) -> Self {
        TaskClaim { directory, task }
    }

    /// Which task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// Where the task's state lies; `None` when nothing is kept on disk. It may not be made yet.
    pub fn path(&self) -> Option<PathBuf> {
        self.directory.path().map(|path| layout::task(path, self.task))
    }

    /// The same, made.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when it cannot be made.
    pub fn prepare(&self) -> Result<Option<PathBuf>, DirectoryError> {
        let path = self.path();
        path.as_deref().map(layout::make).transpose()?;
        Ok(path)
    }

    /// Notes, of each changelog, the last record that the state on disk contains; `None` for one of which it contains nothing.
    /// It is an index only: the stores' own offsets count.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when it cannot be written.
    pub fn note_offsets(&self, offsets: &BTreeMap<TopicPartition, Option<Offset>>) -> Result<(), DirectoryError> {
        match self.path() {
            Some(path) if path.is_dir() => checkpoint::write(&path, offsets),
            _ => Ok(()),
        }
    }

    /// Deletes all that the task has on disk. Its stores must be closed.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when it cannot be deleted.
    pub fn wipe(&self) -> Result<(), DirectoryError> {
        self.path().as_deref().map_or(Ok(()), layout::delete)
    }
}

impl Drop for TaskClaim {
    fn drop(&mut self) {
        self.directory.0.claimed().remove(&self.task);
    }
}
