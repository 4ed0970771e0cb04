//! Aggregates of streams: `count`, `reduce`, `aggregate` share this node.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_store::RowFormat;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, StoreHandle, TableState};
use headwater_topology::{Draft, DropReason, Inlet, NodeId, Port, ProcessError, StoreId, Stream, TaskContext};

use super::folding::Folding;
use super::missing_serde::{GivenBy, missing_serde};
use crate::old_values::OldValues;
use crate::serdes::Serdes;
use crate::view::Views;
use crate::{KStream, KTable, Materialized};

/// An aggregate that is wanted.
pub(crate) struct AggregateSpec<K, V, A> {
    /// The node's name.
    pub(crate) name: String,
    /// The store's name.
    pub(crate) store: String,
    pub(crate) materialized: Materialized<K, A>,
    /// Serdes of the store.
    pub(crate) serdes: Serdes<K, A>,
    pub(crate) folding: Folding<K, V, A>,
}

struct Aggregate<K: 'static, V: 'static, A: 'static> {
    input: Serdes<K, V>,
    result: Serdes<K, A>,
    state: TableState<K, A>,
    folding: Folding<K, V, A>,
}

impl<K: 'static, V: 'static, A: 'static> Inlet<Stream<K, V>> for Aggregate<K, V, A> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if self.input.key_is_null(record.key) || self.input.value_is_null(record.value) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let first = || self.folding.first(&self.result);
        self.state.update(cx, record.key, record.timestamp, record.headers, Some(&first), |slot| {
            self.folding.change(&self.result, record, slot)
        })
    }
}

/// The store that aggregates are kept in, in a draft.
pub(crate) struct KeptIn<K: 'static, A: 'static> {
    pub(crate) id: StoreId,
    pub(crate) handle: StoreHandle<K, A>,
    /// Serdes of the store.
    pub(crate) serdes: Serdes<K, A>,
}

impl<K: 'static, A: 'static> KeptIn<K, A> {
    /// The store `id`, unless it has no serdes, which is a mistake of the node `name`.
    pub(crate) fn new(draft: &Draft, name: &str, id: StoreId, store: &str, serdes: Serdes<K, A>) -> Option<Self> {
        let Some((key, value)) = serdes.both() else {
            draft.mistake(missing_serde(name, &serdes, GivenBy::Materialized));
            return None;
        };
        Some(KeptIn { id, handle: StoreHandle::with(store, key, value), serdes })
    }

    /// Says that `node` folds the records of `stream` into the store.
    pub(crate) fn fold<V: 'static>(&self, stream: &KStream<K, V>, node: NodeId, folding: Folding<K, V, A>) {
        let (id, opened) = (self.id, self.handle.clone());
        let (input, result) = (stream.serdes.clone(), self.serdes.clone());
        stream.port.listen(
            node,
            Arc::new(move |wiring| {
                let state = TableState::open(wiring, id, &opened)?;
                let out = Rc::new(RefCell::new(wiring.outlet(node)?));
                state.flush_to(FlushTo { out, send_old: wiring.sends_old_values(node) });
                let (input, result, folding) = (input.clone(), result.clone(), folding.clone());
                Ok(Box::new(Aggregate { input, result, state, folding }))
            }),
        );
    }
}

/// Adds an aggregate below `stream`, whose records lie by their key.
pub(crate) fn aggregate<K: 'static, V: 'static, A: 'static>(
    stream: &KStream<K, V>,
    spec: AggregateSpec<K, V, A>,
) -> KTable<K, A> {
    let AggregateSpec { name, store, materialized, serdes, folding } = spec;
    let draft = stream.draft();
    let node = draft.add_node(NodeSpec::processor(name.clone(), [stream.node()]));
    let id = draft.add_store(materialized.key_value_spec(&store, row_format(draft)));
    draft.keep_in(node, id);
    let kept = KeptIn::new(draft, &name, id, &store, serdes.clone());
    if let Some(kept) = &kept {
        kept.fold(stream, node, folding);
    }
    let handle = kept.map(|kept| kept.handle);
    let views = Views::of_store(handle.clone().map(|handle| (id, handle)));
    let store = handle.filter(|_| materialized.name.is_some());
    let (port, old_values) = (Port::new(draft, node), OldValues::of_store(draft, node));
    KTable { port, serdes, store: store.into(), old_values, named_after: Vec::new(), views }
}

/// How rows of DSL stores lie, unless the settings of the build say otherwise.
pub(crate) fn row_format(draft: &Draft) -> RowFormat {
    draft.settings().row_format().unwrap_or(RowFormat::Timestamped)
}
