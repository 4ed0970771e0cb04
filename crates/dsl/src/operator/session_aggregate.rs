//! Aggregates by windows of activity (Java's `KStreamSessionWindowAggregate`).

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Headers, Record, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::{RowFormat, StoreKind, StoreSpec};
use headwater_topology::state::{BySession, Found, KeyBuf, Keys, SessionState, Wanted};
use headwater_topology::{
    Change, CloseIdle, Draft, DropReason, Idleness, Inlet, ProcessError, Stream, StreamTime, TaskContext,
    TopologyError, Update, Wiring,
};
use headwater_window::{SessionWindowedSerde, SessionWindows, Window, Windowed};

use super::emit_final::EmitFinal;
use super::folding::Folding;
use super::row_format;
use super::window_aggregate::millis;
use super::windowed_table::{Kept, Live, SharedOutlet, alive, windowed_table};
use crate::grouped_stream::Placed;
use crate::serdes::Serdes;
use crate::{EmitStrategy, KTable, Materialized};

/// Makes one aggregate of two: that of the sessions so far, if there is one, and that of one more session.
pub(crate) type Merge<K, A> = Arc<dyn Fn(&K, Option<A>, &A) -> Result<A, ProcessError> + Send + Sync>;

/// An aggregate by sessions that is wanted.
pub(crate) struct SessionSpec<K, V, A> {
    pub(crate) windows: SessionWindows,
    pub(crate) emit: EmitStrategy,
    pub(crate) materialized: Materialized<K, A>,
    pub(crate) folding: Folding<K, V, A>,
    pub(crate) merge: Merge<K, A>,
}

struct SessionAggregate<K: 'static, V: 'static, A: 'static> {
    windows: SessionWindows,
    input: Serdes<K, V>,
    result: Serdes<K, A>,
    state: Rc<SessionState<K, A>>,
    out: SharedOutlet<K, A>,
    send_old: bool,
    folding: Folding<K, V, A>,
    merge: Merge<K, A>,
    time: StreamTime,
    /// Set when sessions are handed on as they close.
    finals: Option<EmitFinal>,
}

