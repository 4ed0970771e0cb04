//! The table that an aggregate by windows or sessions is kept in: what both kinds write into a topology.

use crate::queryable::Queryable;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{SharedSerde, Timestamp};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, Timed, TimedState};
use headwater_topology::{
    CloseIdle, Draft, Held, HoldKind, Idleness, Inlet, NodeId, Outlet, Port, StoreId, Stream, StreamTime, Table, Wiring,
};
use headwater_window::Windowed;

use super::aggregate::KeptIn;
use super::emit_final::{EmitFinal, IdleFinal};
use super::window_aggregate::millis;
use crate::grouped_stream::Placed;
use crate::old_values::OldValues;
use crate::serdes::Serdes;
use crate::view::Views;
use crate::{EmitStrategy, KStream, KTable};

/// The children of a node, who hear of changes from itself or from its store's cache.
pub(crate) type SharedOutlet<K, A> = Rc<RefCell<Outlet<Table<Windowed<K>, A>>>>;

/// When the first window ends that is still open where those are closed that ended up to a time, in milliseconds; `None` where that
/// depends on the records.
pub(crate) type NextEnd = Arc<dyn Fn(i64) -> Option<i64> + Send + Sync>;

/// How an aggregate is kept.
pub(crate) struct Kept<K> {
    pub(crate) store: StoreSpec,
    /// Whether the user named the store.
    pub(crate) named: bool,
    /// For how long windows take records after their end.
    pub(crate) grace: Duration,
    pub(crate) emit: EmitStrategy,
    /// How far behind stream time all windows end that are open then.
    pub(crate) reach_ms: i64,
    pub(crate) next_end: NextEnd,
    /// The serde of windowed keys.
    pub(crate) windowed: fn(SharedSerde<K>, &StoreSpec) -> SharedSerde<Windowed<K>>,
}

/// What a node of a running task has of it.
pub(crate) struct Live<K: 'static, V: 'static, A: 'static, T> {
    pub(crate) node: NodeId,
    pub(crate) input: Serdes<K, V>,
    pub(crate) result: Serdes<K, A>,
    pub(crate) state: Rc<TimedState<K, A, T>>,
    pub(crate) out: SharedOutlet<K, A>,
    /// Whether somebody downstream wants old values.
    pub(crate) send_old: bool,
    pub(crate) time: StreamTime,
    /// Set when results are handed on as windows close.
    pub(crate) finals: Option<EmitFinal>,
}

/// The store that an aggregate is kept in, in a draft.
pub(crate) struct KeptInTime<K: 'static, A: 'static> {
    kept: KeptIn<K, A>,
    kind: StoreKind,
    emit: EmitStrategy,
    grace: Duration,
    reach_ms: i64,
    next_end: NextEnd,
}

impl<K: 'static, A: 'static> KeptInTime<K, A> {
    /// Says that what `make` brings to life folds the records of `stream` into the store at `node`.
    pub(crate) fn fold<V: 'static, T: Timed>(
        &self,
        stream: &KStream<K, V>,
        node: NodeId,
        make: impl Fn(&mut Wiring<'_>, Live<K, V, A, T>) -> Box<dyn Inlet<Stream<K, V>>> + Send + Sync + 'static,
    ) {
        let (id, handle, kind, emit) = (self.kept.id, self.kept.handle.clone(), self.kind, self.emit);
        let (grace, reach_ms, next_end) = (self.grace, self.reach_ms, Arc::clone(&self.next_end));
        let (input, result) = (stream.serdes.clone(), self.kept.serdes.clone());
        stream.port.listen(
            node,
            Arc::new(move |wiring| {
                let state = TimedState::open(wiring, id, &handle)?;
                let out = Rc::new(RefCell::new(wiring.outlet(node)?));
                let send_old = wiring.sends_old_values(node);
                let (input, result, time) = (input.clone(), result.clone(), wiring.stream_time(id));
                let idleness = emit.idle().map(|after| Rc::new(Idleness::after(after, time.clone())));
                let finals = emit.is_final().then(|| {
                    let (time, wait_ms) = (time.clone(), millis(grace));
                    let idle = idleness.clone().map(|idleness| IdleFinal { idleness, time, wait_ms, reach_ms });
                    EmitFinal::new(handle.name(), kind, idle)
                });
                if finals.is_none() {
                    state.flush_to(FlushTo { out: Rc::clone(&out), send_old });
                }
                watch(wiring, node, (time.clone(), grace, Arc::clone(&next_end)), emit, idleness);
                Ok(make(wiring, Live { node, input, result, state, out, send_old, time, finals }))
            }),
        );
    }
}

