//! State of tasks that have gone elsewhere is deleted after a while.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use headwater_record::Timestamp;
use headwater_topology::TaskId;

use super::lock::DirectoryLock;
use super::{DirectoryError, GlobalPlace, StateDirectory, TaskClaim, layout};

impl StateDirectory {
    /// Deletes the directories of tasks that nobody has claimed and that were last changed more than `delay` before `now`
    /// (`state.cleanup.delay.ms`). The deleted tasks are given.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when the directory cannot be read or something in it not be deleted; the others are deleted
    /// all the same.
    pub fn delete_obsolete(&self, now: Timestamp, delay: Duration) -> Result<Vec<TaskId>, DirectoryError> {
        self.delete_where(|changed| now.since(changed) > delay)
    }

    /// Deletes the directories of all tasks, and of global stores, that nobody has claimed (Java's `cleanUp`).
    ///
    /// # Errors
    /// As [`StateDirectory::delete_obsolete`], and [`DirectoryError::Locked`] when the directory was released and another application
    /// has it.
    pub fn delete_all(&self) -> Result<Vec<TaskId>, DirectoryError> {
        let released = self.path().filter(|_| self.lock().is_none());
        let _lock = released.map(DirectoryLock::acquire).transpose()?;
        let tasks = self.delete_where(|_| true);
        if let Some(claim) = self.claim_global() {
            claim.wipe(GlobalPlace::Usual).and(claim.wipe(GlobalPlace::Beside))?;
        }
        tasks
    }

    fn delete_where(&self, is_due: impl Fn(Timestamp) -> bool) -> Result<Vec<TaskId>, DirectoryError> {
        let Some(path) = self.path() else { return Ok(Vec::new()) };
        let (mut deleted, mut failed) = (Vec::new(), None);
        for (task, directory) in layout::tasks(path)? {
            let Some(claim) = self.claim(task) else { continue };
            match delete_if(&claim, &directory, &is_due) {
                Ok(true) => deleted.push(task),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%task, %error, "the state of a task that is not here could not be deleted");
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(deleted), Err)
    }
}

fn delete_if(claim: &TaskClaim, directory: &Path, is_due: impl Fn(Timestamp) -> bool) -> Result<bool, DirectoryError> {
    let unreadable = |error: &std::io::Error| DirectoryError::unusable(directory, "read", error);
    let changed = directory.metadata().and_then(|metadata| metadata.modified()).map_err(|error| unreadable(&error))?;
    let millis = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let due = is_due(Timestamp::from_millis(millis));
    if due {
        claim.wipe()?;
        tracing::info!(task = %claim.task(), "deleted the state of a task that is not here any more");
    }
    Ok(due)
}
