//! How an application is closed.

use std::time::Duration;

/// What is waited for brokers that do not answer when no time was given. Container platforms grant 30 s in all.
const TIMEOUT: Duration = Duration::from_secs(28);

/// How an application is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseOptions {
    timeout: Option<Duration>,
    leave: Option<bool>,
}

impl CloseOptions {
    /// Waits no longer than so; without it, as long as it takes.
    ///
    /// Brokers that do not answer are waited for three quarters of it, and for 21 s without it: then what was done since the last
    /// commit is left to whoever gets the tasks, and [`close`](crate::KafkaStreams::close) says so.
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

    /// How long all steps of the way out may take together.
    pub(super) fn timeout_of_steps(self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

    pub(crate) fn timeout_or_none(self) -> Option<Duration> {
        self.timeout
    }
}
