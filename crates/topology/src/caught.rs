//! Panics of the user's code, as errors of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ProcessError;

/// Runs `work`. That it panics is an error of the user's code, which a handler decides about as about any other: in Java, whatever
/// user code throws goes to the processing exception handler.
///
/// What `work` was changing must be of no more use, or be as good as before, when it is left in the middle.
#[inline]
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, ProcessError>) -> Result<T, ProcessError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

#[cold]
fn panicked(panic: &(dyn Any + Send)) -> ProcessError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ProcessError::user(format!("panicked: {}", text.unwrap_or("without a text")))
}
