//! Aggregates by windows of a fixed size (Java's `KStreamWindowAggregate`).

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Headers, Record, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::{RowFormat, StoreKind, StoreSpec, StoreType};
use headwater_topology::state::{ByWindow, KeyBuf, Keys, WindowState};
use headwater_topology::{
    Change, CloseIdle, Draft, DropReason, Idleness, Inlet, ProcessError, Stream, StreamTime, TaskContext,
    TopologyError, Update, Wiring,
};
use headwater_window::{SlidingWindows, TimeWindowedSerde, TimeWindows, UnlimitedWindows, Window, Windowed, Windows};

use super::emit_final::EmitFinal;
use super::folding::Folding;
use super::row_format;
use super::sliding_aggregate::SlidingAggregate;
use super::windowed_table::{Kept, Live, SharedOutlet, alive, windowed_table};
use crate::grouped_stream::Placed;
use crate::serdes::Serdes;
use crate::{EmitStrategy, KTable, Materialized};

/// Which windows are wanted.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Time(TimeWindows),
    Own(Windows),
    Unlimited(UnlimitedWindows),
    Sliding(SlidingWindows),
}

impl Shape {
    pub(crate) fn size_ms(&self) -> i64 {
        match self {
            Shape::Time(windows) => millis(windows.size()),
            Shape::Own(windows) => millis(windows.size()),
            Shape::Unlimited(_) => i64::MAX,
            Shape::Sliding(windows) => millis(windows.time_difference()),
        }
    }

    pub(crate) fn grace(&self) -> Duration {
        match self {
            Shape::Time(windows) => windows.grace(),
            Shape::Own(windows) => windows.grace(),
            Shape::Unlimited(_) => Duration::ZERO,
            Shape::Sliding(windows) => windows.grace(),
        }
    }

    /// How long a store must keep windows.
    fn retention(&self) -> Duration {
        match self {
            Shape::Time(windows) => windows.retention(),
            Shape::Own(windows) => windows.retention(),
            Shape::Unlimited(_) => Duration::from_millis(i64::MAX as u64),
            Shape::Sliding(windows) => windows.retention(),
        }
    }

    /// When the first window ends that is open where those are closed that ended up to `close_ms`.
    fn next_end_ms(&self, close_ms: i64) -> Option<i64> {
        match self {
            Shape::Time(windows) => {
                let mut open = windows.windows_for(Timestamp::from_millis(close_ms.max(0)));
                open.next().map(|window| window.end.millis())
            }
            Shape::Own(_) | Shape::Unlimited(_) | Shape::Sliding(_) => None,
        }
    }

    /// Whether records at both times fall into the same windows.
    fn same_windows(&self, one: Timestamp, other: Timestamp) -> bool {
        match self {
            Shape::Time(windows) => windows.windows_for(one).eq(windows.windows_for(other)),
            Shape::Own(windows) => windows.windows_for(one) == windows.windows_for(other),
            Shape::Unlimited(_) | Shape::Sliding(_) => false,
        }
    }

    /// Why a store that keeps windows for `retention` forgets too early.
    fn forgets(&self, store: &str, retention: Duration) -> Option<String> {
        let words = |what: &str, sizes: String| {
            format!("The retention period of the window store {store} must be no smaller than {what}. Got {sizes}")
        };
        let (grace, kept) = (self.grace().as_millis(), retention.as_millis());
        (retention < self.retention()).then(|| match self {
            Shape::Sliding(windows) => words(
                "twice the window time difference plus the grace period",
                format!(
                    "window time difference=[{}], grace=[{grace}], retention=[{kept}]",
                    windows.time_difference().as_millis()
                ),
            ),
            _ => words(
                "its window size plus the grace period",
                format!("size=[{}], grace=[{grace}], retention=[{kept}]", self.size_ms()),
            ),
        })
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An aggregate by windows that is wanted.
pub(crate) struct WindowSpec<K, V, A> {
    pub(crate) shape: Shape,
    pub(crate) emit: EmitStrategy,
    pub(crate) materialized: Materialized<K, A>,
    pub(crate) folding: Folding<K, V, A>,
}

/// What aggregates by windows have in common.
pub(crate) struct WindowNode<K: 'static, V: 'static, A: 'static> {
    pub(crate) input: Serdes<K, V>,
    pub(crate) result: Serdes<K, A>,
    pub(crate) state: Rc<WindowState<K, A>>,
    pub(crate) out: SharedOutlet<K, A>,
    pub(crate) folding: Folding<K, V, A>,
    pub(crate) time: StreamTime,
    /// Set when windows are handed on as they close.
    pub(crate) finals: Option<EmitFinal>,
}

impl<K: Clone + 'static, V: 'static, A: 'static> WindowNode<K, V, A> {
    /// Changes the aggregate in `window` by a record.
    pub(crate) fn fold(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        window: Window,
        record: Record<'_, K, V>,
    ) -> Result<(), ProcessError> {
        let first = || self.folding.first(&self.result);
        let mut change = |slot: &mut Option<_>| self.folding.change(&self.result, record, slot);
        let at = (record.timestamp, record.headers);
        self.state.update(cx, (record.key, key), window, at.0, at.1, Some(&first), &mut change)
    }

