//! What is done now and then: the first thread cleans the state directory, for all.

use headwater_record::Timestamp;

use super::context::ThreadContext;

/// When what was done last.
#[derive(Debug)]
pub(super) struct Upkeep {
    cleaned: Timestamp,
}

impl Upkeep {
    pub(super) fn new(now: Timestamp) -> Self {
        Upkeep { cleaned: now }
    }

    /// Cleans the state directory of what nobody uses any more.
    pub(super) fn turn(&mut self, cx: &ThreadContext, now: Timestamp) {
        let delay = cx.config().state_cleanup_delay();
        if cx.number != 1 || now.since(self.cleaned) < delay {
            return;
        }
        self.cleaned = now;
        if let Err(error) = cx.instance.directory.delete_obsolete(now, delay) {
            tracing::warn!(%error, "state that nobody uses any more could not be deleted");
        }
    }
}
