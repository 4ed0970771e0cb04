//! One window without an end.

use headwater_record::Timestamp;

use crate::{Window, WindowError};

/// One window that never ends (Java's `UnlimitedWindows`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UnlimitedWindows {
    start_ms: i64,
}

impl UnlimitedWindows {
    /// From the beginning of time, 0.
    pub fn of() -> Self {
        UnlimitedWindows::default()
    }

    /// From `start` on; earlier records are in no window.
    #[must_use]
    pub fn start_on(self, start: Timestamp) -> Self {
        UnlimitedWindows { start_ms: start.millis() }
    }

    /// When the window starts.
    pub fn start(&self) -> Timestamp {
        Timestamp::from_millis(self.start_ms)
    }

    /// Whether the window can be used.
    ///
    /// # Errors
    /// [`WindowError::NegativeStart`].
    pub fn validate(&self) -> Result<(), WindowError> {
        if self.start_ms < 0 { Err(WindowError::NegativeStart) } else { Ok(()) }
    }

    /// The window, unless the record at `timestamp` came before it.
    pub fn window_for(&self, timestamp: Timestamp) -> Option<Window> {
        (timestamp.millis() >= self.start_ms).then(|| Window::of_millis(self.start_ms, i64::MAX))
    }
}
