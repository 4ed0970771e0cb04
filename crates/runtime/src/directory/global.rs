//! Where global stores lie.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::{DirectoryError, StateDirectory, layout};

/// Which of the two places of global stores is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalPlace {
    /// `global`, as in Java.
    Usual,
    /// `global.new`: stores that are filled anew while those in the usual place are still read.
    Beside,
}

/// The right to the directories of global stores. Dropping it gives it back.
#[derive(Debug)]
pub struct GlobalClaim(StateDirectory);

impl StateDirectory {
    /// Takes the directories of global stores for one owner within this process; `None` while another owner has them.
    pub fn claim_global(&self) -> Option<GlobalClaim> {
        let was_claimed = self.0.global_claimed.swap(true, Ordering::AcqRel);
        (!was_claimed).then(|| GlobalClaim(self.clone()))
    }
}

impl GlobalClaim {
    /// The path of `place`; `None` when nothing is kept on disk. It may not be made yet.
    pub fn path(&self, place: GlobalPlace) -> Option<PathBuf> {
        let name = match place {
            GlobalPlace::Usual => layout::GLOBAL,
            GlobalPlace::Beside => layout::GLOBAL_BESIDE,
        };
        self.0.path().map(|path| path.join(name))
    }

    /// The same, made.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when it cannot be made.
    pub fn prepare(&self, place: GlobalPlace) -> Result<Option<PathBuf>, DirectoryError> {
        let path = self.path(place);
        path.as_deref().map(layout::make).transpose()?;
        Ok(path)
    }

    /// Deletes all that lies in `place`. The stores there must be closed.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when it cannot be deleted.
    pub fn wipe(&self, place: GlobalPlace) -> Result<(), DirectoryError> {
        self.path(place).as_deref().map_or(Ok(()), layout::delete)
    }

    /// Puts what lies beside into the usual place, instead of what is there. The stores of both must be closed.
    ///
    /// # Errors
    /// [`DirectoryError::Unusable`] when that cannot be.
    pub fn replace(&self) -> Result<(), DirectoryError> {
        self.wipe(GlobalPlace::Usual)?;
        let paths = self.path(GlobalPlace::Beside).zip(self.path(GlobalPlace::Usual));
        let Some((beside, usual)) = paths.filter(|(beside, _)| beside.is_dir()) else { return Ok(()) };
        fs::rename(&beside, &usual).map_err(|error| DirectoryError::unusable(&beside, "renamed", &error))
    }
}

impl Drop for GlobalClaim {
    fn drop(&mut self) {
        self.0.0.global_claimed.store(false, Ordering::Release);
    }
}
