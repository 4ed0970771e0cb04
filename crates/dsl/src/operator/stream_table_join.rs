//! Joins of streams with tables: a record with the row of its key, at once or after a grace period.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Record, Timestamp};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{StoreHandle, WaitingState};
use headwater_topology::{
    Draft, DropReason, Inlet, NodeId, Outlet, Port, ProcessError, StoreId, Stream, TaskContext, TopologyError,
};

use super::{ForJoin, GivenBy, missing_serde, repartition_for_join};
use crate::serdes::Serdes;
use crate::view::{Lookup, View};
use crate::{Joined, KStream, KTable};

type Join<K, V, VT, W> = Arc<dyn Fn(&K, &V, Option<&VT>) -> Result<W, ProcessError> + Send + Sync>;

/// A join that is wanted.
pub(crate) struct TableJoinSpec<K, V, VT, W> {
    pub(crate) join: Join<K, V, VT, W>,
    /// Whether records without a row are joined too.
    pub(crate) left: bool,
    pub(crate) options: Joined<K, V>,
}

/// Java's `KStreamKTableJoinProcessor`.
struct TableJoin<K: 'static, V: 'static, VT, W: 'static> {
    input: Serdes<K, V>,
    rows: Rows<K, V, VT, W>,
    /// Where records wait, if there is a grace period.
    waiting: Option<Rc<WaitingState<K, V>>>,
}

struct Rows<K: 'static, V: 'static, VT, W: 'static> {
    table: Box<dyn View<K, VT>>,
    join: Join<K, V, VT, W>,
    left: bool,
    out: Outlet<Stream<K, W>>,
}

impl<K: 'static, V: 'static, VT, W: 'static> Inlet<Stream<K, V>> for TableJoin<K, V, VT, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        let no_key = self.input.key_is_null(record.key);
        if self.input.value_is_null(record.value) || no_key && !self.rows.left {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let Some(waiting) = &self.waiting else { return self.rows.join(cx, record, no_key) };
        if !waiting.put(cx, record)? {
            return self.rows.join(cx, record, no_key);
        }
        let rows = &mut self.rows;
        waiting.release_due(cx, (record.timestamp, record.headers), |cx, due| rows.join(cx, due, false))
    }
}

impl<K: 'static, V: 'static, VT, W: 'static> Rows<K, V, VT, W> {
    fn join(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>, no_key: bool) -> Result<(), ProcessError> {
        let mut joined = None;
        let mut join = |found: Option<(&VT, Timestamp)>| {
            if found.is_some() || self.left {
                joined = Some((self.join)(record.key, record.value, found.map(|(row, _)| row))?);
            }
            Ok(())
        };
        if no_key {
            join(None)?;
        } else {
            let wanted = Lookup::new(record.key, record.headers).as_of(record.timestamp);
            self.table.look(cx, wanted, &mut join)?;
        }
        joined.map_or(Ok(()), |joined| self.out.push(cx, record.with_value(&joined)))
    }
}

/// Adds a join of `stream` with `table`.
pub(crate) fn stream_table_join<K: 'static, V: 'static, VT: 'static, W: 'static>(
    stream: &KStream<K, V>,
    table: &KTable<K, VT>,
    spec: TableJoinSpec<K, V, VT, W>,
) -> KStream<K, W> {
    let TableJoinSpec { join, left, options } = spec;
    let Joined { serdes, name, grace } = options;
    let serdes = serdes.or(&stream.serdes);
    let draft = stream.draft();
    if !draft.takes(table.draft()) {
        return KStream::at(Port::new(draft, stream.node()), serdes.key_only(), false);
    }
    let ForJoin { stream: upstream, topics } = repartition_for_join(stream, name.as_deref(), &serdes, GivenBy::Joined);
    let prefix = if left { "KSTREAM-LEFTJOIN-" } else { "KSTREAM-JOIN-" };
    let name = draft.name_or(name.as_deref(), prefix);
    let node = draft.add_node(NodeSpec::processor(name, [upstream.node()]));
    let waiting = grace.and_then(|grace| {
        let (store, handle) = add_waiting(draft, node, &serdes)?;
        Some((store, handle, i64::try_from(grace.as_millis()).unwrap_or(i64::MAX)))
    });
    table.views.connect(draft, node);
    if let Some(grace) = grace {
        require_history(draft, node, table.node(), grace);
    }
    if left {
        draft.keep_null_keys_above(node);
    }
    let topics: BTreeSet<String> = topics.union(&draft.topics_above(table.node())).cloned().collect();
    draft.copartition(topics.clone());
    draft.lies_as(node, topics);
    let (views, input) = (table.views.clone(), serdes.clone());
    upstream.port.listen(
        node,
        Arc::new(move |wiring| {
            let (table, out) = (views.open(wiring, node)?, wiring.outlet(node)?);
            let waiting = waiting.as_ref();
            let waiting = waiting.map(|(id, handle, grace)| WaitingState::open(wiring, node, (*id, handle), *grace));
            let waiting = waiting.transpose()?;
            if let Some(state) = waiting.clone() {
                wiring.watch(node, move || state.held());
            }
            let rows = Rows { table, join: Arc::clone(&join), left, out };
            Ok(Box::new(TableJoin { input: input.clone(), rows, waiting }))
        }),
    );
    KStream::at(Port::new(draft, node), serdes.key_only(), false)
}

/// That the table does not know its rows as far back as records wait is a mistake.
fn require_history(draft: &Draft, node: NodeId, table: NodeId, grace: Duration) {
    let history = |id: StoreId| match draft.store(id)?.spec.kind {
        StoreKind::Versioned { history_retention, .. } => Some(history_retention),
        _ => None,
    };
    let words = if !draft.is_versioned(table) {
        "KTable must be versioned to use a grace period in a stream table join."
    } else if draft.stores_of(node).into_iter().filter_map(history).any(|history| history < grace) {
        "History retention must be at least grace period."
    } else {
        return;
    };
    draft.mistake(TopologyError::Argument(words.to_owned()));
}

/// The store of what waits.
fn add_waiting<K: 'static, V: 'static>(
    draft: &Draft,
    node: NodeId,
    serdes: &Serdes<K, V>,
) -> Option<(StoreId, StoreHandle<K, V>)> {
    let name = draft.node_name(node);
    let store = format!("{name}-Buffer");
    let id = draft.add_store(StoreSpec::new(store.as_str(), StoreKind::KeyValue));
    draft.connect(node, id);
    let Some((key, value)) = serdes.both() else {
        draft.mistake(missing_serde(&name, serdes, GivenBy::Joined));
        return None;
    };
    Some((id, StoreHandle::with(store, key, value)))
}
