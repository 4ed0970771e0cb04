//! Restoring stores from their changelogs, and keeping standby copies up to date.
//!
//! A task's stores are opened with [`TaskStores::open`] and travel by value: into the [`Updater`] as [`Restoring`] or
//! [`Standby`], and out of it whole, when they are restored, when something failed, or when they are asked back. Each store says
//! itself which changelog offset it contains; [`restore_range`] decides from that what is to be read. The updater reads the
//! changelogs of many tasks with one consumer, in turns that somebody else drives; it has neither thread nor clock.

mod chunk;
mod listener;
mod plan;
mod progress;
mod reader;
mod source_offsets;
mod start;
mod updater;
mod upkeep;

use headwater_client::ClientError;
use headwater_record::Topic;
use headwater_store::StoreError;
use headwater_topology::StoreId;

use crate::directory::DirectoryError;
use crate::task::{StoresError, TaskStores};

pub(crate) use self::chunk::Chunk;
pub use self::listener::{RestoreListener, Silent, StandbyEnd, StandbyUpdateListener};
pub use self::plan::{LogBounds, RestoreRange, Truncated, restore_range};
pub use self::progress::{StoreProgress, TaskProgress};
pub use self::source_offsets::{GroupOffsets, SourceOffsets};
pub use self::updater::{Updated, Updater, UpdaterSettings};

/// An active task whose stores are not complete yet.
#[derive(Debug)]
pub struct Restoring(pub TaskStores);

/// A copy of a task's stores that follows the changelogs, so that the task can go on here quickly.
#[derive(Debug)]
pub struct Standby(pub TaskStores);

/// Why a task's stores could not be brought or kept up to date.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateFailure {
    /// What the stores contain does not go with their changelogs: delete the task's local state and restore it anew.
    #[error("local state does not go with its changelog and is restored anew: {reason}")]
    Corrupted {
        /// Which stores.
        stores: Vec<StoreId>,
        /// What does not fit.
        reason: String,
    },
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A changelog topic is not there.
    #[error(
        "changelog topic {0} does not exist. Whoever leads the group makes the changelogs of its topology before tasks are assigned: either it was deleted, or the leader runs another topology than this instance, and all instances of the old version must be stopped before a new one is started"
    )]
    MissingChangelog(Topic),
    /// The cluster: an error that asking again does not help against, or that lasted longer than `task.timeout.ms`.
    #[error(transparent)]
    Client(#[from] ClientError),
}

headwater_record::debug_as_text!(UpdateFailure);

impl UpdateFailure {
    /// Of an error about changelogs.
    fn of(error: ClientError) -> Self {
        match error {
            ClientError::UnknownTopic { topic } => UpdateFailure::MissingChangelog(topic),
            error => error.into(),
        }
    }
}

impl From<StoresError> for UpdateFailure {
    fn from(error: StoresError) -> Self {
        match error {
            StoresError::Store(error) => error.into(),
            StoresError::Directory(error) => error.into(),
        }
    }
}
