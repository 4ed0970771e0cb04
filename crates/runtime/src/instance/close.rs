//! How an application is closed.

use std::time::Duration;

/// How an application is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseOptions {
    timeout: Option<Duration>,
    leave: Option<bool>,
}

impl CloseOptions {
    /// Waits no longer than so; without it, as long as it takes.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        CloseOptions { timeout: Some(timeout), ..self }
    }

    /// Does not leave the group: other instances take over only after `session.timeout.ms`. This is the default of a static member
    /// (`group.instance.id`): when it is back before, nothing moves.
    #[must_use]
    pub fn remain_in_group(self) -> Self {
        CloseOptions { leave: Some(false), ..self }
    }

    /// Leaves the group, so that others take over at once. This is the default of all but static members.
    #[must_use]
    pub fn leave_group(self) -> Self {
        CloseOptions { leave: Some(true), ..self }
    }

    pub(super) fn leaves_group(self, is_static: bool) -> bool {
        self.leave.unwrap_or(!is_static)
    }

    pub(crate) fn timeout_or_none(self) -> Option<Duration> {
        self.timeout
    }
}
