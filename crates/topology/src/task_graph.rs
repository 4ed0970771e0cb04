//! The live graph of one task.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use headwater_record::{Headers, RawRecord, Timestamp, Topic};
use headwater_store::cache::{Budget, CacheUse};
use headwater_store::{Asked, Store};

use crate::context::Emit;
use crate::processor::ProcessorTable;
use crate::state::{FlushStore, SeenEntry};
use crate::stream_time::StreamTimes;
use crate::tally::{Tallies, Tally};
use crate::wiring::{Closer, Watch};
use crate::{
    EdgeCount, FailureKind, Held, NodeId, ProcessError, RawInlet, RecordContext, SharedStore, StoreId, TaskClock,
    TaskContext, TaskId, Topology, Wiring, WiringError,
};

/// The typed states of a task. They let go of their nodes when it ends, and so free all that it held.
#[derive(Default)]
pub(crate) struct States {
    pub(crate) all: Vec<Rc<dyn FlushStore>>,
    /// Those that the task flushes.
    pub(crate) flushed: Vec<Flushed>,
}

impl Drop for States {
    fn drop(&mut self) {
        self.all.iter().for_each(|state| state.release());
    }
}

/// A state that the task flushes.
pub(crate) struct Flushed {
    pub(crate) store: StoreId,
    pub(crate) state: Rc<dyn FlushStore>,
    /// What is left out while it is flushed, which is its node's.
    pub(crate) tally: Rc<Tally>,
}

impl Flushed {
    /// Does `work` with the state, and charges its node with what is left out meanwhile.
    fn at(
        &self,
        cx: &mut TaskContext<'_>,
        work: impl FnOnce(&dyn FlushStore, &mut TaskContext<'_>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let left_out = cx.left_out();
        work(&*self.state, cx)?;
        cx.charge(left_out, &self.tally);
        Ok(())
    }
}

/// A source of a running task.
struct Source {
    node: NodeId,
    inlet: Box<dyn RawInlet>,
    tally: Rc<Tally>,
}

/// The live graph of one task. It stays on its thread.
pub struct TaskGraph {
    sources: Vec<Source>,
    states: States,
    times: StreamTimes,
    processors: ProcessorTable,
    tallies: Tallies,
    watches: Vec<Watch>,
    /// Those above others first.
    closers: Vec<Closer>,
}

impl TaskGraph {
    /// Brings the nodes of `sources` and all below them to life. [`TaskGraph::init`] comes next.
    ///
    /// # Errors
    /// When a serde is missing, a store is not there or of another type.
    pub fn wire(
        topology: &Topology,
        task: TaskId,
        sources: &[NodeId],
        emit: &mut dyn Emit,
        stores: &HashMap<StoreId, SharedStore>,
        cache: Rc<Budget>,
    ) -> Result<Self, WiringError> {
        let mut wiring = Wiring::new(topology, task, emit, stores, cache);
        let sources = topology
            .nodes()
            .filter(|(node, _)| sources.contains(node))
            .filter_map(|(node, spec)| Some((node, spec.source.as_ref()?)))
            .map(|(node, make)| {
                let inlet = make(&mut wiring)?;
                Ok(Source { node, inlet, tally: wiring.tallies.add(None, node) })
            })
            .collect::<Result<Vec<_>, WiringError>>()?;
        let Wiring { mut states, times, mut processors, mut tallies, watches, mut closers, .. } = wiring;
        closers.sort_by_key(|closer| closer.node);
        let order = topology.store_order();
        states.flushed.sort_by_key(|flushed| order.iter().position(|other| *other == flushed.store));
        processors.count_by(|node| tallies.add(None, node));
        Ok(TaskGraph { sources, states, times, processors, tallies, watches, closers })
    }

    /// Has operators go on with the stream time that was kept, and calls every processor's `init`, in the order in which nodes were added.
    ///
    /// # Errors
    /// [`WiringError::Init`] for the first that fails.
    pub fn init(&mut self, cx: &mut TaskContext<'_>) -> Result<(), WiringError> {
        self.times.take_over(cx.clock);
        self.begin_idleness_anew(cx.now());
        self.processors.init(cx)
    }

    /// The time of a record from its source `node`, which keeps what it decoded until the record is [pushed](TaskGraph::push); `None`
    /// when it is to be skipped.
    ///
    /// # Errors
    /// What the timestamp extractor or a handler made fatal, and when there is no such source.
    pub fn timestamp(
        &mut self,
        node: NodeId,
        cx: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        partition_time: Timestamp,
    ) -> Result<Option<Timestamp>, ProcessError> {
        let Some(source) = self.sources.iter_mut().find(|source| source.node == node) else {
            let (topic, partition, _) = cx.input();
            let from = topic.map_or("", Topic::as_str);
            return Err(ProcessError::failed(FailureKind::Input, format!("no source reads {from}-{partition}"), None));
        };
        let time = source.inlet.timestamp(cx, raw, partition_time)?;
        if time.is_none() {
            cx.take(source.tally.edge());
            cx.charge(0, &source.tally);
        }
        Ok(time)
    }

