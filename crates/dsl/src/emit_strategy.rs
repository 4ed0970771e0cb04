//! When windowed aggregates are handed on.

/// When the results of windows are handed on (Java's `EmitStrategy`, KIP-825).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmitStrategy {
    /// With every update, as far as the record cache does not hold it back: the default.
    #[default]
    OnWindowUpdate,
    /// Once, when the window takes no more records. Not for [`UnlimitedWindows`](headwater_window::UnlimitedWindows), which never
    /// close.
    OnWindowClose,
}
