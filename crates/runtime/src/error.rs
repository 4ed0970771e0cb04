//! What users get to see of errors, and what the runtime does about them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientError, ErrorClass};
use headwater_record::write_with_causes;
use headwater_store::StoreError;
use headwater_topology::{BoxError, FailureKind, ProcessError, StoreId, TaskId, TopologyErrors, WiringError};

use crate::changelog::UpdateFailure;
use crate::directory::DirectoryError;
use crate::internal_topics::InternalTopicsError;
use crate::membership::MembershipError;
use crate::task::{OpenError, TaskError};

/// What is to be done about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The topology is wrong, or the topics do not suit it: change the program, or create or alter the topics it reads.
    Topology,
    /// A setting is wrong, or the environment lacks something: change the configuration.
    Config,
    /// Kafka does not answer, or not in time: see that the cluster is up and reachable, then start again. Nothing is lost.
    Unavailable,
    /// Another instance took this one's place: see that no two use the same `group.instance.id` or `state.dir`.
    Fenced,
    /// Data cannot be read, or a store or its directory is broken: the message names it and says what can be done.
    Data,
    /// The user's code failed, or a record that no handler let pass: mend the code, or choose another handler.
    User,
    /// None of these: please report it.
    Internal,
}

/// An error of a running application. `Debug` is for people too: the kind, the message, and what caused it.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// A mistake in the configuration or the environment.
    pub fn config(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, message)
    }

    /// What the user's code panicked with. `what` is who called it.
    pub(crate) fn of_panic(what: &str, panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned());
        Error::new(ErrorKind::User, format!("{what} panicked: {text}"))
    }

    /// With what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// With `context` before its message.
    #[must_use]
    pub(crate) fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// What is to be done about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_causes(&format!("{:?}", self.kind), self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Anything that can stop a task, or the thread on its way to one.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The task itself.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Kafka.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Stores could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Stores could not be brought up to date.
    #[error(transparent)]
    Update(#[from] UpdateFailure),
}

headwater_record::debug_as_text!(Trouble);

/// What the thread does about [`Trouble`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskFailure {
    /// The task is another's by now: close it without commit and take part in the group anew.
    Migrated,
    /// Local state does not go with Kafka's: delete it and restore it.
    Corrupted {
        /// Of these stores.
        stores: Vec<StoreId>,
    },
    /// The transaction came to nothing, and with it all that the thread's tasks did since the last commit: they begin anew from there.
    Aborted,
    /// Something that passes kept a record of the task from being written: the task begins anew from its last commit, and under
    /// exactly-once all tasks of its transaction do.
    Unwritten {
        /// Which task.
        task: TaskId,
    },
    /// It may pass: try again, at the latest until `task.timeout.ms` is over.
    Retry {
        /// After a pause.
        after: Duration,
    },
    /// It will not pass: the thread ends, and the uncaught exception handler is next.
    Fatal,
}

/// The only place that decides what becomes of a task that failed. `backoff` is the pause before a retry.
pub fn decide(trouble: &Trouble, backoff: Duration) -> TaskFailure {
    match trouble {
        Trouble::Client(error) => match error.class() {
            ErrorClass::Retriable => TaskFailure::Retry { after: backoff },
            ErrorClass::Fenced => TaskFailure::Migrated,
            ErrorClass::Aborted => TaskFailure::Aborted,
            ErrorClass::Fatal => TaskFailure::Fatal,
        },
        Trouble::Update(UpdateFailure::Corrupted { stores, .. }) => TaskFailure::Corrupted { stores: stores.clone() },
        // Changes wait for their answers: the next flush brings them.
        Trouble::Task(TaskError::UnderWay { .. }) => TaskFailure::Retry { after: backoff },
        Trouble::Task(TaskError::Production { error, .. }) | Trouble::Update(UpdateFailure::Client(error))
            if error.class() == ErrorClass::Fenced =>
        {
            TaskFailure::Migrated
        }
        Trouble::Task(TaskError::Production { error, .. }) if error.class() == ErrorClass::Aborted => {
            TaskFailure::Aborted
        }
        // A record that was taken cannot be taken again without its task.
        Trouble::Task(TaskError::Production { task, error, .. }) if error.class() == ErrorClass::Retriable => {
            TaskFailure::Unwritten { task: *task }
        }
        Trouble::Task(_) | Trouble::Open(_) | Trouble::Update(_) => TaskFailure::Fatal,
    }
}

