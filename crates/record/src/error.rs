//! What can go wrong between bytes and types, and how errors are shown.

use std::error::Error;
use std::fmt;

/// Why bytes are no value of the type, or a value has no bytes.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// Null where the type has no null. The text names the cure.
    #[error("null is not a value of `{0}`: take `Option<{0}>` where null may occur", short_name(type_name))]
    Null {
        /// The Rust type that was asked for.
        type_name: &'static str,
    },
    /// Another number of bytes than the type has.
    #[error("{0} takes {expected} bytes, {found} were found", short_name(type_name))]
    Length {
        /// The Rust type that was asked for.
        type_name: &'static str,
        /// Bytes it takes.
        expected: usize,
        /// Bytes there were.
        found: usize,
    },
    /// Bytes that do not mean a value of the type.
    #[error("not a valid {0}: {reason}", short_name(type_name))]
    Malformed {
        /// The type that was asked for.
        type_name: &'static str,
        /// What is wrong with them.
        reason: String,
    },
    /// A value that the format has no bytes for.
    #[error("a {0} cannot be written: {reason}", short_name(type_name))]
    Unwritable {
        /// The type of the value.
        type_name: &'static str,
        /// What is wrong with it.
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

    /// A [`SerdeError::Unwritable`] for the type `T`.
    pub fn unwritable<T: ?Sized>(reason: impl std::fmt::Display) -> Self {
        SerdeError::Unwritable { type_name: std::any::type_name::<T>(), reason: reason.to_string() }
    }

    /// A [`SerdeError::Custom`] with the text of `error`.
    pub fn custom(error: impl std::fmt::Display) -> Self {
        SerdeError::Custom(error.to_string())
    }
}

/// A type's name as people write it: without the modules that [`std::any::type_name`] tells.
///
/// ```
/// use headwater::record::short_name;
/// assert_eq!(short_name("core::option::Option<(alloc::string::String, i64)>"), "Option<(String, i64)>");
/// ```
pub fn short_name(type_name: &str) -> String {
    let mut short = String::with_capacity(type_name.len());
    for part in type_name.split_inclusive(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter))) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

/// Writes `name`, the text of `error`, and below it what caused it, leaving out what was said before.
///
/// # Errors
/// Those of `f`.
pub fn write_with_causes(name: &str, error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut said = error.to_string();
    write!(f, "{name}: {said}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            write!(f, "\n  caused by: {text}")?;
            said = text;
        }
        cause = error.source();
    }
    Ok(())
}

/// `Debug` of errors as people read them: the type, the text, the causes. What `unwrap` in a test and a `main` that returns an error
/// show is `Debug`, and it says what to do.
///
/// ```
/// #[derive(thiserror::Error)]
/// #[error("the tea is cold: make it anew")]
/// struct Cold {
///     source: std::num::ParseIntError,
/// }
/// headwater::record::debug_as_text!(Cold);
///
/// let cold = Cold { source: "lukewarm".parse::<i32>().unwrap_err() };
/// assert_eq!(format!("{cold:?}"), "Cold: the tea is cold: make it anew\n  caused by: invalid digit found in string");
/// ```
#[macro_export]
macro_rules! debug_as_text {
    ($($error:ident),+ $(,)?) => {
        $(impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::write_with_causes(stringify!($error), self, f)
            }
        })+
    };
}

debug_as_text!(SerdeError);
