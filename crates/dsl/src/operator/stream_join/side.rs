//! Where the records of one side of a join meet those of the other (Java's `KStreamKStreamJoin`).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Record, SharedSerde, Timestamp};
use headwater_store::join::JoinSide;
use headwater_topology::state::{Fate, JoinState, Unjoined, WindowState};
use headwater_topology::{
    DropReason, Held, HoldKind, Inlet, NodeId, Outlet, Port, ProcessError, StoreId, Stream, StreamTime, TaskContext,
};
use headwater_window::JoinWindows;

use super::Join;
use super::windowed::Kept;
use crate::operator::window_aggregate::millis;
use crate::serdes::Serdes;

/// One side of a join that is wanted.
#[derive(Clone, Copy)]
pub(super) struct SideSpec {
    pub(super) side: JoinSide,
    /// Whether its records need no partner.
    pub(super) alone: bool,
    /// The windows as this side sees them.
    pub(super) reach: JoinWindows,
    /// The node that both sides hand their results to.
    pub(super) merge: NodeId,
    /// The store of what has no partner yet.
    pub(super) unjoined: Option<StoreId>,
}

/// What both sides know of time (Java's `TimeTracker`), milliseconds.
struct Time {
    /// That of both sides.
    stream: StreamTime,
    /// No record without partner is older.
    first: Cell<i64>,
    /// When to look for closed windows again, by the wall clock.
    next_look: Cell<i64>,
}

impl Time {
    /// What is kept back where so many records wait for a partner; `None` where none needs to.
    fn held(&self, reach: JoinWindows, waiting: Option<u64>) -> Held {
        let grace = millis(reach.grace());
        let wait_ms = reach.after_ms().max(reach.before_ms()).saturating_add(grace);
        // Which side the first is of is not known: no window of either closes earlier.
        let soonest = reach.after_ms().min(reach.before_ms()).saturating_add(grace).saturating_add(1);
        let due = self.first.get().saturating_add(soonest);
        Held {
            kind: HoldKind::StreamJoin,
            stream_time: self.stream.now(),
            wait_ms,
            due: waiting.filter(|waiting| *waiting > 0).map(|_| Timestamp::from_millis(due)),
            records: waiting,
            bytes: None,
            idle: None,
        }
    }
}

/// Records that have no partner yet.
struct Waiting<K: 'static, A, B> {
    state: Rc<JoinState<K>>,
    own: SharedSerde<A>,
    others: SharedSerde<B>,
}

impl<K: 'static, A, B> Waiting<K, A, B> {
    /// The result of a value without partner; it is one of this side's if it is `own`.
    fn joined<W>(&self, join: &Join<K, A, B, W>, key: &K, own: bool, value: &[u8]) -> Result<W, ProcessError> {
        if own {
            join(key, Some(&self.state.value_of(value, &self.own)?), None)
        } else {
            join(key, None, Some(&self.state.value_of(value, &self.others)?))
        }
    }
}

struct Side<K: 'static, A: 'static, B: 'static, W: 'static> {
    spec: SideSpec,
    serdes: Serdes<K, A>,
    others: Rc<WindowState<K, B>>,
    waiting: Option<Waiting<K, A, B>>,
    join: Join<K, A, B, W>,
    time: Rc<Time>,
    out: Outlet<Stream<K, W>>,
}

