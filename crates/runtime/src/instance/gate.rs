//! Waiting until something is so.
#![allow(clippy::disallowed_methods, reason = "the one place where a caller's thread waits")]

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets threads wait for a condition. Whoever changes what the condition looks at opens the gate.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// How often it was opened, so that nobody misses it between looking and waiting.
    openings: Mutex<u64>,
    opened: Condvar,
}

impl Gate {
    /// Everyone who waits looks again.
    pub(crate) fn open(&self) {
        *self.openings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.opened.notify_all();
    }

    /// Waits until `is_so`, no longer than `patience`. Returns whether it is.
    pub(crate) fn wait_until(&self, patience: Option<Duration>, mut is_so: impl FnMut() -> bool) -> bool {
        let end = patience.and_then(|patience| Instant::now().checked_add(patience));
        loop {
            let seen = *self.openings.lock().unwrap_or_else(PoisonError::into_inner);
            if is_so() {
                return true;
            }
            let mut openings = self.openings.lock().unwrap_or_else(PoisonError::into_inner);
            while *openings == seen {
                match end {
                    None => openings = self.opened.wait(openings).unwrap_or_else(PoisonError::into_inner),
                    Some(end) => {
                        let left = end.saturating_duration_since(Instant::now());
                        if left.is_zero() {
                            drop(openings);
                            return is_so();
                        }
                        (openings, _) =
                            self.opened.wait_timeout(openings, left).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        }
    }
}
