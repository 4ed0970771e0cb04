//! Windows of a fixed size: tumbling and hopping.

use std::time::Duration;

use headwater_record::Timestamp;

use crate::{Window, WindowError, duration, millis};

/// Windows of a fixed size that start at multiples of an interval (Java's `TimeWindows`); the end does not belong to a window.
///
/// ```
/// use std::time::Duration;
/// use headwater::window::{TimeWindows, Window};
/// let hourly = TimeWindows::of_size_and_grace(Duration::from_hours(1), Duration::from_mins(5));
/// let minutely = hourly.advance_by(Duration::from_mins(1));
/// assert_eq!(minutely.windows_for(0.into()).count(), 1);
/// # assert!(minutely.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub struct TimeWindows {
    size_ms: i64,
    advance_ms: i64,
    grace_ms: i64,
}

impl TimeWindows {
    /// Tumbling windows; a record that comes after its window has ended is dropped.
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Tumbling windows; records are taken until `grace` after the end of their window, in stream time.
    pub fn of_size_and_grace(size: Duration, grace: Duration) -> Self {
        let size_ms = millis(size);
        TimeWindows { size_ms, advance_ms: size_ms, grace_ms: millis(grace) }
    }

    /// Hopping windows: one starts every `advance`.
    #[must_use]
    pub fn advance_by(self, advance: Duration) -> Self {
        TimeWindows { advance_ms: millis(advance), ..self }
    }

    /// The windows' size.
    pub fn size(&self) -> Duration {
        duration(self.size_ms)
    }

    /// The time between the starts of two windows.
    pub fn advance(&self) -> Duration {
        duration(self.advance_ms)
    }

    /// How long after its end a window takes records.
    pub fn grace(&self) -> Duration {
        duration(self.grace_ms)
    }

    /// How long a store must keep windows: size and grace.
    pub fn retention(&self) -> Duration {
        duration(self.size_ms.saturating_add(self.grace_ms))
    }

    /// Whether the windows can be used.
    ///
    /// # Errors
    /// [`WindowError::SizeZero`], [`WindowError::Advance`].
    pub fn validate(&self) -> Result<(), WindowError> {
        if self.size_ms <= 0 {
            return Err(WindowError::SizeZero);
        }
        if self.advance_ms <= 0 || self.advance_ms > self.size_ms {
            return Err(WindowError::Advance { size_ms: self.size_ms, advance_ms: self.advance_ms });
        }
        Ok(())
    }

    /// The windows that a record at `timestamp` falls into, by start. None for windows that do not validate.
    pub fn windows_for(&self, timestamp: Timestamp) -> impl Iterator<Item = Window> + use<> {
        let TimeWindows { size_ms, advance_ms, .. } = *self;
        let timestamp = timestamp.millis();
        let first = timestamp.saturating_sub(size_ms).saturating_add(advance_ms).max(0);
        // An interval of zero has no multiples.
        let first = first.checked_div(advance_ms).map(|count| count * advance_ms);
        std::iter::successors(first, move |start| start.checked_add(advance_ms))
            .take_while(move |start| *start <= timestamp)
            .map(move |start| Window::of_size(Timestamp::from_millis(start), size_ms))
    }

    /// Whether `window` takes no more records at `stream_time`.
    pub fn is_closed(&self, window: Window, stream_time: Timestamp) -> bool {
        window.end.millis() <= stream_time.millis().saturating_sub(self.grace_ms)
    }
}
