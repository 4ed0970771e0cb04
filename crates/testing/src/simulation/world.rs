//! The world of one seed: a cluster, a clock, and instances that take their turns on one thread.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_client_memory::{Cluster, ClusterConfig, ManualClock};
use headwater_record::{Clock as _, Headers, Offset, Timestamp, Topic, TopicPartition};
use headwater_runtime::{Driven, KafkaStreams, NoDefault, StoreMakers};
use headwater_store_memory::MemoryStores;

use super::clients::WatchedClients;
use super::disk::Disk;
use super::input::InputRecord;
use super::ledger::Ledger;
use super::output::text;
use super::plan::Plan;
use super::process::Process;
use super::report::Kind;
use super::stores::{WatchedStores, Witness};
use super::{Dice, Simulation};

/// The `application.id`.
pub(crate) const APPLICATION: &str = "simulated";

/// How much time passes between two turns of all.
const TICK: Duration = Duration::from_millis(20);

/// An instance.
pub(super) struct Slot {
    pub(super) process: Arc<Process>,
    /// Which state directory it has.
    pub(super) place: usize,
    /// `None` while it takes its turn, or stands still in the middle of one.
    pub(super) driven: Option<Driven>,
    pub(super) closing: bool,
    /// Takes no turn before this time.
    pub(super) asleep: Option<Timestamp>,
}

/// What is counted for the report.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) crashes: Cell<u32>,
    pub(super) pauses: Cell<u32>,
    pub(super) faults: Cell<u32>,
    pub(super) turns: Cell<u64>,
}

/// A cluster, a clock, and instances.
pub(crate) struct World {
    pub(super) simulation: Simulation,
    pub(super) plan: Plan,
    pub(super) clock: ManualClock,
    pub(super) cluster: Cluster,
    pub(super) ledger: Arc<Ledger>,
    pub(super) disk: Disk,
    pub(super) witness: Witness,
    pub(super) dice: RefCell<Dice>,
    pub(super) slots: RefCell<Vec<Slot>>,
    /// What is still to be fed, the first in front.
    pub(super) to_feed: RefCell<VecDeque<(Topic, InputRecord)>>,
    pub(super) counts: Counts,
    /// Up to where input was committed when last looked at.
    pub(super) committed: RefCell<BTreeMap<TopicPartition, Offset>>,
    /// The topics that were compacted.
    pub(super) compacted: RefCell<BTreeSet<Topic>>,
    /// How many instances stand still in the middle of a turn.
    pub(super) frozen: Cell<usize>,
    directory: PathBuf,
    next: Cell<u128>,
    trace: RefCell<String>,
}

impl World {
    pub(super) fn new(simulation: &Simulation, plan: Plan, dice: Dice, directory: PathBuf) -> Rc<Self> {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let config = ClusterConfig { transaction_protocol: plan.protocol, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(clock.clone()), config);
        Rc::new(World {
            simulation: simulation.clone(),
            plan,
            clock,
            cluster,
            ledger: Arc::default(),
            disk: Disk::default(),
            witness: Witness::default(),
            dice: RefCell::new(dice),
            slots: RefCell::default(),
            to_feed: RefCell::default(),
            counts: Counts::default(),
            committed: RefCell::default(),
            compacted: RefCell::default(),
            frozen: Cell::new(0),
            directory,
            next: Cell::new(1),
            trace: RefCell::default(),
        })
    }

