//! A window, and a key in one.

use std::fmt;

use headwater_record::Timestamp;

/// A stretch of time. Whether its end belongs to it depends on who made it: it does for sessions and sliding windows, it does not
/// for time windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// When it starts; that moment belongs to it.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
}

impl Window {
    /// From `start` to `end`.
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        Window { start, end }
    }

    /// From `start_ms` to `end_ms`.
    pub const fn of_millis(start_ms: i64, end_ms: i64) -> Self {
        Window { start: Timestamp::from_millis(start_ms), end: Timestamp::from_millis(end_ms) }
    }

    /// The window of this size that starts at `start`, ending at the latest time there is at most (Java's
    /// `WindowKeySchema#timeWindowForSize`).
    pub fn of_size(start: Timestamp, size_ms: i64) -> Self {
        Window { start, end: Timestamp::from_millis(start.millis().saturating_add(size_ms)) }
    }

    /// Whether two sessions share a moment; both ends belong to them.
    pub fn overlaps_session(&self, other: &Window) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The least session that contains both.
    #[must_use]
    pub fn merged(&self, other: &Window) -> Window {
        Window { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A key in a window: what windowed aggregations are keyed by.
///
/// Shown as Java shows it, `[key@start/end]`:
///
/// ```
/// use headwater::window::{Window, Windowed};
/// assert_eq!(Windowed::new("a", Window::of_millis(0, 10)).to_string(), "[a@0/10]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
}

impl<K> Windowed<K> {
    /// `key` in `window`.
    pub const fn new(key: K, window: Window) -> Self {
        Windowed { key, window }
    }

    /// When the window starts.
    pub fn start(&self) -> Timestamp {
        self.window.start
    }

    /// When the window ends.
    pub fn end(&self) -> Timestamp {
        self.window.end
    }
}

impl<K: fmt::Display> fmt::Display for Windowed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}@{}/{}]", self.key, self.window.start, self.window.end)
    }
}