/// The inlet of `node`, which `closes` windows when no records come, or not.
pub(crate) fn alive<K: 'static, V: 'static>(
    wiring: &mut Wiring<'_>,
    node: NodeId,
    inlet: impl Inlet<Stream<K, V>> + CloseIdle + 'static,
    closes: bool,
) -> Box<dyn Inlet<Stream<K, V>>> {
    if closes { wiring.closing_inlet(node, inlet) } else { Box::new(inlet) }
}

/// Has `node` say how its windows stand.
fn watch(
    wiring: &mut Wiring<'_>,
    node: NodeId,
    (time, grace, next_end): (StreamTime, Duration, NextEnd),
    emit: EmitStrategy,
    idleness: Option<Rc<Idleness>>,
) {
    let wait_ms = millis(grace);
    wiring.watch(node, move || {
        let next_end = time.now().is_known().then(|| next_end(time.millis().saturating_sub(wait_ms))).flatten();
        let due = next_end.map(|end| Timestamp::from_millis(end).plus(grace));
        Held {
            kind: if emit.is_final() { HoldKind::WindowFinals } else { HoldKind::WindowUpdates },
            stream_time: time.now(),
            wait_ms,
            due,
            records: None,
            bytes: None,
            idle: idleness.as_ref().map(|idleness| idleness.told(due)),
        }
    });
}

/// A table by windows or sessions in a draft: what handles of it have.
pub(crate) struct InTime<K: 'static, A: 'static> {
    /// The store's id.
    pub(crate) id: StoreId,
    /// Serdes of the table.
    pub(crate) serdes: Serdes<Windowed<K>, A>,
    /// The store, where the user named it.
    pub(crate) store: Queryable<Windowed<K>, A>,
    pub(crate) views: Views<Windowed<K>, A>,
    /// What folds records into it; `None` when its serdes are missing.
    pub(crate) kept: Option<KeptInTime<K, A>>,
}

impl<K: 'static, A: 'static> InTime<K, A> {
    /// Adds the store `store` for the node `name`.
    pub(crate) fn add<T: Timed>(draft: &Draft, name: &str, store: &str, serdes: Serdes<K, A>, kept: Kept<K>) -> Self {
        let Kept { store: spec, named, emit, windowed, grace, reach_ms, next_end } = kept;
        let key = serdes.key.as_ref().map(|key| key.map(|key| windowed(Arc::clone(key), &spec)));
        let outer: Serdes<Windowed<K>, A> = Serdes::of(key, serdes.value.clone());
        let kind = spec.kind;
        let id = draft.add_store(spec);
        let kept = KeptIn::new(draft, name, id, store, serdes);
        let views = Views::in_time::<T>(kept.as_ref().map(|kept| (id, kept.handle.clone())));
        let store = Queryable::in_time(kept.as_ref().map(|kept| kept.handle.clone()).filter(|_| named));
        let kept = kept.map(|kept| KeptInTime { kept, kind, emit, grace, reach_ms, next_end });
        InTime { id, serdes: outer, store, views, kept }
    }
}

/// Adds the aggregate that `make` brings to life.
pub(crate) fn windowed_table<K: 'static, V: 'static, A: 'static, T: Timed>(
    placed: Placed<K, V, A>,
    kept: Kept<K>,
    make: impl Fn(&mut Wiring<'_>, Live<K, V, A, T>) -> Box<dyn Inlet<Stream<K, V>>> + Send + Sync + 'static,
) -> KTable<Windowed<K>, A> {
    let Placed { upstream: stream, name, store, serdes } = placed;
    let draft = stream.draft();
    let node = draft.add_node(NodeSpec::processor(name.clone(), [stream.node()]));
    draft.set_grace(node, kept.grace);
    let InTime { id, serdes, store, views, kept } = InTime::add::<T>(draft, &name, &store, serdes, kept);
    draft.keep_in(node, id);
    if let Some(kept) = kept {
        kept.fold(&stream, node, make);
    }
    let (port, old_values) = (Port::new(draft, node), OldValues::of_store(draft, node));
    KTable { port, serdes, store, old_values, named_after: Vec::new(), views }
}
