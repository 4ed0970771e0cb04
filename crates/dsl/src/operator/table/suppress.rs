//! `suppress`: fewer changes of a table, later.

mod meters;

use crate::queryable::Queryable;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::Timestamp;
use headwater_store::suppress::SuppressBuffers;
use headwater_store::{StoreKind, StoreSpec, StoreType};
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{StoreHandle, SuppressState};
use headwater_topology::{
    CloseIdle, Draft, DropReason, Held, HoldKind, Idleness, Inlet, NodeId, Outlet, Port, ProcessError, StoreId,
    StreamTime, Table, TaskContext, TopologyError, Update, Wiring, WiringError,
};

use self::meters::Meters;
use crate::old_values::OldValues;
use crate::operator::{GivenBy, missing_serde};
use crate::option::{Bounds, Until};
use crate::serdes::Known;
use crate::view::{Found, Lookup, Source, View, Views};
use crate::{KTable, Suppressed};

/// Java's `KTableSuppressProcessor`.
struct Suppress<K: 'static, V: 'static> {
    name: Arc<str>,
    state: Rc<SuppressState<K, V>>,
    until: Until<K>,
    wait_ms: i64,
    bounds: Bounds,
    time: StreamTime,
    /// Set when it goes on without records.
    idleness: Option<Rc<Idleness>>,
    meters: Meters,
    out: Outlet<Table<K, V>>,
}

impl<K: 'static, V: Clone + 'static> Inlet<Table<K, V>> for Suppress<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        if self.is_told(&update) {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        let due = self.time.observe(update.timestamp).saturating_sub(self.wait_ms);
        if let Some(idleness) = &self.idleness {
            idleness.came(cx.now());
        }
        let time = match self.until {
            Until::TimeLimit(_) => update.timestamp,
            Until::WindowCloses(end) => end(update.key),
        };
        self.state.put(cx, time, update)?;
        self.tell_buffered();
        self.release_while(cx, |this| this.state.first_time().is_some_and(|time| time.millis() <= due))?;
        if self.is_full() && self.bounds.shuts_down {
            return Err(ProcessError::user(self.too_full()));
        }
        self.release_while(cx, Self::is_full)
    }
}

impl<K: 'static, V: Clone + 'static> Suppress<K, V> {
    /// Whether the window of `update` was closed while no records came, and its result told. The table above goes by the times of its
    /// records, and takes more of them.
    fn is_told(&self, update: &Update<'_, K, V>) -> bool {
        match self.until {
            Until::WindowCloses(end) if self.idleness.is_some() => {
                end(update.key).millis() <= self.time.millis().saturating_sub(self.wait_ms)
            }
            _ => false,
        }
    }

    /// The stream time at which the first change is due, if it has come because no record has for so long.
    fn idle_due(&self, now: Timestamp) -> Option<Timestamp> {
        let (_, time_ms) = self.idleness.as_ref()?.passed(now)?;
        let due_ms = self.state.first_time()?.millis().saturating_add(self.wait_ms);
        (due_ms <= time_ms).then(|| Timestamp::from_millis(due_ms))
    }

    fn is_full(&self) -> bool {
        let Bounds { max_records, max_bytes, .. } = self.bounds;
        self.state.len() as u64 > max_records || self.state.bytes() as u64 > max_bytes
    }

    fn release_while(&mut self, cx: &mut TaskContext<'_>, wanted: impl Fn(&Self) -> bool) -> Result<(), ProcessError> {
        if !wanted(self) {
            return Ok(());
        }
        while wanted(self) {
            self.release_first(cx)?;
        }
        self.tell_buffered();
        Ok(())
    }

    fn release_first(&mut self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        // Of a final result nobody has heard before, so nobody needs to hear that there is none.
        let drops_deletions = matches!(self.until, Until::WindowCloses(_));
        let (out, meters) = (&mut self.out, &self.meters);
        self.state.release_first(cx, |cx, update| {
            if update.change.new.is_none() && drops_deletions {
                return Ok(());
            }
            out.push(cx, update)?;
            meters.emitted();
            Ok(())
        })
    }

    fn tell_buffered(&self) {
        self.meters.buffered(self.state.len(), self.state.bytes());
    }

    fn too_full(&self) -> String {
        let Bounds { max_records, max_bytes, .. } = self.bounds;
        let (name, records, bytes) = (&self.name, self.state.len(), self.state.bytes());
        format!(
            "{name} buffer exceeded its max capacity. Currently [{records}/{max_records}] records and [{bytes}/{max_bytes}] bytes."
        )
    }
}

impl<K: 'static, V: Clone + 'static> CloseIdle for Suppress<K, V> {
    fn idleness(&self) -> Option<&Idleness> {
        self.idleness.as_deref()
    }

    fn is_due(&self, cx: &TaskContext<'_>) -> bool {
        self.idle_due(cx.now()).is_some()
    }

    fn close_idle(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ProcessError> {
        let mut closed = false;
        while let Some(due) = self.idle_due(cx.now()) {
            self.time.observe(due);
            self.release_first(cx)?;
            closed = true;
        }
        self.tell_buffered();
        Ok(closed)
    }
}

/// What was handed on last: for keys that wait, what they had before.
struct Released<K: 'static, V: 'static> {
    parent: Views<K, V>,
    store: StoreId,
    handle: StoreHandle<K, V>,
}

struct ReleasedView<K: 'static, V: 'static> {
    parent: Box<dyn View<K, V>>,
    state: Rc<SuppressState<K, V>>,
}

impl<K: 'static, V: Clone + 'static> Source<K, V> for Released<K, V> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        draft.connect(node, self.store);
        self.parent.connect(draft, node);
    }
    fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<Box<dyn View<K, V>>, WiringError> {
        let state = SuppressState::open(wiring, self.store, &self.handle)?;
        Ok(Box::new(ReleasedView { parent: self.parent.open(wiring, node)?, state }))
    }
}

