//! Where a stream becomes a table: the last value of every key.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::Record;
use headwater_store::StoreSpec;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, KeyValueState, Stamped, StoreHandle};
use headwater_topology::{
    Change, Draft, Inlet, NodeId, Outlet, Port, ProcessError, StoreId, Stream, Table, TaskContext, Update,
};

use super::aggregate::row_format;
use super::to::missing_serde;
use crate::old_values::OldValues;
use crate::serdes::Serdes;
use crate::view::Views;
use crate::{KStream, KTable, Materialized};

/// `KTableSource`: drops null keys, keeps the value where the table is kept, hands the change on.
struct TableSource<K: 'static, V: 'static> {
    serdes: Serdes<K, V>,
    state: Option<Rc<KeyValueState<K, V>>>,
    out: Rc<RefCell<Outlet<Table<K, V>>>>,
}

impl<K: 'static, V: Clone + 'static> Inlet<Stream<K, V>> for TableSource<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if self.serdes.key_is_null(record.key) {
            cx.drop_record();
            return Ok(());
        }
        let value = (!self.serdes.value_is_null(record.value)).then(|| record.value.clone());
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

/// What a table source can be asked for when the topology is built: to take its source topic as changelog, or not.
pub(crate) type ReuseTopic = Box<dyn Fn(bool) + Send>;

/// Where a table is kept: nowhere, until somebody needs it there.
struct Keep<K, V> {
    draft: Draft,
    node: NodeId,
    spec: StoreSpec,
    serdes: Serdes<K, V>,
    kept: Mutex<Option<(StoreId, StoreHandle<K, V>)>>,
}

impl<K: 'static, V: 'static> Keep<K, V> {
    fn kept(&self) -> Option<(StoreId, StoreHandle<K, V>)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the store, unless there is one.
    fn make(&self) -> Option<(StoreId, StoreHandle<K, V>)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some() {
            return kept.clone();
        }
        let (Some(key), Some(value)) = (self.serdes.key.clone(), self.serdes.value.clone()) else {
            self.draft.mistake(missing_serde(&self.draft.node_name(self.node)));
            return None;
        };
        let id = self.draft.add_store(self.spec.clone());
        self.draft.connect(self.node, id);
        *kept = Some((id, StoreHandle::with(self.spec.name.as_str(), key, value)));
        kept.clone()
    }
}

/// Adds a table source `name` below `stream`, kept in `store`: from the start when the user named it, else when somebody
/// downstream needs it there.
pub(crate) fn table_source<K: 'static, V: Clone + 'static>(
    stream: &KStream<K, V>,
    name: String,
    store: &str,
    materialized: &Materialized<K, V>,
    serdes: Serdes<K, V>,
) -> KTable<K, V> {
    table_source_of(stream, name, store, materialized, serdes, "").0
}

/// As [`table_source`], for a table that is read from `topic`.
pub(crate) fn table_source_of<K: 'static, V: Clone + 'static>(
    stream: &KStream<K, V>,
    name: String,
    store: &str,
    materialized: &Materialized<K, V>,
    serdes: Serdes<K, V>,
    topic: &str,
) -> (KTable<K, V>, ReuseTopic) {
    let draft = &stream.draft;
    let node = draft.add_node(NodeSpec::processor(name, [stream.node]));
    let port: Port<Table<K, V>> = Port::new();
    let keep = Arc::new(Keep {
        draft: draft.clone(),
        node,
        spec: materialized.key_value_spec(store, row_format(draft)),
        serdes: serdes.clone(),
        kept: Mutex::new(None),
    });
    let store = if materialized.name.is_some() { keep.make().map(|(_, handle)| handle) } else { None };
    let asked = Arc::clone(&keep);
    let old_values =
        OldValues::of_store_if_made(move |force| if force { asked.make() } else { asked.kept() }.is_some());
    let (reused, topic) = (Arc::clone(&keep), topic.to_owned());
    let reuse = Box::new(move |reuse: bool| {
        if let Some((id, _)) = reused.kept() {
            reused.draft.change_store(id, |store| store.source_changelog = reuse.then(|| topic.clone()));
        }
    });
    let looked = Arc::clone(&keep);
    let views = Views::of_store(move || looked.make());
    let (out, asked, old) = (port.clone(), serdes.clone(), old_values.clone());
    stream.port.listen(
        node,
        Arc::new(move |wiring| {
            let state = keep.kept().map(|(id, handle)| KeyValueState::open(wiring, id, &handle)).transpose()?;
            let out = Rc::new(RefCell::new(out.outlet(wiring)?));
            if let Some(state) = &state {
                state.flush_to(FlushTo { out: Rc::clone(&out), send_old: old.granted() });
            }
            Ok(Box::new(TableSource { serdes: asked.clone(), state, out }))
        }),
    );
    (KTable { draft: draft.clone(), node, port, serdes, store, old_values, named_after: Vec::new(), views }, reuse)
}
