//! How long something that failed for the moment is tried again.
#![forbid(unsafe_code)]

use headwater_record::Deadline;

use super::RETRY_BACKOFF;
use crate::client::Client;

/// In virtual time, how often something is tried before it is given up.
const ATTEMPTS: u32 = 1_000;

/// Counts the attempts.
#[derive(Debug, Default)]
pub(super) struct Patience {
    attempts: u32,
}

impl Patience {
    /// Waits a little where clients wait; whether to try again.
    pub(super) fn again(&mut self, client: &Client, until: Deadline) -> bool {
        let shared = &client.shared;
        self.attempts += 1;
        // In virtual time an outage does not end while this waits for it, but a counted fault is used up.
        let in_vain = !shared.blocks() && (self.attempts >= ATTEMPTS || shared.lock().faults.is_cut_off(&client.id));
        if in_vain || (shared.blocks() && until.passed(shared.clock.now())) {
            return false;
        }
        shared.pause(until, RETRY_BACKOFF);
        true
    }
}
