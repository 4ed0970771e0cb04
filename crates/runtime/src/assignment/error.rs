//! What can be wrong with a group's bytes and with an assignment.

/// Bytes of a member or a leader that cannot be understood.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// They end too early.
    #[error("{what} ends after {length} bytes, within a field")]
    Truncated {
        /// Of what.
        what: &'static str,
        /// How long they are.
        length: usize,
    },
    /// There are more than there should be.
    #[error("{what} has {count} bytes more than its version has fields")]
    Trailing {
        /// After what.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A field has a value that it cannot have.
    #[error("{what}: {field} is {value}")]
    Invalid {
        /// In what.
        what: &'static str,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A version that is not spoken.
    #[error("{what} is of version {version}, newer than {newest}")]
    Version {
        /// What is.
        what: &'static str,
        /// Its version.
        version: i32,
        /// The newest that is understood.
        newest: i32,
    },
    /// The list of tasks and the list of partitions do not go together.
    #[error("{tasks} active tasks are listed for {partitions} partitions")]
    Misaligned {
        /// How many tasks.
        tasks: usize,
        /// How many partitions.
        partitions: usize,
    },
    /// A subscription without the bytes of Kafka Streams.
    #[error("member {member} has no user data: is a plain consumer using this application.id as its group.id?")]
    NoUserData {
        /// Whose.
        member: String,
    },
}

headwater_record::debug_as_text!(CodecError);

/// What a leader tells all members instead of tasks (Java's `AssignorError`).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssignorError {
    /// A source topic does not exist, or how many partitions it has is not known.
    #[error("a source topic is missing")]
    IncompleteSourceTopicMetadata,
    /// Only heard from old leaders, which answered newer members so.
    #[error("the leader speaks an older version")]
    VersionProbing,
    /// The leader failed to decide.
    #[error("the leader could not assign tasks")]
    AssignmentError,
    /// A member wants the whole application to close.
    #[error("the application is to close")]
    ShutdownRequested,
}

headwater_record::debug_as_text!(AssignorError);

impl AssignorError {
    /// Its code in the bytes; 0 is no error.
    pub const fn code(self) -> i32 {
        match self {
            AssignorError::IncompleteSourceTopicMetadata => 1,
            AssignorError::VersionProbing => 2,
            AssignorError::AssignmentError => 3,
            AssignorError::ShutdownRequested => 4,
        }
    }

    /// The error of this code, `None` for 0.
    ///
    /// # Errors
    /// [`CodecError::Invalid`] for a code that is none.
    pub fn from_code(code: i32) -> Result<Option<Self>, CodecError> {
        Ok(Some(match code {
            0 => return Ok(None),
            1 => AssignorError::IncompleteSourceTopicMetadata,
            2 => AssignorError::VersionProbing,
            3 => AssignorError::AssignmentError,
            4 => AssignorError::ShutdownRequested,
            _ => {
                return Err(CodecError::Invalid {
                    what: "AssignmentInfo",
                    field: "error code",
                    value: code.to_string(),
                });
            }
        }))
    }
}