    /// Pushes one record from source `node`; what processors put off until the record is done is done then.
    ///
    /// # Errors
    /// What no handler let pass.
    pub fn push(
        &mut self,
        node: NodeId,
        cx: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        timestamp: Timestamp,
    ) -> Result<(), ProcessError> {
        if let Some(source) = self.sources.iter_mut().find(|source| source.node == node) {
            cx.take(source.tally.edge());
            source.inlet.push_raw(cx, raw, timestamp)?;
            if cx.left_out() > 0 {
                cx.charge(0, &source.tally);
            }
        }
        self.settle(cx)
    }

    /// Flushes caches that outgrew their budget while a node that does not own them was writing.
    fn settle(&mut self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        while let Some(store) = cx.deferred.pop() {
            if let Some(flushed) = self.states.flushed.iter().find(|flushed| flushed.store == store) {
                flushed.at(cx, |state, cx| state.evict(cx))?;
            }
        }
        Ok(())
    }

    /// Flushes all record caches, in the order of stores: part of a commit.
    ///
    /// # Errors
    /// What no handler let pass, as [`crate::FailureKind::Flush`].
    pub fn flush(&mut self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        for flushed in &self.states.flushed {
            flushed.at(cx, |state, cx| state.flush(cx))?;
        }
        self.settle(cx)
    }

    /// Puts what operators know of stream time to what is kept with the offsets.
    pub fn keep_stream_times(&self, clock: &mut TaskClock) {
        self.times.keep(clock);
    }

    /// Takes it away again, for good; whether there was any.
    pub fn give_up_stream_times(&mut self, clock: &mut TaskClock) -> bool {
        self.times.give_up(clock)
    }

    /// Writes into `copy`, a copy of `store` that somebody else is going to read, what lies in its cache of what is `asked` for.
    ///
    /// # Errors
    /// When a value has no bytes, or it cannot be written.
    pub fn show_cached(&self, store: StoreId, asked: &Asked<'_>, copy: &mut Store) -> Result<(), ProcessError> {
        let flushed = self.states.flushed.iter().find(|flushed| flushed.store == store);
        flushed.map_or(Ok(()), |flushed| flushed.state.show(asked, copy))
    }

    /// What a window or session store has, seen through its cache; `None` for one that has no cache.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn seen_through_cache(&self, store: StoreId) -> Result<Option<Vec<SeenEntry>>, ProcessError> {
        let flushed = self.states.flushed.iter().find(|flushed| flushed.store == store);
        flushed.map_or(Ok(None), |flushed| flushed.state.seen())
    }

    /// What went along each edge since the task began.
    pub fn edges(&self, clock: &TaskClock) -> Vec<EdgeCount> {
        self.tallies.counts(&clock.taken)
    }

    /// What operators with windows, and those that wait with records, keep back.
    pub fn held(&self) -> impl Iterator<Item = (NodeId, Held)> {
        self.watches.iter().map(|(node, held)| (*node, held()))
    }

    /// How often the record caches had what was looked for, by their stores.
    pub fn caches(&self) -> impl Iterator<Item = (StoreId, CacheUse)> {
        let caches = self.states.flushed.iter();
        caches.filter_map(|flushed| Some((flushed.store, flushed.state.cache_use()?)))
    }

    /// Fires the punctuators whose time has come. Returns whether any did.
    ///
    /// # Errors
    /// What no handler let pass.
    pub fn punctuate(&mut self, cx: &mut TaskContext<'_>, kind: crate::PunctuationType) -> Result<bool, ProcessError> {
        let fired = self.processors.punctuate(cx, kind)?;
        self.settle(cx)?;
        Ok(fired)
    }

    /// Whether any operator closes what is open when no records come.
    pub fn closes_idle(&self) -> bool {
        !self.closers.is_empty()
    }

    /// Has such operators count from `now` on, as if a record had come: nobody looked, so none could be seen.
    pub fn begin_idleness_anew(&self, now: Timestamp) {
        for closer in &self.closers {
            if let Some(idleness) = closer.inlet.borrow().idleness() {
                idleness.came(now);
            }
        }
    }

    /// Has operators close what is due where no records came for long enough. What lies in record caches is handed on before, since it may belong to
    /// what is closed. Returns whether anything was closed.
    ///
    /// # Errors
    /// What no handler let pass.
    pub fn close_idle(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ProcessError> {
        if !self.closers.iter().any(|closer| closer.inlet.borrow().is_due(cx)) {
            return Ok(false);
        }
        self.flush(cx)?;
        let (now, mut closed) = (cx.now(), false);
        for Closer { name, inlet, tally, .. } in &self.closers {
            if !inlet.borrow().is_due(cx) {
                continue;
            }
            closed |= cx.outside_input(RecordContext::punctuation(now), |cx| {
                let closed = inlet.borrow_mut().close_idle(cx);
                closed.or_else(|error| cx.node_failed(name, now, &Headers::new(), error).map(|()| true))
            })?;
            cx.charge(0, tally);
        }
        self.settle(cx)?;
        // Stream time went on without a record whose offset it could go with.
        cx.clock.remembered_anew |= closed;
        Ok(closed)
    }

    /// When the next wall clock punctuation is due.
    pub fn next_wall_clock(&self) -> Option<Timestamp> {
        self.processors.next_wall_clock()
    }

    /// Calls every processor's `close`.
    pub fn close(&mut self) {
        self.processors.close();
    }
}

impl fmt::Debug for TaskGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGraph").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}