/// Whether the error says that a member asked for the whole application to close.
pub(crate) fn is_shutdown_request(error: &Error) -> bool {
    let source = error.source.as_ref().and_then(|source| source.downcast_ref::<MembershipError>());
    source == Some(&MembershipError::ShutdownRequested)
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Task(error) => error.into(),
            Trouble::Client(error) => error.into(),
            Trouble::Open(error) => error.into(),
            Trouble::Update(error) => error.into(),
        }
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        let message = error.to_string();
        let kind = match &error {
            TaskError::Directory { error, .. } => Error::from(error.clone()).kind,
            TaskError::Process { error, .. } => kind_of_process(error),
            TaskError::Wiring { error: WiringError::Init { .. }, .. } => ErrorKind::User,
            TaskError::Wiring { error: WiringError::Store(_), .. }
            | TaskError::Store { .. }
            | TaskError::Input { .. } => ErrorKind::Data,
            TaskError::Wiring { .. } => ErrorKind::Topology,
            TaskError::Production { error, .. } => Error::from(error.clone()).kind,
            TaskError::UnderWay { .. } => ErrorKind::Unavailable,
            TaskError::NotAnInput { .. } => ErrorKind::Internal,
        };
        Error::new(kind, message).with_source(error)
    }
}

fn kind_of_process(error: &ProcessError) -> ErrorKind {
    match error {
        ProcessError::Serde(_) | ProcessError::Store(_) => ErrorKind::Data,
        ProcessError::Failed(failure) => match failure.kind {
            FailureKind::Deserialization | FailureKind::Input => ErrorKind::Data,
            _ => ErrorKind::User,
        },
        _ => ErrorKind::User,
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::UnknownTopic { .. } | ClientError::TopicExists { .. } => ErrorKind::Topology,
            ClientError::NotAuthorised(_) | ClientError::Config(_) | ClientError::RecordTooLarge { .. } => {
                ErrorKind::Config
            }
            ClientError::OffsetOutOfRange { .. } | ClientError::Malformed { .. } => ErrorKind::Data,
            ClientError::Closed => ErrorKind::Internal,
            other => match other.class() {
                ErrorClass::Retriable | ErrorClass::Aborted => ErrorKind::Unavailable,
                ErrorClass::Fenced => ErrorKind::Fenced,
                ErrorClass::Fatal => match other {
                    ClientError::Group(headwater_client::GroupError::FencedInstance) => ErrorKind::Fenced,
                    ClientError::Group(_) => ErrorKind::Config,
                    _ => ErrorKind::Unavailable,
                },
            },
        };
        Error::new(kind, error.to_string()).with_source(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Closed { .. } => ErrorKind::Unavailable,
            _ => ErrorKind::Data,
        };
        Error::new(kind, error.to_string()).with_source(error)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Directory(error) => error.into(),
            OpenError::NoRocksDb { .. } => Error::config(error.to_string()).with_source(error),
            _ => Error::new(ErrorKind::Internal, error.to_string()).with_source(error),
        }
    }
}

impl From<UpdateFailure> for Error {
    fn from(error: UpdateFailure) -> Self {
        match error {
            UpdateFailure::Client(error) => error.into(),
            UpdateFailure::Directory(error) => error.into(),
            UpdateFailure::MissingChangelog(_) => Error::new(ErrorKind::Topology, error.to_string()).with_source(error),
            other => Error::new(ErrorKind::Data, other.to_string()).with_source(other),
        }
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        let kind = match &error {
            DirectoryError::Locked { .. } => ErrorKind::Fenced,
            _ => ErrorKind::Config,
        };
        Error::new(kind, error.to_string()).with_source(error)
    }
}

impl From<InternalTopicsError> for Error {
    fn from(error: InternalTopicsError) -> Self {
        match error {
            InternalTopicsError::Client(error) => error.into(),
            InternalTopicsError::Create { ref error, .. } => {
                let kind = Error::from(error.clone()).kind;
                Error::new(kind, error.to_string()).with_source(error.clone())
            }
            other => Error::new(ErrorKind::Topology, other.to_string()).with_source(other),
        }
    }
}

impl From<MembershipError> for Error {
    fn from(error: MembershipError) -> Self {
        let kind = match &error {
            MembershipError::Refused(error) => Error::from(error.clone()).kind,
            MembershipError::MissingSourceTopics
            | MembershipError::AssignmentFailed
            | MembershipError::OtherTopology { .. } => ErrorKind::Topology,
            MembershipError::ShutdownRequested => ErrorKind::User,
            _ => ErrorKind::Internal,
        };
        Error::new(kind, error.to_string()).with_source(error)
    }
}

impl From<TopologyErrors> for Error {
    fn from(errors: TopologyErrors) -> Self {
        Error::new(ErrorKind::Topology, errors.to_string()).with_source(errors)
    }
}

#[cfg(test)]
mod tests;
