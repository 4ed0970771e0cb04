//! The state directory: where the stores of tasks lie, who may use them, and what this process is called.
//!
//! The layout is Java's: `<state.dir>/<application.id>/<task id>/…`, beside the tasks `global` with the global stores, a lock
//! file and the process file.
//! One process has the directory ([`StateDirectory::open`] locks it), and within the process one owner has a task's part of it
//! ([`StateDirectory::claim`]). What a store on disk contains is said by the store alone; the `.headwater-checkpoint` file of a task is an
//! index beside it, so that offsets of tasks that nobody has open can be told without opening their stores.

mod checkpoint;
mod claim;
mod cleanup;
mod global;
mod layout;
mod lock;
mod process_file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_record::{Offset, TopicPartition};
use headwater_topology::TaskId;
use uuid::Uuid;

pub use self::claim::TaskClaim;
pub use self::global::{GlobalClaim, GlobalPlace};

/// What is wrong with the state directory.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Another process, or another application in this one, has it.
    #[error(
        "the state directory {} is in use by another application of the same application.id, in this process or another one: close that, or give each on this machine a state.dir of its own",
        path.display()
    )]
    Locked {
        /// Which directory.
        path: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error(
        "the state directory {} cannot be {action}: {reason}; set state.dir to a directory that this process may write to",
        path.display()
    )]
    Unusable {
        /// Which file or directory.
        path: PathBuf,
        /// What was tried, as a participle.
        action: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The application's id is no name for a directory.
    #[error("application.id {0:?} cannot name a directory: use letters, digits, '.', '_' and '-'")]
    ApplicationId(String),
}

headwater_record::debug_as_text!(DirectoryError);

impl DirectoryError {
    fn unusable(path: &Path, action: &'static str, error: &std::io::Error) -> Self {
        DirectoryError::Unusable { path: path.to_owned(), action, reason: error.to_string() }
    }
}

/// The state directory of one application in this process. Clones share it; the last one that goes gives the lock back, if it was
/// not [released](StateDirectory::release) before.
#[derive(Clone, Debug)]
pub struct StateDirectory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The application's directory; `None` when nothing is kept on disk.
    path: Option<PathBuf>,
    process_id: Uuid,
    claimed: Mutex<BTreeSet<TaskId>>,
    global_claimed: AtomicBool,
    /// Held until the application has ended.
    lock: Mutex<Option<lock::DirectoryLock>>,
}

impl Shared {
    fn claimed(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateDirectory {
    /// Opens, and where needed makes, the directory of `application_id` below `root` (`state.dir`), and locks it for this process.
    /// Without stores that are kept on disk (`keeps_state`) nothing is touched, and the process is a new one each time.
    ///
    /// # Errors
    /// [`DirectoryError::Locked`] when another process has it, [`DirectoryError::Unusable`] when it cannot be made or written.
    pub fn open(root: &Path, application_id: &str, keeps_state: bool) -> Result<Self, DirectoryError> {
        Self::open_as(root, application_id, keeps_state, Uuid::new_v4)
    }

    /// The same, with `new_id` naming the process when the directory knows no name yet.
    ///
    /// # Errors
    /// As [`StateDirectory::open`].
    pub fn open_as(
        root: &Path,
        application_id: &str,
        keeps_state: bool,
        new_id: impl FnOnce() -> Uuid,
    ) -> Result<Self, DirectoryError> {
        if !keeps_state {
            return Ok(Self::of(None, new_id(), None));
        }
        let path = layout::application(root, application_id)?;
        layout::make(&path)?;
        let lock = lock::DirectoryLock::acquire(&path)?;
        let process_id = process_file::read_or_write(&path, new_id)?;
        Ok(Self::of(Some(path), process_id, Some(lock)))
    }

    fn of(path: Option<PathBuf>, process_id: Uuid, lock: Option<lock::DirectoryLock>) -> Self {
        let (claimed, global_claimed) = (Mutex::default(), AtomicBool::new(false));
        StateDirectory(Arc::new(Shared { path, process_id, claimed, global_claimed, lock: Mutex::new(lock) }))
    }

    /// Gives the lock back: nothing of the application uses the directory any more, and another one may.
    pub fn release(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<lock::DirectoryLock>> {
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application's directory, `None` when nothing is kept on disk.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Who this process is to the others of the application. It stays the same over restarts on the same directory.
    pub fn process_id(&self) -> Uuid {
        self.0.process_id
    }

    /// Takes the task's directory for one owner within this process; `None` while another owner has it.
    pub fn claim(&self, task: TaskId) -> Option<TaskClaim> {
        self.0.claimed().insert(task).then(|| TaskClaim::new(self.clone(), task))
    }

    /// Whether somebody within this process has the task's directory.
    pub fn is_claimed(&self, task: TaskId) -> bool {
        self.0.claimed().contains(&task)
    }

    /// The tasks of which there is state on disk, whether or not somebody has claimed them.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when it cannot be read.
    pub fn tasks_with_state(&self) -> Result<BTreeSet<TaskId>, DirectoryError> {
        let Some(path) = self.path() else { return Ok(BTreeSet::new()) };
        let tasks = layout::tasks(path)?;
        Ok(tasks.into_iter().filter(|(_, directory)| layout::holds_state(directory)).map(|(task, _)| task).collect())
    }

    /// The changelog offsets noted beside the state of `task`: of each changelog the last record the state contains. Empty when
    /// nothing is known.
    pub fn noted_offsets(&self, task: TaskId) -> BTreeMap<TopicPartition, Offset> {
        self.path().map(|path| checkpoint::read(&layout::task(path, task))).unwrap_or_default()
    }

    /// The noted offsets of each task that has state on disk, added up: what a member tells its group about what it could
    /// continue (Java's `taskOffsetSums`).
    ///
    /// # Errors
    /// As [`StateDirectory::tasks_with_state`].
    pub fn noted_offset_sums(&self) -> Result<BTreeMap<TaskId, i64>, DirectoryError> {
        let tasks = self.tasks_with_state()?;
        Ok(tasks.into_iter().map(|task| (task, offset_sum(self.noted_offsets(task).values().copied()))).collect())
    }
}

/// Offsets added up as Java does for `taskOffsetSums`: what is not known counts nothing, and the sum stops at the largest number.
pub fn offset_sum(offsets: impl IntoIterator<Item = Offset>) -> i64 {
    offsets.into_iter().map(Offset::value).filter(|offset| *offset >= 0).fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests;
