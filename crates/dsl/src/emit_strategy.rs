//! When windowed aggregates are handed on.

/// When the results of windows are handed on (Java's `EmitStrategy`, KIP-825).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmitStrategy {
    /// With every update, as far as the record cache does not hold it back: the default.
    #[default]
    OnWindowUpdate,
    /// Once, when the window takes no more records. Not for [`UnlimitedWindows`](headwater_window::UnlimitedWindows), which never
    /// close.
    ///
    /// What has closed is looked for once a second by the wall clock, and before a record would hide it. One that its
    /// store no longer retains by then is not told, which by default befalls sessions: see
    /// [`SessionWindowedKStream::emit_strategy`](crate::SessionWindowedKStream::emit_strategy) and `docs/guarantees.md`.
    OnWindowClose,
}