    /// A record of this time has come: stream time now.
    pub(crate) fn observe(&mut self, cx: &TaskContext<'_>, time: Timestamp) -> i64 {
        let now = self.time.observe(time);
        if let Some(finals) = &mut self.finals {
            finals.came(cx);
        }
        now
    }

    /// Until when windows are closed that are to be handed on before a record is taken whose latest window starts at `time` or earlier.
    pub(crate) fn pressing(&mut self, cx: &TaskContext<'_>, time: Timestamp, open_ms: i64) -> Option<i64> {
        let finals = self.finals.as_mut()?;
        let closed_ms = self.time.millis().saturating_sub(open_ms);
        finals.is_pressing(cx, time, closed_ms).then_some(closed_ms)
    }

    /// Whether windows are to be handed on as they close, and it is time to look for them.
    pub(crate) fn is_due(&mut self, cx: &TaskContext<'_>, close_ms: i64) -> bool {
        self.finals.as_mut().is_some_and(|finals| finals.is_due(cx, close_ms))
    }

    /// Hands on the windows that start from `from_ms` to `to_ms`: they are closed. How many they are.
    pub(crate) fn hand_on(
        &self,
        cx: &mut TaskContext<'_>,
        (from_ms, to_ms): (i64, i64),
        headers: &Headers,
    ) -> Result<usize, ProcessError> {
        let mut told = 0;
        let (from, to) = (Timestamp::from_millis(from_ms), Timestamp::from_millis(to_ms));
        self.state.scan(cx, Keys::Between(None, None), from, to, Order::Forward, |cx, key, stamped| {
            let new = Some(stamped.value);
            let update = Update { key: &key, change: Change::new(&new, &None), timestamp: stamped.timestamp, headers };
            told += 1;
            self.out.borrow_mut().push(cx, update)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(told)
    }
}

/// Tumbling, hopping and unlimited windows.
struct WindowAggregate<K: 'static, V: 'static, A: 'static> {
    shape: Shape,
    node: WindowNode<K, V, A>,
}

impl<K: Clone + 'static, V: 'static, A: 'static> WindowAggregate<K, V, A> {
    fn fold(&self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>, close_ms: i64) -> Result<(), ProcessError> {
        self.node.state.with_key(record.key, |key| {
            let mut fold = |window: Window| {
                if window.end.millis() > close_ms {
                    self.node.fold(cx, key, window, record)
                } else {
                    cx.drop_record(DropReason::Late);
                    Ok(())
                }
            };
            match &self.shape {
                Shape::Time(windows) => windows.windows_for(record.timestamp).try_for_each(fold),
                Shape::Own(windows) => windows.windows_for(record.timestamp).into_iter().try_for_each(fold),
                Shape::Unlimited(windows) => windows.window_for(record.timestamp).map_or(Ok(()), &mut fold),
                Shape::Sliding(_) => Ok(()),
            }
        })
    }

    /// Hands on the windows that have closed since this was done last, and keeps how far that was.
    fn emit(&mut self, cx: &mut TaskContext<'_>, headers: &Headers, close_ms: i64) -> Result<(), ProcessError> {
        let told = self.tell(cx, headers, close_ms)?;
        if let Some(finals) = self.node.finals.as_mut().filter(|_| told.is_some()) {
            finals.done(cx, close_ms);
        }
        Ok(())
    }

