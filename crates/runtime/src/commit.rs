//! Commits: caches, records, offsets and stores, in the order that loses nothing.

mod at_least_once;
mod schedule;

use headwater_client::{ClientError, GroupError};

pub(crate) use at_least_once::at_least_once;
pub(crate) use schedule::Schedule;

use crate::error::Trouble;

/// Why nothing was committed, or not all.
#[derive(Debug)]
pub(crate) enum CommitFailure {
    /// The group does not take commits of this member, or not now. The membership is to be told.
    Refused(GroupError),
    /// Anything else.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for CommitFailure {
    fn from(error: E) -> Self {
        match error.into() {
            Trouble::Client(ClientError::Group(error)) => CommitFailure::Refused(error),
            trouble => CommitFailure::Trouble(trouble),
        }
    }
}
