//! What becomes of an application whose thread failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::state::State;
use super::{CloseOptions, Instance};
use crate::Error;
use crate::error::is_shutdown_request;

/// The answer of an uncaught exception handler (Java's `StreamThreadExceptionResponse`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UncaughtResponse {
    /// Another thread takes the failed one's place and goes on from what is committed.
    ReplaceThread,
    /// This instance closes, in the end with [`State::Error`]; the others take over.
    #[default]
    ShutdownClient,
    /// All instances close.
    ShutdownApplication,
}

/// Decides about an error that ended a thread (Java's `StreamsUncaughtExceptionHandler`). When it panics itself, this instance closes.
pub type UncaughtHandler = Arc<dyn Fn(&Error) -> UncaughtResponse + Send + Sync>;

impl Instance {
    /// Thread `thread` has ended with `error`. Returns whether another takes its place.
    pub(crate) fn after_failure(&self, thread: usize, error: Error) -> bool {
        if is_shutdown_request(&error) {
            tracing::error!(thread, "a member of the group asked for the whole application to close; closing");
            self.end_with(error);
            return false;
        }
        let response = self.response_to(&error);
        tracing::error!(thread, %error, kind = ?error.kind(), ?response, "a stream thread failed");
        self.follow(response, error)
    }

    /// The global thread has ended with `error`. Returns whether another takes its place, which Java does not know.
    pub(crate) fn after_global_failure(&self, error: Error) -> bool {
        let mut response = self.response_to(&error);
        let nobody_tells = self.stream_threads() == 0 || !self.globals.is_filled();
        if response == UncaughtResponse::ShutdownApplication && nobody_tells {
            tracing::warn!("no stream thread is in the group to tell the other instances to close: only this one does");
            response = UncaughtResponse::ShutdownClient;
        }
        tracing::error!(%error, kind = ?error.kind(), ?response, "the global thread failed");
        self.follow(response, error)
    }

    fn response_to(&self, error: &Error) -> UncaughtResponse {
        match &self.uncaught {
            _ if self.status.closing().is_some() => UncaughtResponse::ShutdownClient,
            None => UncaughtResponse::ShutdownClient,
            Some(handler) => catch_unwind(AssertUnwindSafe(|| handler(error))).unwrap_or_else(|panic| {
                let panic = Error::of_panic("the handler of uncaught errors", panic.as_ref());
                tracing::error!(error = %panic, "nobody decides about a failed thread; closing");
                UncaughtResponse::ShutdownClient
            }),
        }
    }

    fn follow(&self, response: UncaughtResponse, error: Error) -> bool {
        match response {
            UncaughtResponse::ReplaceThread => true,
            UncaughtResponse::ShutdownClient => {
                self.end_with(error);
                false
            }
            UncaughtResponse::ShutdownApplication => {
                // The new thread takes part in the group to tell all members, and hears of it like them.
                self.status.failed(error);
                self.status.shut_down_application();
                true
            }
        }
    }

    fn end_with(&self, error: Error) {
        self.status.failed(error);
        self.close(CloseOptions::default().leave_group(), State::PendingError);
    }
}