    /// Hands on the windows that have closed since this was done last: how many, if any could.
    fn tell(&self, cx: &mut TaskContext<'_>, headers: &Headers, close_ms: i64) -> Result<Option<usize>, ProcessError> {
        let Some(finals) = &self.node.finals else { return Ok(None) };
        let upper = close_ms.saturating_sub(self.shape.size_ms());
        if upper < 0 {
            return Ok(None);
        }
        let from = match finals.last_close_ms() {
            None => 0,
            Some(last) => {
                let before = (last - self.shape.size_ms()).max(0);
                // No window has closed since.
                if self.shape.same_windows(Timestamp::from_millis(upper), Timestamp::from_millis(before)) {
                    return Ok(None);
                }
                before + 1
            }
        };
        self.node.hand_on(cx, (from, upper), headers).map(Some)
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> Inlet<Stream<K, V>> for WindowAggregate<K, V, A> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if self.node.input.key_is_null(record.key) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let grace = millis(self.shape.grace());
        if let Some(closed_ms) = self.node.pressing(cx, record.timestamp, grace) {
            self.emit(cx, record.headers, closed_ms)?;
        }
        let close_ms = self.node.observe(cx, record.timestamp).saturating_sub(grace);
        self.fold(cx, record, close_ms)?;
        if self.node.is_due(cx, close_ms) { self.emit(cx, record.headers, close_ms) } else { Ok(()) }
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> CloseIdle for WindowAggregate<K, V, A> {
    fn idleness(&self) -> Option<&Idleness> {
        self.node.finals.as_ref()?.idleness()
    }

    fn is_due(&self, cx: &TaskContext<'_>) -> bool {
        let next = |close_ms| self.shape.next_end_ms(close_ms);
        self.node.finals.as_ref().is_some_and(|finals| finals.idle_time(cx, &next).is_some())
    }

    fn close_idle(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ProcessError> {
        let (shape, finals) = (&self.shape, self.node.finals.as_mut());
        let next = |close_ms| shape.next_end_ms(close_ms);
        let Some(close_ms) = finals.and_then(|finals| finals.go_on(cx, &next)) else { return Ok(false) };
        let told = self.tell(cx, &Headers::new(), close_ms)?;
        Ok(self.node.finals.as_mut().is_some_and(|finals| finals.went_on(cx, close_ms, told)))
    }
}

/// The store of an aggregate by windows.
fn store_spec<K, A>(
    name: &str,
    shape: &Shape,
    emit: EmitStrategy,
    materialized: &Materialized<K, A>,
    format: RowFormat,
) -> StoreSpec {
    let retention = materialized.retention.unwrap_or_else(|| shape.retention());
    let finals = emit.is_final();
    // A store of the user's make has the order that it has.
    let time_ordered = finals && !matches!(materialized.store_type, StoreType::Custom(_));
    let kind = StoreKind::Window {
        retention,
        window_size: Duration::from_millis(u64::try_from(shape.size_ms()).unwrap_or_default()),
        segment_interval: StoreKind::default_segment_interval(retention),
        retain_duplicates: false,
        time_ordered,
        key_index: time_ordered && matches!(shape, Shape::Sliding(_)),
    };
    StoreSpec {
        caching: materialized.caching && !(finals && matches!(shape, Shape::Sliding(_))),
        kind,
        ..materialized.key_value_spec(name, format)
    }
}

/// How an aggregate by windows is kept in the store `store`. That it forgets too early is a mistake.
pub(crate) fn kept_by_windows<K: 'static, A>(
    draft: &Draft,
    store: &str,
    shape: &Shape,
    emit: EmitStrategy,
    materialized: &Materialized<K, A>,
) -> Kept<K> {
    if let Some(words) = materialized.retention.and_then(|retention| shape.forgets(store, retention)) {
        draft.mistake(TopologyError::Argument(words));
    }
    if let Err(mistake) = materialized.without_versions(store) {
        draft.mistake(mistake);
    }
    Kept {
        store: store_spec(store, shape, emit, materialized, row_format(draft)),
        named: materialized.name.is_some(),
        grace: shape.grace(),
        emit,
        reach_ms: match shape {
            // Their end belongs to them, and the one right behind a record begins later than it.
            Shape::Sliding(_) => shape.size_ms().saturating_add(2),
            _ => shape.size_ms(),
        },
        next_end: {
            let shape = shape.clone();
            Arc::new(move |close_ms| shape.next_end_ms(close_ms))
        },
        windowed: |key, store| Arc::new(TimeWindowedSerde::new(key, store.kind.window_size().unwrap_or_default())),
    }
}

/// Brings an aggregate by windows to life.
pub(crate) fn live_by_windows<K: Clone + 'static, V: 'static, A: 'static>(
    shape: Shape,
    folding: Folding<K, V, A>,
) -> impl Fn(&mut Wiring<'_>, Live<K, V, A, ByWindow>) -> Box<dyn Inlet<Stream<K, V>>> {
    move |wiring, live| {
        let Live { node: id, input, result, state, out, finals, time, .. } = live;
        let closes = finals.as_ref().is_some_and(|finals| finals.idleness().is_some());
        let node = WindowNode { input, result, state, out, folding: folding.clone(), time, finals };
        match shape {
            Shape::Sliding(windows) => alive(wiring, id, SlidingAggregate::new(windows, node), closes),
            _ => alive(wiring, id, WindowAggregate { shape: shape.clone(), node }, closes),
        }
    }
}

/// Adds an aggregate by windows.
pub(crate) fn window_aggregate<K: Clone + 'static, V: 'static, A: 'static>(
    placed: Placed<K, V, A>,
    spec: WindowSpec<K, V, A>,
) -> KTable<Windowed<K>, A> {
    let WindowSpec { shape, emit, materialized, folding } = spec;
    let kept = kept_by_windows(placed.upstream.draft(), &placed.store, &shape, emit, &materialized);
    windowed_table(placed, kept, live_by_windows(shape, folding))
}
