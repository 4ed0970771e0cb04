//! What can go wrong between bytes and types.

/// Why bytes are no value of the type, or a value has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// Null where the type has no null. The text names the cure.
    #[error(
        "null is not a value of `{type_name}`: take `Option<{type_name}>` where null may occur, or, for a topic whose records have no keys, \
         read it with `()` as its key type"
    )]
    Null {
        /// The Rust type that was asked for.
        type_name: &'static str,
    },
    /// Another number of bytes than the type has.
    #[error("{type_name} takes {expected} bytes, {found} were found")]
    Length {
        /// The Rust type that was asked for.
        type_name: &'static str,
        /// Bytes it takes.
        expected: usize,
        /// Bytes there were.
        found: usize,
    },
    /// Bytes that do not mean a value of the type.
    #[error("not a valid {type_name}: {reason}")]
    Malformed {
        /// The type that was asked for.
        type_name: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// The user's own serde refused; its text.
    #[error("{0}")]
    Custom(String),
}

impl SerdeError {
    /// A [`SerdeError::Malformed`] for the type `T`.
    pub fn malformed<T: ?Sized>(reason: impl std::fmt::Display) -> Self {
        SerdeError::Malformed { type_name: std::any::type_name::<T>(), reason: reason.to_string() }
    }

    /// A [`SerdeError::Custom`] with the text of `error`.
    pub fn custom(error: impl std::fmt::Display) -> Self {
        SerdeError::Custom(error.to_string())
    }
}
