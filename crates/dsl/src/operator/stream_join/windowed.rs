//! Where the records of one side of a join are kept for the other (Java's `KStreamJoinWindow`).

use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Record, SharedSerde};
use headwater_topology::state::{StoreHandle, WindowState};
use headwater_topology::{
    Draft, Inlet, NodeId, Outlet, ProcessError, StoreId, Stream, TaskContext, Wiring, WiringError,
};

use crate::KStream;
use crate::serdes::Serdes;

/// The store of one side, and how its records are written.
pub(super) struct Kept<K, V> {
    pub(super) serdes: Serdes<K, V>,
    pub(super) store: StoreId,
    handle: StoreHandle<K, V>,
}

impl<K, V> Clone for Kept<K, V> {
    fn clone(&self) -> Self {
        Kept { serdes: self.serdes.clone(), store: self.store, handle: self.handle.clone() }
    }
}

impl<K: 'static, V: 'static> Kept<K, V> {
    /// `None` where a serde is missing.
    pub(super) fn of(draft: &Draft, store: StoreId, serdes: Serdes<K, V>) -> Option<Self> {
        let name = draft.store(store).map(|node| node.spec.name).unwrap_or_default();
        let (key, value) = serdes.both()?;
        Some(Kept { serdes, store, handle: StoreHandle::with(name, key, value) })
    }

    pub(super) fn open(&self, wiring: &mut Wiring<'_>) -> Result<Rc<WindowState<K, V>>, WiringError> {
        WindowState::open(wiring, self.store, &self.handle)
    }

    pub(super) fn key(&self) -> &SharedSerde<K> {
        self.handle.key_serde()
    }

    pub(super) fn value(&self) -> &SharedSerde<V> {
        self.handle.value_serde()
    }
}

/// Hands each record on and keeps it then, so that it does not meet itself.
struct Windowed<K: 'static, V: 'static> {
    serdes: Serdes<K, V>,
    state: Rc<WindowState<K, V>>,
    out: Outlet<Stream<K, V>>,
}

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for Windowed<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        self.out.push(cx, record)?;
        if self.serdes.key_is_null(record.key) {
            return Ok(());
        }
        let value = (!self.serdes.value_is_null(record.value)).then_some(record.value);
        self.state.append(cx, record.key, record.timestamp, value, record.headers)
    }
}

/// Brings the node `node` below `stream` to life.
pub(super) fn windowed<K: 'static, V: 'static>(stream: &KStream<K, V>, node: NodeId, kept: &Kept<K, V>) {
    let kept = kept.clone();
    stream.port.listen(
        node,
        Arc::new(move |wiring| {
            let (state, out) = (kept.open(wiring)?, wiring.outlet(node)?);
            Ok(Box::new(Windowed { serdes: kept.serdes.clone(), state, out }))
        }),
    );
}
