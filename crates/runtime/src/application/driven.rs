//! An application without threads: a test or a simulation takes its turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Deadline, Partition};

use super::{GlobalThreadState, State, ThreadState};
use crate::Error;
use crate::global::{GlobalProgress, GlobalThread};
use crate::host;
use crate::instance::{Explanation, Health, Instance, LagInfo, Metadata, Snapshot, ThreadMetadata};
use crate::query::Queries;
use crate::thread::{RestoreWorker, StreamThread};

/// An application that is driven by hand: the same stream threads and restore workers, taken turn by turn by whoever holds it,
/// under the clock of its cluster. With a cluster whose clients do not wait, a virtual clock and a
/// [process id](super::Builder::process_id) the same turns give the same run every time, with any number of instances in one
/// thread.
///
/// It fails when a store is still held after its task has closed, which a service only logs. Dropping it is a crash: nothing is
/// committed, nobody leaves the group.
#[derive(Debug)]
pub struct Driven {
    instance: Arc<Instance>,
    threads: Vec<Slot>,
    global: Option<GlobalThread>,
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
        let numbers = 1..=instance.stream_threads();
        for number in numbers.clone() {
            instance.status.thread_is(number, ThreadState::Created);
        }
        if !instance.globals.is_empty() {
            instance.status.global_is(GlobalThreadState::Created);
        }
        instance.status.become_if_possible(State::Rebalancing);
        let threads = numbers.map(|number| Slot { number, live: None, dead: false }).collect();
        Driven { instance, threads, global: None }
    }

    /// Takes one turn of each of its threads: first that of the thread that fills global stores, then of each stream thread its
    /// restore worker's and its own. An error of a thread goes to the uncaught error handler, as it would with threads.
    pub fn turn(&mut self) {
        host::take_turns();
        self.turn_global();
        if !self.instance.globals.is_filled() && self.instance.status.closing().is_none() {
            return;
        }
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

    fn turn_global(&mut self) {
        let status = &self.instance.status;
        if status.global_state().is_none_or(|state| state == GlobalThreadState::Dead) {
            return;
        }
        let now = self.instance.environment.clock.now();
        let made = match &mut self.global {
            Some(thread) => Ok(thread),
            none => GlobalThread::new(&self.instance, now).map(|thread| none.insert(thread)),
        };
        let lived = made.and_then(|thread| thread.turn(now, Deadline::NOW).map(|_| thread.has_ended()));
        let is_dead = lived.unwrap_or_else(|error| {
            let is_replaced = self.instance.after_global_failure(error);
            match &mut self.global {
                Some(_) if is_replaced => self.global = None,
                Some(thread) => thread.give_up(now),
                None => return !is_replaced,
            }
            false
        });
        if is_dead {
            self.global = None;
            self.instance.global_thread_has_ended();
        }
    }

    /// Where the thread that fills global stores stands; `None` when the topology has none.
    pub fn global_thread_state(&self) -> Option<GlobalThreadState> {
        self.instance.status.global_state()
    }

    /// How far each global store is in each partition of its topic, as of the last read.
    pub fn global_progress(&self) -> Vec<GlobalProgress> {
        self.instance.globals.progress()
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.instance.status.state()
    }

    /// Reads the stores that are here, from any thread. One that takes the turns can read what was committed only: for what is not, it
    /// would have to wait for itself.
    pub fn queries(&self) -> Queries {
        Queries::of(&self.instance)
    }

    /// Where state is in the group: which instance has which stores and keys.
    pub fn metadata(&self) -> Metadata<'_> {
        self.instance.metadata()
    }

    /// What each stream thread has: its tasks, how far their inputs and stores are. As the threads told it, within the last second or so;
    /// nothing before their first turn (Java's `KafkaStreams#metadataForLocalThreads`).
    #[doc(alias = "metadataForLocalThreads")]
    pub fn local_threads(&self) -> Vec<ThreadMetadata> {
        self.instance.local_threads()
    }

    /// How far the stores of this instance that are brought up to date, standbys among them, are behind their changelogs, by name and
    /// partition. Those of tasks that process have all there is (Java's `KafkaStreams#allLocalStorePartitionLags`).
    #[doc(alias = "allLocalStorePartitionLags")]
    pub fn local_store_lags(&self) -> BTreeMap<String, BTreeMap<Partition, LagInfo>> {
        self.instance.threads.store_lags()
    }

    /// All that can be seen of this instance: its threads, tasks, nodes and stores, with what they counted.
    pub fn snapshot(&self) -> Snapshot {
        self.instance.snapshot()
    }

    /// Why the node of this name hands nothing on, or as much as it does: for each task that has it here, its stream time, which partition
    /// holds that back and since when, what waits, and until when.
    ///
    /// # Errors
    /// [`ErrorKind::Topology`](crate::ErrorKind::Topology) when there is no such node.
    pub fn explain(&self, node: &str) -> Result<Explanation, Error> {
        self.instance.explain(node)
    }

    /// Whether this instance is alive, whether it does its work, and why not.
    pub fn health(&self) -> Health {
        self.instance.health()
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
        if self.live.is_none() && !instance.globals.is_filled() {
            // Closed before it began.
            self.dead = true;
            instance.status.thread_is(self.number, ThreadState::Dead);
            return Ok(());
        }
        let now = instance.environment.clock.now();
        let (thread, worker) = match &mut self.live {
            Some(live) => live,
            none => none.insert(StreamThread::new(instance, self.number, now)?),
        };
        instance.tell_who_keeps_us_waiting(now);
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
