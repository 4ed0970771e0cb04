//! What can be wrong with a topology, and what can go wrong while a record passes it.

use std::fmt;

use headwater_record::{SerdeError, short_name};
use headwater_store::StoreError;

/// Any error of the user's code.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One mistake in a topology. The first words are Java's, the cure may follow.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// The program is no valid topology (Java's `TopologyException`).
    #[error("Invalid topology: {0}")]
    Invalid(String),
    /// An argument cannot be (Java's `IllegalArgumentException`).
    #[error("{0}")]
    Argument(String),
    /// A setting cannot be, or is missing (Java's `ConfigException`).
    #[error("{0}")]
    Config(String),
    /// A store that was given to an operator does not fit it (Java's `StreamsException`).
    #[error("{0}")]
    Store(String),
    /// No plan can be made as the settings ask (Java's `StreamsException`).
    #[error("{0}")]
    Plan(String),
    /// Something required was not given (Java's `NullPointerException`).
    #[error("{0}")]
    Missing(String),
}

/// All mistakes of a topology, in the order in which they were made.
#[derive(Clone, PartialEq, Eq)]
pub struct TopologyErrors(Vec<TopologyError>);

impl From<TopologyError> for TopologyErrors {
    fn from(mistake: TopologyError) -> Self {
        TopologyErrors(vec![mistake])
    }
}

impl TopologyErrors {
    /// `mistakes`, unless there is none.
    pub fn of(mistakes: Vec<TopologyError>) -> Option<Self> {
        (!mistakes.is_empty()).then_some(TopologyErrors(mistakes))
    }

    /// The mistakes in order.
    pub fn iter(&self) -> impl Iterator<Item = &TopologyError> {
        self.0.iter()
    }

    /// The first mistake: the one that Java would have reported.
    pub fn first(&self) -> Option<&TopologyError> {
        self.0.first()
    }
}

impl fmt::Display for TopologyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for TopologyErrors {}

/// Why a task could not be wired: found when its stores and nodes are made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WiringError {
    /// A serde is missing.
    #[error("Failed to initialize {what} serdes for {node}: {cure}")]
    MissingSerde {
        /// `key` or `value`.
        what: &'static str,
        /// Which node or store.
        node: String,
        /// What to do.
        cure: String,
    },
    /// A store is not what a node takes it for.
    #[error("store {store} is used with other types than it was made with")]
    StoreType {
        /// Which store.
        store: String,
    },
    /// A processor takes a store for one of another kind.
    #[error(
        "Processor {processor} opens StateStore {store} as a {wanted} store, but it is a {kind} store: {}",
        crate::opened_by(kind, "")
    )]
    StoreKind {
        /// Which processor.
        processor: String,
        /// Which store.
        store: String,
        /// What it is, as [`StoreKind::name`](headwater_store::StoreKind::name) says it.
        kind: &'static str,
        /// What the processor takes it for.
        wanted: &'static str,
    },
    /// A node was put below one that hands on other types: [`Port::new`](crate::Port::new) was told wrong types.
    #[error("node {child} does not take what {parent} hands on")]
    EdgeType {
        /// The node that hands on.
        parent: String,
        /// The node below it.
        child: String,
    },
    /// A node has no access to a store.
    #[error("{0}")]
    NoAccess(String),
    /// The topic of a sink is not to be had.
    #[error("sink {node} cannot write: {error}")]
    Sink {
        /// Which node.
        node: String,
        /// Why.
        error: ProcessError,
    },
    /// The user's `init` failed.
    #[error("failed to initialize processor {node}: {error}")]
    Init {
        /// Which node.
        node: String,
        /// Why.
        error: ProcessError,
    },
    /// A store could not be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a record could not be processed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The user's code, or a check made in its name. Goes to the processing exception handler.
    #[error(transparent)]
    User(BoxError),
    /// A value has no bytes, or bytes no value, in the middle of a topology. Goes to the processing exception handler.
    #[error(transparent)]
    Serde(#[from] SerdeError),
    /// A state store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A handler decided to fail, or nobody could be asked: the task stops here.
    #[error(transparent)]
    Failed(Box<Failure>),
}

