//! Joins of streams with global tables: a record with the row of whatever key it names.

use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{DropReason, Inlet, Outlet, Port, ProcessError, Stream, TaskContext};

use crate::serdes::Serdes;
use crate::{GlobalKTable, KStream};

type Select<K, V, KG> = Arc<dyn Fn(&K, &V) -> Result<KG, ProcessError> + Send + Sync>;
type Join<K, V, KG, VG, W> = Arc<dyn Fn(&K, &KG, &V, Option<&VG>) -> Result<W, ProcessError> + Send + Sync>;

/// A join that is wanted.
pub(crate) struct GlobalJoinSpec<K, V, KG, VG, W> {
    /// Names the key of the row.
    pub(crate) select: Select<K, V, KG>,
    /// Sees the record's key and the row's.
    pub(crate) join: Join<K, V, KG, VG, W>,
    /// Whether records without a row are joined too.
    pub(crate) left: bool,
}

struct GlobalJoin<K: 'static, V: 'static, KG: 'static, VG: 'static, W: 'static> {
    input: Serdes<K, V>,
    table: StoreHandle<KG, VG>,
    state: Rc<KeyValueState<KG, VG>>,
    select: Select<K, V, KG>,
    join: Join<K, V, KG, VG, W>,
    left: bool,
    out: Outlet<Stream<K, W>>,
}

impl<K: 'static, V: 'static, KG: 'static, VG: 'static, W: 'static> Inlet<Stream<K, V>> for GlobalJoin<K, V, KG, VG, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        let mapped = (self.select)(record.key, record.value)?;
        let no_key = self.table.key_serde().is_null(&mapped);
        if self.input.value_is_null(record.value) || no_key && !self.left {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let found = if no_key { None } else { self.state.get(cx, &mapped)? };
        if found.is_none() && !self.left {
            return Ok(());
        }
        let joined = (self.join)(record.key, &mapped, record.value, found.as_ref().map(|found| &found.value))?;
        self.out.push(cx, record.with_value(&joined))
    }
}

/// Adds a join of `stream` with `table`.
pub(crate) fn global_join<K: 'static, V: 'static, KG: 'static, VG: 'static, W: 'static>(
    stream: &KStream<K, V>,
    table: &GlobalKTable<KG, VG>,
    spec: GlobalJoinSpec<K, V, KG, VG, W>,
) -> KStream<K, W> {
    let GlobalJoinSpec { select, join, left } = spec;
    let draft = stream.draft();
    draft.takes(&table.draft);
    // Java has one prefix for both.
    let name = draft.next_name("KSTREAM-LEFTJOIN-");
    let node = draft.add_node(NodeSpec::processor(name, [stream.node()]));
    if left {
        draft.keep_null_keys_above(node);
    }
    if let Some((id, handle)) = table.kept.clone() {
        let input = stream.serdes.clone();
        stream.port.listen(
            node,
            Arc::new(move |wiring| {
                let state = KeyValueState::open(wiring, id, &handle)?;
                let (select, join) = (Arc::clone(&select), Arc::clone(&join));
                let (input, table, out) = (input.clone(), handle.clone(), wiring.outlet(node)?);
                Ok(Box::new(GlobalJoin { input, table, state, select, join, left, out }))
            }),
        );
    }
    KStream::at(Port::new(draft, node), stream.serdes.key_only(), stream.repartition)
}