    /// Writes a line of the trace, if somebody wants one.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if self.simulation.traced {
            let now = self.clock.now().millis() - 1_000_000;
            // Writing into a text does not fail.
            let _ = writeln!(self.trace.borrow_mut(), "{now:>8} {}", line());
        }
    }

    /// Writes what lies in all topics.
    pub(super) fn tell_topics(&self) {
        for topic in self.cluster.topics() {
            let committed = self.cluster.committed_records(&topic);
            let mut seen = committed.iter().map(|(partition, record)| (*partition, record.offset)).peekable();
            for (partition, record) in self.cluster.records(&topic) {
                let is_seen = seen.next_if_eq(&(partition, record.offset)).is_some();
                let (key, value) = (text(record.key.as_deref()), text(record.value.as_deref()));
                let (offset, timestamp) = (record.offset, record.timestamp.millis());
                let mark = if is_seen { ' ' } else { '!' };
                self.tell(|| format!("{mark}{topic}-{partition} {offset}: {key} = {value} @{timestamp}"));
            }
        }
    }

    pub(super) fn take_trace(&self) -> String {
        self.trace.take()
    }

    pub(super) fn throw<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.dice.borrow_mut())
    }

    /// Where state directory `place` lies.
    pub(super) fn place(&self, place: usize) -> PathBuf {
        self.directory.join(place.to_string())
    }

    /// Starts an instance on state directory `place`, which no other may have.
    pub(super) fn start(&self, place: usize) {
        let id = self.next.get();
        self.next.set(id + 1);
        let process = Arc::new(Process::new(format!("i{id}")));
        let threads = 1 + self.throw(|dice| dice.below(self.plan.most_threads)) as usize;
        let clients = WatchedClients {
            cluster: self.cluster.clone(),
            process: Arc::clone(&process),
            ledger: Arc::clone(&self.ledger),
            application: APPLICATION.into(),
        };
        let watched =
            |inner, disk| WatchedStores { inner, disk, process: Arc::clone(&process), witness: self.witness.clone() };
        let persistent = match &self.simulation.persistent {
            Some(given) => watched(Arc::clone(given), None),
            None => watched(Arc::new(MemoryStores::in_place_of_disk()), Some(self.disk.clone())),
        };
        let stores = StoreMakers {
            in_memory: Arc::new(watched(Arc::new(MemoryStores::new()), None)),
            persistent: Some(Arc::new(persistent)),
        };
        let guarantee = if self.plan.exactly_once { "exactly_once_v2" } else { "at_least_once" };
        let by_default = if self.plan.on_disk { "rocksDB" } else { "in_memory" };
        let driven = KafkaStreams::<NoDefault>::builder((self.simulation.topology)())
            .application_id(APPLICATION)
            .on(&clients)
            .stores(stores)
            .set("processing.guarantee", guarantee)
            .set("dsl.store.suppliers.class", by_default)
            .set_all(&self.plan.settings)
            .set_all(&self.simulation.settings)
            .state_dir(self.place(place))
            .threads(threads)
            .process_id(id)
            .drive();
        self.tell(|| format!("{} starts: {threads} threads, state directory {place}", process.name()));
        match driven {
            Ok(driven) => {
                let slot = Slot { process, place, driven: Some(driven), closing: false, asleep: None };
                self.slots.borrow_mut().push(slot);
            }
            Err(error) => self.ledger.violated(Kind::Died, format!("{} does not start: {error}", process.name())),
        }
    }

    /// Each instance takes a turn, so many times.
    pub(super) fn turns(&self, turns: u64) {
        for _ in 0..turns {
            self.round();
            self.clock.advance(TICK);
        }
    }

    /// Each instance takes a turn.
    pub(super) fn round(&self) {
        let all: Vec<_> = self.slots.borrow().iter().map(|slot| Arc::clone(&slot.process)).collect();
        for process in all {
            self.turn(&process);
        }
    }

    fn turn(&self, process: &Arc<Process>) {
        let now = self.clock.now();
        let taken = self.with_slot(process, |slot| match slot.asleep {
            Some(until) if until > now => None,
            _ => slot.driven.take(),
        });
        let Some(mut driven) = taken.flatten() else { return };
        self.counts.turns.set(self.counts.turns.get() + 1);
        let before = driven.state();
        if !process.is_dead() {
            driven.turn();
        }
        if process.is_dead() {
            self.bury(process, driven);
            return;
        }
        let state = driven.state();
        if state != before {
            self.tell(|| format!("{} is {state:?}", process.name()));
        }
        if !state.is_final() {
            self.with_slot(process, |slot| slot.driven = Some(driven));
            return;
        }
        let closing = self.with_slot(process, |slot| slot.closing);
        if let (Err(error), Some(false)) = (driven.outcome(), closing) {
            self.tell(|| format!("{} ended: {error}", process.name()));
            self.ledger.violated(Kind::Died, format!("{} ended by itself: {error}", process.name()));
        }
        drop(driven);
        self.slots.borrow_mut().retain(|slot| !Arc::ptr_eq(&slot.process, process));
    }

    /// The process is dead: what it had on disk is what is left of it.
    pub(super) fn bury(&self, process: &Arc<Process>, driven: Driven) {
        process.die();
        let lost = self.throw(|dice| self.disk.crash(process.name(), dice));
        self.counts.crashes.set(self.counts.crashes.get() + 1);
        self.tell(|| format!("{} is dead, {lost} commits of its stores are lost", process.name()));
        drop(driven);
        self.slots.borrow_mut().retain(|slot| !Arc::ptr_eq(&slot.process, process));
    }

    pub(super) fn with_slot<T>(&self, process: &Arc<Process>, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let mut slots = self.slots.borrow_mut();
        slots.iter_mut().find(|slot| Arc::ptr_eq(&slot.process, process)).map(act)
    }

    /// The others go on while `process` stands still in the middle of its turn: nothing of it is heard for so long.
    pub(super) fn pause(&self, process: &Process, duration: Duration) {
        if self.frozen.get() >= 2 {
            return;
        }
        self.frozen.set(self.frozen.get() + 1);
        self.counts.pauses.set(self.counts.pauses.get() + 1);
        let until = self.clock.now().plus(duration);
        for client in process.client_ids() {
            self.cluster.faults().of_client(client).unreachable_until(until);
        }
        // A long pause is as many turns of the others as a short one.
        let rounds = 1 + self.throw(|dice| dice.below(40));
        let step = (duration / u32::try_from(rounds).unwrap_or(1)).max(Duration::from_millis(1));
        for _ in 0..rounds {
            if self.throw(|dice| dice.one_in(4)) {
                self.disturb();
            }
            self.round();
            self.clock.advance(step);
        }
        self.clock.set(self.clock.now().max(until));
        self.frozen.set(self.frozen.get() - 1);
        self.tell(|| format!("{} goes on", process.name()));
    }

    /// Feeds at most so many records.
    pub(super) fn feed(&self, count: usize) {
        for _ in 0..count {
            let Some((topic, record)) = self.to_feed.borrow_mut().pop_front() else { return };
            self.write(&topic, &record);
        }
    }

    pub(super) fn write(&self, topic: &Topic, record: &InputRecord) {
        let InputRecord { key, value, timestamp, partition } = record;
        let (key, value, none) = (key.as_deref(), value.as_deref(), Headers::new());
        let written = match partition {
            Some(partition) => {
                let to = TopicPartition::new(topic.clone(), *partition);
                self.cluster.produce_to(&to, key, value, *timestamp, &none).map(|_| ())
            }
            None => self.cluster.produce(topic, key, value, *timestamp, &none).map(|_| ()),
        };
        if let Err(error) = written {
            self.ledger.violated(Kind::Died, format!("an input record cannot be written: {error}"));
        }
    }
}