headwater_record::debug_as_text!(TopologyError, TopologyErrors, WiringError, ProcessError, NullError, Failure);

/// A key or a value that is null, where the type has no null. The text names the cure.
#[derive(Clone, PartialEq, Eq)]
pub struct NullError {
    /// Which of the two.
    pub half: Half,
    /// The Rust type that was asked for.
    pub type_name: &'static str,
}

/// A half of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl fmt::Display for NullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = short_name(self.type_name);
        match self.half {
            Half::Key => write!(
                f,
                "the key is null, and `{name}` has no null: read a topic whose keys do not matter as `builder.values::<Value>(topic)`, one \
                 where some are missing with the key type `Option<{name}>`"
            ),
            Half::Value => write!(
                f,
                "the value is null, and `{name}` has no null: read a topic where some are missing with the value type `Option<{name}>`, one \
                 where they delete as a table"
            ),
        }
    }
}

impl std::error::Error for NullError {}

/// What made a task stop.
pub struct Failure {
    /// At what, with node, topic, partition and offset where known.
    pub message: String,
    /// What kind of failure.
    pub kind: FailureKind,
    /// The reason.
    pub source: Option<BoxError>,
}

/// At what a task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// Input bytes are no record, or have no valid timestamp.
    Deserialization,
    /// A node.
    Processing,
    /// While a store's record cache was flushed.
    Flush,
    /// A sink or a changelog.
    Production,
    /// A punctuator.
    Punctuation,
    /// The record is not for this topology.
    Input,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.source.as_ref().map(ToString::to_string) {
            Some(source) if !self.message.contains(&source) => write!(f, ": {source}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| &**error as &(dyn std::error::Error + 'static))
    }
}

impl ProcessError {
    /// An error of the user's code.
    pub fn user(error: impl Into<BoxError>) -> Self {
        ProcessError::User(error.into())
    }

    /// A failure that no handler may let pass.
    pub fn failed(kind: FailureKind, message: impl Into<String>, source: Option<BoxError>) -> Self {
        ProcessError::Failed(Box::new(Failure { message: message.into(), kind, source }))
    }

    /// What a handler decides about.
    ///
    /// # Errors
    /// The error itself, where it is fatal: a store's, or a decision to fail.
    pub(crate) fn of_user_code(self) -> Result<BoxError, ProcessError> {
        match self {
            ProcessError::User(error) => Ok(error),
            ProcessError::Serde(error) => Ok(Box::new(error)),
            fatal @ (ProcessError::Failed(_) | ProcessError::Store(_)) => Err(fatal),
        }
    }

    /// The reason as a boxed error, for a handler or a cause.
    pub fn into_source(self) -> BoxError {
        match self {
            ProcessError::User(error) => error,
            other => Box::new(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_what_went_wrong_and_why() {
        let parse = "x".parse::<i32>().unwrap_err();
        let user = ProcessError::user(parse.clone());
        assert_eq!(format!("{user:?}"), format!("ProcessError: {parse}"));
        let failed = ProcessError::failed(FailureKind::Processing, "at the node n", Some(parse.clone().into()));
        assert_eq!(format!("{failed:?}"), format!("ProcessError: at the node n: {parse}"));
        let said = ProcessError::failed(FailureKind::Processing, format!("at n: {parse}. Mend it"), Some(parse.into()));
        assert_eq!(said.to_string().matches("invalid digit").count(), 1, "{said}");
    }

    #[test]
    fn a_null_says_whether_it_is_the_key_and_begins_with_the_cure() {
        let null = |half| NullError { half, type_name: "i64" }.to_string();
        assert!(null(Half::Key).starts_with("the key is null") && null(Half::Key).contains("builder.values"));
        assert!(null(Half::Value).starts_with("the value is null") && null(Half::Value).contains("`Option<i64>`"));
    }
}