impl<K: 'static, V: Clone + 'static> View<K, V> for ReleasedView<K, V> {
    fn get(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>) -> Result<Option<Found<V>>, ProcessError> {
        self.state.prior_or_else(wanted.key, || self.parent.get(cx, wanted))
    }
}

impl<K: 'static, V: Clone + 'static> KTable<K, V> {
    /// Keeps changes back for a time, so that of many changes of a key only the last is handed on (`KTable#suppress`, KIP-328).
    ///
    /// The changes wait in memory, in the order in which their keys came, and in a changelog. How many wait, how much they weigh,
    /// and how many are handed on is told to the recorder of the crate `metrics` that was installed before the application started:
    /// `headwater_suppression_buffer_records`, `headwater_suppression_buffer_bytes` (by task and store) and
    /// `headwater_suppression_emit_total` (by task and node), on the level `DEBUG`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::dsl::{BufferConfig, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let buffer = BufferConfig::max_records(10_000).emit_early_when_full();
    /// builder
    ///     .table::<String, i64>("stock")
    ///     .suppress(Suppressed::until_time_limit(Duration::from_secs(60), buffer))
    ///     .to_stream()
    ///     .to("stock-by-the-minute");
    /// assert!(builder.build()?.describe().contains("KTABLE-SUPPRESS-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn suppress(&self, suppressed: Suppressed<K, V>) -> Self {
        let Suppressed { serdes, own_value, name, until, idle, bounds, logging } = suppressed;
        let draft = self.draft();
        if draft.is_versioned(self.node()) {
            draft.mistake(TopologyError::Invalid(self.versions_are_not_suppressed()));
        }
        let (name, store) = match name {
            Some(name) => (draft.checked(&name), format!("{name}-store")),
            None => (draft.next_name("KTABLE-SUPPRESS-"), draft.next_name("KTABLE-SUPPRESS-STATE-STORE-")),
        };
        let wait = self.wait(until);
        self.old_values.ask(true);
        let spec = StoreSpec {
            logging,
            store_type: StoreType::Custom(Arc::new(SuppressBuffers)),
            ..StoreSpec::new(store.as_str(), StoreKind::Suppress)
        };
        let id = draft.add_store(spec);
        let node = draft.add_node(NodeSpec::processor(name.as_str(), [self.node()]).with_store(id));
        draft.lies_as(node, BTreeSet::new());
        let mut serdes = serdes.or(&self.serdes);
        serdes.value = serdes.value.or_else(|| own_value.map(|own| Known::own(own())));
        let views = if let Some((key, value)) = serdes.both() {
            let handle = StoreHandle::with(store, key, value);
            self.listen_to_suppress(node, (id, handle.clone()), (until, wait, idle), bounds);
            Views::new(Released { parent: self.views.clone(), store: id, handle })
        } else {
            draft.mistake(missing_serde(&name, &serdes, GivenBy::Suppressed));
            self.views.clone()
        };
        let old_values = OldValues::of_table(draft, node, &self.old_values);
        KTable {
            port: Port::new(draft, node),
            serdes,
            store: Queryable::Nothing,
            old_values,
            named_after: Vec::new(),
            views,
        }
    }

    fn versions_are_not_suppressed(&self) -> String {
        let inherited = self.draft().node(self.node()).is_some_and(|node| node.keeps.is_none());
        let note = if inherited { " (note that version semantics might be inherited from upstream)" } else { "" };
        format!("suppress() is only supported for non-versioned KTables{note}")
    }

    /// For how long changes wait. That a table has no windows which close is a mistake.
    fn wait(&self, until: Until<K>) -> Duration {
        match until {
            Until::TimeLimit(limit) => limit,
            Until::WindowCloses(_) => self.draft().window_grace(self.node()).unwrap_or_else(|mistake| {
                self.draft().mistake(mistake);
                Duration::ZERO
            }),
        }
    }

    fn listen_to_suppress(
        &self,
        node: NodeId,
        (id, handle): (StoreId, StoreHandle<K, V>),
        (until, wait, idle): (Until<K>, Duration, Option<Duration>),
        bounds: Bounds,
    ) {
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.port.listen(
            node,
            Arc::new(move |wiring| {
                let name = wiring.name(node);
                let state = SuppressState::open(wiring, id, &handle)?;
                let meters = Meters::new(wiring, node, handle.name());
                let (time, out) = (wiring.stream_time(id), wiring.outlet(node)?);
                let idleness = idle.map(|after| Rc::new(Idleness::after(after, time.clone())));
                let (waiting, observed, told) = (Rc::clone(&state), time.clone(), idleness.clone());
                wiring.watch(node, move || {
                    let due = waiting.first_time().map(|time| time.plus(wait));
                    Held {
                        kind: HoldKind::Suppressed,
                        stream_time: observed.now(),
                        wait_ms,
                        due,
                        records: Some(waiting.len() as u64),
                        bytes: Some(waiting.bytes() as u64),
                        idle: told.as_ref().map(|idleness| idleness.told(due)),
                    }
                });
                let suppress = Suppress { name, state, until, wait_ms, bounds, time, idleness, meters, out };
                suppress.tell_buffered();
                if idle.is_none() { Ok(Box::new(suppress)) } else { Ok(wiring.closing_inlet(node, suppress)) }
            }),
        );
    }
}
