//! One process at a time has a state directory.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::{DirectoryError, layout};

/// The lock of a directory; dropping it, or the end of the process however it comes, releases it.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of `directory` without waiting.
    pub(super) fn acquire(directory: &Path) -> Result<Self, DirectoryError> {
        let path = directory.join(layout::LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| DirectoryError::unusable(&path, "written", &error))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DirectoryError::Locked { path: directory.to_owned() }),
            Err(TryLockError::Error(error)) => Err(DirectoryError::unusable(&path, "locked", &error)),
        }
    }
}