impl<K: Clone + 'static, V: 'static, A: 'static> SessionAggregate<K, V, A> {
    fn process(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<(), ProcessError> {
        let (earliest_end, latest_start) = self.windows.reach(record.timestamp);
        let wanted = Wanted { from: earliest_end, to: Timestamp::MAX, latest_start };
        let merged = self.state.find_of_key(key, wanted, Order::Forward)?;
        let alone = Window::new(record.timestamp, record.timestamp);
        let session = merged.iter().fold(alone, |session, found| session.merged(&found.window));
        if session.end.millis() < close {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        // Everything that may fail comes before the first change.
        let mut aggregate = self.folding.initial.as_ref().map(|initial| initial());
        for found in &merged {
            let merge = |value: Option<&A>| match value {
                Some(value) => (self.merge)(record.key, aggregate.take(), value).map(Some),
                None => Ok(aggregate.take()),
            };
            let made = self.state.look(found, merge)??;
            // What sessions are reduced to may be null: then a reduction begins again.
            aggregate = made.filter(|value| self.folding.initial.is_some() || !self.result.value_is_null(value));
        }
        let folded = (self.folding.fold)(record.key, record.value, &mut aggregate)?;
        if session != alone {
            for found in &merged {
                self.remove(cx, key, found, record)?;
            }
        }
        let new = (!self.result.value_is_null(&folded)).then_some(folded);
        self.put(cx, key, session, new, record)
    }

    fn remove(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        found: &Found,
        record: Record<'_, K, V>,
    ) -> Result<(), ProcessError> {
        let forwards = !self.state.is_cached() && self.finals.is_none();
        let old = if forwards && self.send_old { self.state.value_of(found)? } else { None };
        let context = cx.record_context(record.timestamp, record.headers);
        self.state.set(cx, key, found.window, None, Timestamp::UNKNOWN, context)?;
        if !forwards {
            return Ok(());
        }
        let old = old.map(|stamped| stamped.value);
        self.forward(cx, record.key, found.window, Change::new(&None, &old))
    }

    fn put(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        session: Window,
        new: Option<A>,
        record: Record<'_, K, V>,
    ) -> Result<(), ProcessError> {
        // Java keeps no headers with a session, even in a store that could; where there is nothing to keep, the changelog has them.
        let none = Headers::new();
        let headers = if self.state.keeps_headers_only() && new.is_some() { &none } else { record.headers };
        let context = cx.record_context(record.timestamp, headers);
        if self.state.is_cached() || self.finals.is_some() {
            return self.state.set(cx, key, session, new, Timestamp::UNKNOWN, context);
        }
        self.state.set_ref(cx, key, session, new.as_ref(), &context)?;
        self.forward(cx, record.key, session, Change::new(&new, &None))
    }

    fn forward(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        session: Window,
        change: Change<'_, A>,
    ) -> Result<(), ProcessError> {
        let key = Windowed::new(key.clone(), session);
        // As Java's: the change is a new record, without headers.
        let update = Update { key: &key, change, timestamp: session.end, headers: &Headers::new() };
        self.out.borrow_mut().push(cx, update)
    }

    /// Hands on the sessions that have closed since this was done last, and keeps how far that was.
    fn emit(&mut self, cx: &mut TaskContext<'_>, headers: &Headers, close: i64) -> Result<(), ProcessError> {
        let told = self.tell(cx, headers, close)?;
        if let Some(finals) = self.finals.as_mut().filter(|_| told.is_some()) {
            finals.done(cx, close);
        }
        Ok(())
    }

    /// Hands on the sessions that have closed since this was done last: how many, if any could.
    fn tell(&self, cx: &mut TaskContext<'_>, headers: &Headers, close: i64) -> Result<Option<usize>, ProcessError> {
        let Some(finals) = &self.finals else { return Ok(None) };
        let (from, to) = (finals.last_close_ms().unwrap_or(0).max(0), close.saturating_sub(1));
        if to < from {
            return Ok(None);
        }
        let wanted =
            Wanted { from: Timestamp::from_millis(from), to: Timestamp::from_millis(to), latest_start: Timestamp::MAX };
        let (out, mut told) = (&self.out, 0);
        self.state.visit(cx, Keys::Between(None, None), wanted, Order::Forward, |cx, key, stamped| {
            let new = Some(stamped.value);
            let change = Change::new(&new, &None);
            let update = Update { key: &key, change, timestamp: key.window.end, headers };
            told += 1;
            out.borrow_mut().push(cx, update)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Some(told))
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> Inlet<Stream<K, V>> for SessionAggregate<K, V, A> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if self.input.key_is_null(record.key) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let open = millis(self.windows.grace()).saturating_add(millis(self.windows.inactivity_gap()));
        let closed = self.time.millis().saturating_sub(open);
        if self.finals.as_mut().is_some_and(|finals| finals.is_pressing(cx, record.timestamp, closed)) {
            self.emit(cx, record.headers, closed)?;
        }
        let close = self.time.observe(record.timestamp).saturating_sub(open);
        if let Some(finals) = &mut self.finals {
            finals.came(cx);
        }
        self.state.with_key(record.key, |key| self.process(cx, key, record, close))?;
        let due = self.finals.as_mut().is_some_and(|finals| finals.is_due(cx, close));
        if due { self.emit(cx, record.headers, close) } else { Ok(()) }
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> CloseIdle for SessionAggregate<K, V, A> {
    fn idleness(&self) -> Option<&Idleness> {
        self.finals.as_ref()?.idleness()
    }

    fn is_due(&self, cx: &TaskContext<'_>) -> bool {
        self.finals.as_ref().is_some_and(|finals| finals.idle_time(cx, &|_| None).is_some())
    }

    fn close_idle(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ProcessError> {
        let Some(close) = self.finals.as_mut().and_then(|finals| finals.go_on(cx, &|_| None)) else { return Ok(false) };
        let told = self.tell(cx, &Headers::new(), close)?;
        Ok(self.finals.as_mut().is_some_and(|finals| finals.went_on(cx, close, told)))
    }
}

fn store_spec<K, A>(
    name: &str,
    windows: SessionWindows,
    emit: EmitStrategy,
    materialized: &Materialized<K, A>,
    format: RowFormat,
) -> StoreSpec {
    let retention = materialized.retention.unwrap_or_else(|| windows.retention());
    let finals = emit.is_final();
    let kind = StoreKind::Session {
        retention,
        segment_interval: StoreKind::default_segment_interval(retention),
        time_ordered: finals,
    };
    let spec = materialized.key_value_spec(name, format);
    let format = spec.format.without_timestamp();
    StoreSpec { caching: materialized.caching && !finals, kind, format, ..spec }
}

/// How an aggregate by sessions is kept in the store `store`. That it forgets too early is a mistake.
pub(crate) fn kept_by_sessions<K: 'static, A>(
    draft: &Draft,
    store: &str,
    windows: SessionWindows,
    emit: EmitStrategy,
    materialized: &Materialized<K, A>,
) -> Kept<K> {
    if let Some(retention) = materialized.retention.filter(|retention| *retention < windows.retention()) {
        draft.mistake(TopologyError::Argument(format!(
            "The retention period of the session store {store} must be no smaller than the session inactivity gap plus the grace period. Got gap=[{}], grace=[{}], retention=[{}]",
            windows.inactivity_gap().as_millis(),
            windows.grace().as_millis(),
            retention.as_millis()
        )));
    }
    if let Err(mistake) = materialized.without_versions(store) {
        draft.mistake(mistake);
    }
    Kept {
        store: store_spec(store, windows, emit, materialized, row_format(draft)),
        named: materialized.name.is_some(),
        grace: windows.grace().saturating_add(windows.inactivity_gap()),
        emit,
        // The end of a session belongs to it.
        reach_ms: 1,
        next_end: Arc::new(|_| None),
        windowed: |key, _| Arc::new(SessionWindowedSerde::new(key)),
    }
}

/// Brings an aggregate by sessions to life.
pub(crate) fn live_by_sessions<K: Clone + 'static, V: 'static, A: 'static>(
    windows: SessionWindows,
    folding: Folding<K, V, A>,
    merge: Merge<K, A>,
) -> impl Fn(&mut Wiring<'_>, Live<K, V, A, BySession>) -> Box<dyn Inlet<Stream<K, V>>> {
    move |wiring, live| {
        let (folding, merge) = (folding.clone(), Arc::clone(&merge));
        let Live { node, input, result, state, out, send_old, time, finals } = live;
        let closes = finals.as_ref().is_some_and(|finals| finals.idleness().is_some());
        let aggregate = SessionAggregate { windows, input, result, state, out, send_old, folding, merge, time, finals };
        alive(wiring, node, aggregate, closes)
    }
}

/// Adds an aggregate by sessions.
pub(crate) fn session_aggregate<K: Clone + 'static, V: 'static, A: 'static>(
    placed: Placed<K, V, A>,
    spec: SessionSpec<K, V, A>,
) -> KTable<Windowed<K>, A> {
    let SessionSpec { windows, emit, materialized, folding, merge } = spec;
    let kept = kept_by_sessions(placed.upstream.draft(), &placed.store, windows, emit, &materialized);
    windowed_table(placed, kept, live_by_sessions(windows, folding, merge))
}
