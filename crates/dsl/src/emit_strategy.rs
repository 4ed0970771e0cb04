//! When windowed aggregates are handed on.

use std::time::Duration;

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
    /// As [`EmitStrategy::OnWindowClose`], and when no record has come for so long by the clock on the wall: stream time then goes on from the last
    /// record as that clock does, until all windows are closed that were open. Java has nothing like it.
    ///
    /// What comes later for such a window is late: it is left out, and counted. So this is to be longer than any pause in which
    /// records may still be under way, as while a producer is down: `docs/looking-inside.md` says what follows from it.
    OnWindowCloseOrIdle(Duration),
}

impl EmitStrategy {
    /// Whether windows are told once, when they are closed.
    pub(crate) fn is_final(self) -> bool {
        self != EmitStrategy::OnWindowUpdate
    }

    /// After how long without records windows are closed by the clock on the wall.
    pub(crate) fn idle(self) -> Option<Duration> {
        match self {
            EmitStrategy::OnWindowCloseOrIdle(idle) => Some(idle),
            EmitStrategy::OnWindowUpdate | EmitStrategy::OnWindowClose => None,
        }
    }
}
