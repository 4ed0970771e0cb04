//! Where a stream becomes a table: the last value of every key.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_store::StoreSpec;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, Stamped, StoreHandle, TableState};
use headwater_topology::{
    Change, Draft, DropReason, Inlet, NodeId, Outlet, Port, ProcessError, StoreId, Stream, Table, TaskContext, Update,
    Wiring, WiringError,
};

use super::aggregate::row_format;
use super::missing_serde::{GivenBy, missing_serde};
use crate::old_values::OldValues;
use crate::serdes::Serdes;
use crate::view::{Source, StoreView, View, Views};
use crate::{KStream, KTable, Materialized};

/// What a stream of `I` says of a row: its value, or `None` when the row is deleted.
pub(crate) type RowOf<I, V> = fn(&I) -> Option<&V>;

/// `KTableSource`: drops null keys, keeps the value where the table is kept, hands the change on.
struct TableSource<K: 'static, I: 'static, V: 'static> {
    serdes: Serdes<K, V>,
    row: RowOf<I, V>,
    state: Option<TableState<K, V>>,
    out: Rc<RefCell<Outlet<Table<K, V>>>>,
}

impl<K: 'static, I: 'static, V: Clone + 'static> Inlet<Stream<K, I>> for TableSource<K, I, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, I>) -> Result<(), ProcessError> {
        if self.serdes.key_is_null(record.key) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let value = (self.row)(record.value).filter(|value| !self.serdes.value_is_null(value)).cloned();
        if let Some(state) = &self.state {
            state.update(cx, record.key, record.timestamp, record.headers, None, |_| {
                Ok(Stamped { value, timestamp: record.timestamp })
            })
        } else {
            let change = Change::new(&value, &None);
            let update = Update { key: record.key, change, timestamp: record.timestamp, headers: record.headers };
            match self.out.try_borrow_mut() {
                Ok(mut out) => out.push(cx, update),
                Err(_) => Err(ProcessError::user("a table's source was called while it was handing a change on")),
            }
        }
    }
}

/// Where a table is kept: nowhere, until somebody needs it there.
struct Keep<K, V> {
    draft: Draft,
    node: NodeId,
    spec: StoreSpec,
    serdes: Serdes<K, V>,
    /// The topic that the table is read from.
    topic: Option<String>,
}

impl<K: 'static, V: 'static> Keep<K, V> {
    fn is_made(&self) -> bool {
        self.draft.node(self.node).is_some_and(|node| node.keeps.is_some())
    }

    /// Makes the store, unless there is one.
    fn make(&self) -> Option<StoreId> {
        if let Some(made) = self.draft.node(self.node).and_then(|node| node.keeps) {
            return Some(made);
        }
        if self.handle().is_none() {
            let name = self.draft.node_name(self.node);
            self.draft.mistake(missing_serde(&name, &self.serdes, GivenBy::Materialized));
            return None;
        }
        let id = self.draft.add_store(self.spec.clone());
        self.draft.change_store(id, |store| store.source_topic.clone_from(&self.topic));
        self.draft.keep_in(self.node, id);
        Some(id)
    }

    fn handle(&self) -> Option<StoreHandle<K, V>> {
        let (key, value) = self.serdes.both()?;
        Some(StoreHandle::with(self.spec.name.as_str(), key, value))
    }
}

/// The store of a table, in the tasks of a topology that has it there.
struct Kept<K, V>(Arc<Keep<K, V>>);

impl<K: 'static, V: 'static> Source<K, V> for Kept<K, V> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        if let Some(store) = self.0.make() {
            draft.connect(node, store);
        }
    }
    fn open(&self, wiring: &mut Wiring<'_>, _: NodeId) -> Result<Box<dyn View<K, V>>, WiringError> {
        Ok(Box::new(StoreView(open_kept(self.0.handle().as_ref(), self.0.node, wiring)?)))
    }
}

fn open_kept<K: 'static, V: 'static>(
    handle: Option<&StoreHandle<K, V>>,
    node: NodeId,
    wiring: &mut Wiring<'_>,
) -> Result<Option<TableState<K, V>>, WiringError> {
    let kept = wiring.keeps(node).zip(handle);
    kept.map(|(store, handle)| TableState::open(wiring, store, handle)).transpose()
}

/// Adds a table source `name` below `stream`, kept in `store`: from the start when the user named it, else when somebody
/// downstream needs it there. `topic` is what the table is read from, where it is a whole topic.
pub(crate) fn table_source<K: 'static, I: 'static, V: Clone + 'static>(
    stream: &KStream<K, I>,
    row: RowOf<I, V>,
    name: String,
    store: &str,
    materialized: &Materialized<K, V>,
    serdes: Serdes<K, V>,
    topic: Option<&str>,
) -> KTable<K, V> {
    let draft = stream.draft();
    let node = draft.add_node(NodeSpec::processor(name, [stream.node()]));
    let keep = Arc::new(Keep {
        draft: draft.clone(),
        node,
        spec: materialized.key_value_spec(store, row_format(draft)),
        serdes: serdes.clone(),
        topic: topic.map(str::to_owned),
    });
    let handle = keep.handle();
    if materialized.name.is_none() {
        draft.expect_store(keep.spec.clone());
    }
    let store = if materialized.name.is_some() { keep.make().and(handle.clone()) } else { None };
    let input = serdes.clone();
    stream.port.listen(
        node,
        Arc::new(move |wiring| {
            let state = open_kept(handle.as_ref(), node, wiring)?;
            let out = Rc::new(RefCell::new(wiring.outlet(node)?));
            if let Some(state) = &state {
                state.flush_to(FlushTo { out: Rc::clone(&out), send_old: wiring.sends_old_values(node) });
            }
            Ok(Box::new(TableSource { serdes: input.clone(), row, state, out }))
        }),
    );
    let asked = Arc::clone(&keep);
    let old_values =
        OldValues::of_store_if_made(
            draft,
            node,
            move |force| {
                if force { asked.make().is_some() } else { asked.is_made() }
            },
        );
    let (port, views) = (Port::new(draft, node), Views::new(Kept(keep)));
    KTable { port, serdes, store: store.into(), old_values, named_after: Vec::new(), views }
}
