//! What waits because the member's place is not sure, and what is given up with it.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::{ClientError, GroupError, Lease};
use headwater_record::Timestamp;

use super::{Heard, Sender};

/// How often it is looked whether what waits may be sent.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The lease, and since when batches wait for it.
#[derive(Debug, Default)]
pub(super) struct Leased {
    lease: Option<Lease>,
    held_back: Option<(GroupError, Timestamp)>,
}

impl Leased {
    pub(super) fn obey(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        self.lease.clone()
    }

    pub(super) fn is_held_back(&self) -> bool {
        self.held_back.is_some()
    }
}

impl Sender {
    /// Looks whether batches may be sent now, and tells when that is otherwise than before. The time that they wait for the lease does
    /// not count for `delivery.timeout.ms`.
    pub(super) fn look_at_lease(&mut self, now: Timestamp) {
        let checked = match &self.leased.lease {
            Some(lease) if !self.active.is_empty() => lease.check(),
            _ => Ok(()),
        };
        let since = self.leased.held_back.map(|(_, since)| since);
        let why = self.leased.held_back.map(|(why, _)| why);
        match checked {
            Ok(()) => {
                let waited = since.map_or(Duration::ZERO, |since| now.since(since));
                self.places.iter_mut().for_each(|place| place.sequences.delay(waited));
                self.leased.held_back = None;
            }
            Err(why) => self.leased.held_back = Some((why, since.unwrap_or(now))),
        }
        if why != checked.err() {
            // Where nobody listens any more, the end is near.
            let _ = self.heard.send(Heard::HeldBack(checked.is_err()));
        }
    }

    /// Nothing is sent of what waits, nor again of what is under way.
    pub(super) fn give_up(&mut self) {
        for place in &mut self.places {
            place.sequences.give_up(&ClientError::Abandoned);
        }
    }
}
