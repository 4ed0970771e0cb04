//! What can go wrong in a test.

use headwater_client::ClientError;
use headwater_record::{SerdeError, Timestamp};
use headwater_runtime::changelog::UpdateFailure;
use headwater_runtime::commit::CommitFailure;
use headwater_runtime::config::UnknownSetting;
use headwater_runtime::error::Trouble;
use headwater_runtime::handler::UnknownHandler;
use headwater_runtime::task::TaskError;
use headwater_store::StoreError;
use headwater_topology::opened_by;

/// What went wrong in a test driver.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The topology does not read the topic.
    #[error("Unknown topic: {topic}; of topics that the topology reads, {known}")]
    UnknownTopic {
        /// Which.
        topic: String,
        /// Which was meant, perhaps, and which there are.
        known: String,
    },
    /// A record has a negative timestamp.
    #[error("Timestamp must not be negative: {timestamp}")]
    NegativeTimestamp {
        /// Which.
        timestamp: Timestamp,
    },
    /// There is nothing (more) to read.
    #[error("Empty topic: {topic}")]
    EmptyTopic {
        /// Where.
        topic: String,
    },
    /// Nothing was ever written to the topic.
    #[error("Uninitialized topic: {topic}{hint}")]
    UninitializedTopic {
        /// Where.
        topic: String,
        /// Which was meant, perhaps, and which there are, if no sink writes to the topic; empty if one does.
        hint: String,
    },
    /// A store outlived its task: a processor of the topology put its state where it is kept after `close`.
    #[error("store {0} is still held after its task has closed: keep states only in the processor that opened them")]
    Held(
        /// Which.
        String,
    ),
    /// A store could not be restored from its changelog.
    #[error(transparent)]
    Restore(#[from] UpdateFailure),
    /// The directory of the stores cannot be used.
    #[error("the directory of the driver's stores cannot be wiped: {0}")]
    Directory(
        /// Which, and why.
        String,
    ),
    /// The topology failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A key or value of the test has no bytes, or bytes of the topology are no key or value.
    #[error(transparent)]
    Serde(#[from] SerdeError),
    /// A store could not be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The topology has no such store.
    #[error("{0}")]
    NoSuchStore(
        /// Which was asked for, which was meant, perhaps, and which there are.
        String,
    ),
    /// The store is of another kind.
    #[error("store {store} is a {kind} store, not a {wanted} store: {}", opened_by(kind, "_store"))]
    StoreKind {
        /// Its name.
        store: String,
        /// What it is.
        kind: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A setting cannot be.
    #[error("{key}: {value:?} cannot be: {reason}")]
    Setting {
        /// Which.
        key: String,
        /// Its value.
        value: String,
        /// Why.
        reason: String,
    },
    /// A setting's name is nearly that of another, which must have been meant.
    #[error("{key}: {unknown}")]
    UnknownSetting {
        /// Which.
        key: String,
        /// What was meant.
        unknown: UnknownSetting,
    },
    /// A setting names an unknown exception handler.
    #[error(transparent)]
    Handler(#[from] UnknownHandler),
    /// The cluster in this process refused something.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A commit failed, and neither by the topology nor by the cluster.
    #[error(transparent)]
    Commit(headwater_runtime::Error),
    /// The driver was closed.
    #[error("the test driver was closed")]
    Closed,
}

headwater_record::debug_as_text!(DriverError);

impl From<CommitFailure> for DriverError {
    fn from(failure: CommitFailure) -> Self {
        match failure {
            CommitFailure::Refused(error) => ClientError::Group(error).into(),
            CommitFailure::NotCommitted(error) | CommitFailure::Trouble(Trouble::Client(error)) => error.into(),
            CommitFailure::Trouble(Trouble::Task(error)) => error.into(),
            CommitFailure::Trouble(trouble) => DriverError::Commit(trouble.into()),
        }
    }
}
