//! A stream joined with itself in one store (Java's `KStreamKStreamSelfJoin`): what the rule `single.store.self.join` puts in place
//! of both sides.

use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::state::WindowState;
use headwater_topology::{
    DropReason, Held, HoldKind, Inlet, MakeInlet, NodeId, Outlet, ProcessError, Stream, StreamTime, TaskContext,
};
use headwater_window::JoinWindows;

use super::Join;
use super::windowed::Kept;
use crate::operator::window_aggregate::millis;
use crate::serdes::Serdes;

struct SelfJoin<K: 'static, V: 'static, W: 'static> {
    serdes: Serdes<K, V>,
    windows: JoinWindows,
    state: Rc<WindowState<K, V>>,
    join: Join<K, V, V, W>,
    stream_time: StreamTime,
    out: Outlet<Stream<K, W>>,
}

impl<K: 'static, V: 'static, W: 'static> Inlet<Stream<K, V>> for SelfJoin<K, V, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if self.serdes.key_is_null(record.key) || self.serdes.value_is_null(record.value) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let (own, time) = (Some(record.value), record.timestamp);
        let with_itself = (self.join)(record.key, own, own)?;
        let stream_ms = self.stream_time.observe(time);
        let oldest = stream_ms.saturating_sub(millis(self.windows.retention())).saturating_add(1);
        let mut meets_itself = time.millis() > oldest;
        let SelfJoin { windows, state, join, out, .. } = self;
        state.partners(cx, record.key, windows.reach(time), |cx, at, other| {
            let joined = join(record.key, own, Some(&other))?;
            out.push(cx, record.with_value(&joined).with_timestamp(time.max(at)))
        })?;
        // The other way round, in the order of times, so that the record itself comes before later ones.
        state.partners(cx, record.key, windows.reversed().reach(time), |cx, at, other| {
            if time < at && std::mem::take(&mut meets_itself) {
                out.push(cx, record.with_value(&with_itself))?;
            }
            let joined = join(record.key, Some(&other), own)?;
            out.push(cx, record.with_value(&joined).with_timestamp(time.max(at)))
        })?;
        if meets_itself { out.push(cx, record.with_value(&with_itself)) } else { Ok(()) }
    }
}

/// What brings the node `node` to life as a join of a stream with itself.
pub(super) fn self_join<K: 'static, V: 'static, W: 'static>(
    node: NodeId,
    windows: JoinWindows,
    kept: Kept<K, V>,
    join: Join<K, V, V, W>,
) -> MakeInlet<Stream<K, V>> {
    Arc::new(move |wiring| {
        let (state, out) = (kept.open(wiring)?, wiring.outlet(node)?);
        let (serdes, join, stream_time) = (kept.serdes.clone(), Arc::clone(&join), wiring.stream_time(kept.store));
        let observed = stream_time.clone();
        wiring.watch(node, move || Held {
            kind: HoldKind::StreamJoin,
            stream_time: observed.now(),
            wait_ms: millis(windows.grace()),
            due: None,
            records: None,
            bytes: None,
            idle: None,
        });
        Ok(Box::new(SelfJoin { serdes, windows, state, join, stream_time, out }))
    })
}
