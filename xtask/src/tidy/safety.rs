//! There is no unsafe code: the compiler holds each crate to what it says of itself.

use super::{Finding, Source};

const SAYS: &str = "#![forbid(unsafe_code)]";

/// Crates forbid unsafe code, which nothing within them can take back.
pub(super) fn check(source: &Source) -> Option<Finding> {
    let says = source.code.lines().any(|line| line.trim() == SAYS);
    (source.path.ends_with("src/lib.rs") && !says).then(|| source.finding(0, format!("the crate says `{SAYS}`")))
}
