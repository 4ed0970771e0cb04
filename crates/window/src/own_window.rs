//! Windows by a function of one's own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::Timestamp;

use crate::{Window, WindowError};

/// The windows that a function names for each time, such as days of a time zone or shifts (what extends Java's `Windows<W>`).
///
/// Windows are told apart by their start, and a store keeps no more than that: what comes out of it ends after the size given here,
/// which is that of the longest window.
///
/// ```
/// use std::time::Duration;
/// use headwater::record::Timestamp;
/// use headwater::window::{Window, Windows};
/// const DAY: i64 = 24 * 60 * 60 * 1000;
/// const ZONE: i64 = 2 * 60 * 60 * 1000;
/// // Days two hours east of Greenwich.
/// let days = Windows::by(Duration::from_millis(DAY as u64), Duration::ZERO, |time| {
///     let start = (time.millis() + ZONE).div_euclid(DAY) * DAY - ZONE;
///     vec![Window::of_millis(start, start + DAY)]
/// });
/// assert_eq!(days.windows_for(Timestamp::from_millis(DAY - 1)), [Window::of_millis(DAY - ZONE, 2 * DAY - ZONE)]);
/// ```
#[derive(Clone)]
pub struct Windows {
    size: Duration,
    grace: Duration,
    choose: Arc<dyn Fn(Timestamp) -> Vec<Window> + Send + Sync>,
}

impl Windows {
    /// Windows of at most `size` that take late records for `grace` after their end. `windows_for` names those that a record of a
    /// time falls into, in the order in which they are to be updated; it must always name the same.
    pub fn by(
        size: Duration,
        grace: Duration,
        windows_for: impl Fn(Timestamp) -> Vec<Window> + Send + Sync + 'static,
    ) -> Self {
        Windows { size, grace, choose: Arc::new(windows_for) }
    }

    /// How long the longest window is.
    pub fn size(&self) -> Duration {
        self.size
    }

    /// For how long after its end a window takes late records.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// How long a store must keep windows at least.
    pub fn retention(&self) -> Duration {
        self.size.saturating_add(self.grace)
    }

    /// Whether the windows can be used.
    ///
    /// # Errors
    /// [`WindowError::SizeZero`].
    pub fn validate(&self) -> Result<(), WindowError> {
        if self.size.as_millis() == 0 { Err(WindowError::SizeZero) } else { Ok(()) }
    }

    /// The windows that a record at `timestamp` falls into.
    pub fn windows_for(&self, timestamp: Timestamp) -> Vec<Window> {
        (self.choose)(timestamp)
    }
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").field("size", &self.size).field("grace", &self.grace).finish_non_exhaustive()
    }
}