impl<K: 'static, A: 'static, B: 'static, W: 'static> Side<K, A, B, W> {
    /// Hands on what can find no partner any more.
    fn hand_on_closed(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, A>) -> Result<(), ProcessError> {
        let Side { spec, waiting: Some(waiting), join, time, out, .. } = self else { return Ok(()) };
        let grace = millis(spec.reach.grace());
        let is_open = |from: i64, after: i64| from.saturating_add(after).saturating_add(grace) >= time.stream.millis();
        let now = cx.now().millis();
        if is_open(time.first.get(), spec.reach.after_ms()) || now < time.next_look.get() {
            return Ok(());
        }
        time.next_look.set(now.saturating_add(cx.emit_interval_ms()));
        time.first.set(i64::MAX);
        let (mut own_open, mut others_open) = (false, false);
        waiting.state.review(cx, record.timestamp, |cx, unjoined: Unjoined<'_>| {
            let at = unjoined.key.timestamp;
            time.first.set(at.millis());
            if own_open && others_open {
                return Ok(Fate::Stop);
            }
            let own = unjoined.key.side == spec.side;
            let (after, open) =
                if own { (spec.reach.after_ms(), &mut own_open) } else { (spec.reach.before_ms(), &mut others_open) };
            if is_open(at.millis(), after) {
                *open = true;
                // Java looks at value after value: the second of these is one behind those that are open on both sides.
                let ends = own_open && others_open && unjoined.values()?.nth(1).is_some();
                return Ok(if ends { Fate::Stop } else { Fate::Wait });
            }
            let key = waiting.state.key_of(unjoined.key.key)?;
            for value in unjoined.values()? {
                let joined = waiting.joined(join, &key, own, value?)?;
                out.push(cx, record.with_key(&key).with_value(&joined).with_timestamp(at))?;
            }
            Ok(Fate::Forget)
        })
    }

    /// Joins a record with all partners that came before it; whether there were any.
    fn meet(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, A>) -> Result<bool, ProcessError> {
        let Side { spec, others, waiting, join, out, .. } = self;
        let other_side = match spec.side {
            JoinSide::Left => JoinSide::Right,
            JoinSide::Right => JoinSide::Left,
        };
        let mut met = false;
        others.partners(cx, record.key, spec.reach.reach(record.timestamp), |cx, at, other| {
            met = true;
            if let Some(waiting) = waiting {
                waiting.state.forget(cx, (record.key, at, other_side), record.timestamp)?;
            }
            let joined = join(record.key, Some(record.value), Some(&other))?;
            out.push(cx, record.with_value(&joined).with_timestamp(record.timestamp.max(at)))
        })?;
        Ok(met)
    }

    /// Hands a record on that has no partner and needs none.
    fn hand_on_alone(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, A>) -> Result<(), ProcessError> {
        let joined = (self.join)(record.key, Some(record.value), None)?;
        self.out.push(cx, record.with_value(&joined))
    }

    /// A record that needs no partner and has none yet waits for one until its window closes.
    fn wait(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, A>) -> Result<(), ProcessError> {
        let Some(waiting) = &self.waiting else { return self.hand_on_alone(cx, record) };
        let (_, last) = self.spec.reach.reach(record.timestamp);
        // One that comes so late does not, grace or not, as in Java.
        if last.millis() < self.time.stream.millis() {
            return self.hand_on_alone(cx, record);
        }
        self.time.first.set(self.time.first.get().min(record.timestamp.millis()));
        waiting.state.add(cx, (record.key, record.timestamp, self.spec.side), record.value, &waiting.own)
    }
}

impl<K: 'static, A: 'static, B: 'static, W: 'static> Inlet<Stream<K, A>> for Side<K, A, B, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, A>) -> Result<(), ProcessError> {
        let stream_ms = self.time.stream.observe(record.timestamp);
        let no_value = self.serdes.value_is_null(record.value);
        if no_value || self.serdes.key_is_null(record.key) {
            if self.spec.alone && !no_value {
                return self.hand_on_alone(cx, record);
            }
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        if record.timestamp.millis() == stream_ms {
            self.hand_on_closed(cx, record)?;
        }
        let met = self.meet(cx, record)?;
        if self.spec.alone && !met { self.wait(cx, record) } else { Ok(()) }
    }
}

/// Brings the node `node` to life, to which records come from `port`. `kept` is how this side and the other are kept.
pub(super) fn listen<K: 'static, A: 'static, B: 'static, W: 'static>(
    port: &Port<Stream<K, A>>,
    node: NodeId,
    spec: SideSpec,
    (own, others): (&Kept<K, A>, &Kept<K, B>),
    join: Join<K, A, B, W>,
) {
    let (own, others) = (own.clone(), others.clone());
    port.listen(
        node,
        Arc::new(move |wiring| {
            let waiting = match spec.unjoined {
                Some(store) => Some(Waiting {
                    state: JoinState::open(wiring, store, own.key())?,
                    own: Arc::clone(own.value()),
                    others: Arc::clone(others.value()),
                }),
                None => None,
            };
            // Under the name of the left side's store, whichever side comes to life first.
            let left = if spec.side == JoinSide::Left { own.store } else { others.store };
            let time = wiring.shared_part(spec.merge, "the time of a join", |wiring| {
                let waits = waiting.as_ref().map_or(Ok(None), |waiting| waiting.state.first_time())?;
                let first = Cell::new(waits.map_or(i64::MAX, Timestamp::millis));
                Ok(Time { stream: wiring.stream_time(left), first, next_look: Cell::new(i64::MIN) })
            })?;
            let (waits, watched) = (waiting.as_ref().map(|waiting| Rc::clone(&waiting.state)), Rc::clone(&time));
            wiring.watch(node, move || watched.held(spec.reach, waits.as_ref().map(|state| state.approximate_len())));
            let (others, out) = (others.open(wiring)?, wiring.outlet(node)?);
            let (serdes, join) = (own.serdes.clone(), Arc::clone(&join));
            Ok(Box::new(Side { spec, serdes, others, waiting, join, time, out }))
        }),
    );
}
