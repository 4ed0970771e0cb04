//! Time as arithmetic: which windows a record falls into, when a window is closed, and how windowed keys lie as bytes.
//!
//! [`TimeWindows`] (tumbling and hopping), [`SlidingWindows`], [`SessionWindows`], [`UnlimitedWindows`] and [`JoinWindows`] say
//! which windows are wanted, as plain data; [`Windows`] are those that a function names. What a windowed aggregation is keyed by is [`Windowed`]; its bytes are in
//! [`key_format`].
//!
//! A window that makes no sense (a size of zero, a negative interval) is told by `validate`, with Java's words, when the topology
//! is built.
//!
//! **Architecture Invariant:** no clock, no store, no input or output. Times are milliseconds and saturate.
#![forbid(unsafe_code)]

mod error;
mod join_window;
pub mod key_format;
mod own_window;
mod serde;
mod session_window;
mod sliding_window;
mod time_window;
mod unlimited_window;
mod windowed;

pub use error::WindowError;
pub use join_window::JoinWindows;
pub use own_window::Windows;
pub use serde::{SessionWindowedSerde, TimeWindowedSerde};
pub use session_window::SessionWindows;
pub use sliding_window::SlidingWindows;
pub use time_window::TimeWindows;
pub use unlimited_window::UnlimitedWindows;
pub use windowed::{Window, Windowed};

use std::time::Duration;

/// A duration in whole milliseconds, at most `i64::MAX`.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds as a duration; negative ones are none.
pub(crate) fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
