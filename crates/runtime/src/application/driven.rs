//! An application without threads: a test or a simulation takes its turns.

use std::sync::Arc;

use super::{Instance, State, ThreadState};
use crate::Error;
use crate::thread::{RestoreWorker, StreamThread};
use headwater_record::Deadline;

/// An application that is driven by hand: the same stream threads and restore workers, taken turn by turn by whoever holds it,
/// under the clock of its cluster. With a cluster whose clients do not wait, a virtual clock and a
/// [process id](super::Builder::process_id) the same turns give the same run every time, with any number of instances in one
/// thread.
///
/// Dropping it is a crash: nothing is committed, nobody leaves the group.
#[derive(Debug)]
pub struct Driven {
    instance: Arc<Instance>,
    threads: Vec<Slot>,
}

/// A stream thread, until it has ended.
#[derive(Debug)]
struct Slot {
    number: usize,
    live: Option<(StreamThread, RestoreWorker)>,
    dead: bool,
}

impl Driven {
    pub(super) fn of(instance: Arc<Instance>) -> Self {
        let numbers = 1..=instance.config.threads();
        for number in numbers.clone() {
            instance.status.thread_is(number, ThreadState::Created);
        }
        instance.status.become_if_possible(State::Rebalancing);
        let threads = numbers.map(|number| Slot { number, live: None, dead: false }).collect();
        Driven { instance, threads }
    }

    /// Takes one turn of each of its threads: first its restore worker's, then its own. An error of a thread goes to the uncaught
    /// error handler, as it would with threads.
    pub fn turn(&mut self) {
        for slot in &mut self.threads {
            if slot.dead {
                continue;
            }
            if let Err(error) = slot.turn(&self.instance) {
                if let Some((mut thread, _)) = slot.live.take() {
                    thread.abandon(self.instance.environment.clock.now());
                }
                if !self.instance.after_failure(slot.number, error) {
                    slot.dead = true;
                    self.instance.status.thread_is(slot.number, ThreadState::Dead);
                }
            }
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.instance.status.state()
    }

    /// Where its threads stand, by their numbers.
    pub fn thread_states(&self) -> Vec<(usize, ThreadState)> {
        self.instance.status.thread_states()
    }

    /// Begins to close it; turns end it.
    pub fn begin_close(&self, options: super::CloseOptions) {
        self.instance.begin_close(options);
    }

    /// The error that ended it, if one did.
    ///
    /// # Errors
    /// That error.
    pub fn outcome(&self) -> Result<(), Error> {
        self.instance.status.outcome()
    }
}

impl Slot {
    fn turn(&mut self, instance: &Arc<Instance>) -> Result<(), Error> {
        let now = instance.environment.clock.now();
        let (thread, worker) = match &mut self.live {
            Some(live) => live,
            none => none.insert(StreamThread::new(instance, self.number, now)?),
        };
        worker.turn(now, Deadline::NOW);
        thread.turn(now)?;
        if thread.has_ended() {
            self.live = None;
            self.dead = true;
            instance.status.thread_is(self.number, ThreadState::Dead);
        }
        Ok(())
    }
}
