//! What is said when others take long: the coordinator of the group, or whatever closing waits for. The workers beside the stream threads
//! look, since these may be what waits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_client::Lease;
use headwater_record::Timestamp;

use super::{Instance, ThreadState};

/// How long closing may take before it is said what it waits for.
const LONG: Duration = Duration::from_secs(5);

/// What the stream threads tell of those they depend on.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    /// For how long each stream thread's tasks are surely its own, by its number.
    leases: BTreeMap<usize, Lease>,
    /// What each of them waits for that closes.
    waits: BTreeMap<usize, &'static str>,
    silence_told: bool,
    waits_told: bool,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream thread takes part in the group.
    pub(crate) fn takes_part(&self, thread: usize, lease: Lease) {
        self.lock().leases.insert(thread, lease);
    }

    /// A stream thread that closes waits for this.
    pub(crate) fn waits_for(&self, thread: usize, what: &'static str) {
        self.lock().waits.insert(thread, what);
    }
}

impl Instance {
    /// For how long the group's coordinator has not answered some stream thread, if that is longer than a session.
    pub(super) fn coordinator_silent_for(&self) -> Option<Duration> {
        let states = self.status.thread_states();
        let lives =
            |number: &usize| states.iter().any(|(thread, state)| thread == number && *state != ThreadState::Dead);
        let watched = self.watch.lock();
        watched.leases.iter().filter(|(number, _)| lives(number)).filter_map(|(_, lease)| lease.silent_for()).max()
    }

    /// Says once what takes too long, and that it is over.
    pub(crate) fn tell_who_keeps_us_waiting(&self, now: Timestamp) {
        self.tell_of_coordinator();
        self.tell_of_closing(now);
    }

    fn tell_of_coordinator(&self) {
        if self.status.state().is_ending() {
            return;
        }
        let silent = self.coordinator_silent_for();
        let told = std::mem::replace(&mut self.watch.lock().silence_told, silent.is_some());
        match silent {
            Some(silent) if !told => tracing::warn!(
                "the coordinator of group {} has not answered for {} s, longer than session.timeout.ms: the broker is down, stands still or \
                 cannot be reached, and others may have been given the tasks of this instance; it is not ready until it is answered",
                self.config.application_id(),
                silent.as_secs()
            ),
            None if told => {
                tracing::info!("the coordinator of group {} answers again", self.config.application_id());
            }
            _ => {}
        }
    }

    fn tell_of_closing(&self, now: Timestamp) {
        let Some(closing) = self.status.closing().filter(|closing| now.since(closing.since) >= LONG) else { return };
        let states = self.status.thread_states();
        let mut watched = self.watch.lock();
        let waits = states.iter().filter(|(_, state)| *state != ThreadState::Dead).map(|(number, _)| {
            let what = watched.waits.get(number).copied();
            let what = what.unwrap_or("the record, the listener or the rebalance that it is busy with");
            format!("stream thread {number} waits for {what}")
        });
        let waits: Vec<String> = waits.collect();
        if waits.is_empty() || std::mem::replace(&mut watched.waits_told, true) {
            return;
        }
        drop(watched);
        let seconds = now.since(closing.since).as_secs();
        tracing::warn!("the application has been closing for {seconds} s: {}", waits.join(", "));
    }
}
