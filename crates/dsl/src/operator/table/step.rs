//! A table made of another one, value by value, kept in a store or nowhere: `filter`, `map_values`, `transform_values`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, Stamped, StoreHandle, TableState};
use headwater_topology::{Change, Inlet, Outlet, Port, ProcessError, Table, TaskContext, Update};

use crate::derivation::{Derivation, Deriver};
use crate::old_values::OldValues;
use crate::operator::{GivenBy, missing_serde, row_format};
use crate::serdes::Serdes;
use crate::view::Views;
use crate::{KTable, Materialized};

/// A table that is wanted.
pub(super) struct TableStep<'a, K, V, W> {
    /// What generated names of node and store begin with.
    pub(super) prefix: &'a str,
    /// How it is kept, if the user said so.
    pub(super) materialized: Option<Materialized<K, W>>,
    /// What is inherited where the options name no serde.
    pub(super) serdes: Serdes<K, W>,
    pub(super) derivation: Derivation<K, V, W>,
    /// Whether a change from nothing to nothing is kept back, as filters do.
    pub(super) swallow: bool,
    /// Whether options without a store's name use up a number for a store that is not made, as some of Java's overloads do.
    pub(super) burns: bool,
}

/// Where the values go.
enum Kept<K: 'static, W: 'static> {
    Nowhere(Outlet<Table<K, W>>),
    Store(TableState<K, W>),
}

struct Live<K: 'static, V: 'static, W: 'static> {
    deriver: Deriver<K, V, W>,
    result: Serdes<K, W>,
    swallow: bool,
    send_old: bool,
    kept: Kept<K, W>,
}

impl<K: 'static, V: 'static, W: 'static> Live<K, V, W> {
    fn derived(&self, cx: &mut TaskContext<'_>, record: Record<'_, K, Option<V>>) -> Result<Option<W>, ProcessError> {
        Ok(self.deriver.of_change(cx, record)?.filter(|value| !self.result.value_is_null(value)))
    }
}

impl<K: 'static, V: 'static, W: 'static> Inlet<Table<K, V>> for Live<K, V, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        let Update { key, change, timestamp, headers } = update;
        let new = self.derived(cx, Record::new(key, change.new, timestamp, headers))?;
        let swallow = self.swallow && self.send_old && new.is_none();
        let old = match &self.kept {
            Kept::Nowhere(_) if self.send_old => self.derived(cx, Record::new(key, change.old, timestamp, headers))?,
            Kept::Nowhere(_) => None,
            Kept::Store(state) => {
                if swallow && !state.has(cx, key)? {
                    return Ok(());
                }
                return state.update(cx, key, timestamp, headers, None, |_| Ok(Stamped { value: new, timestamp }));
            }
        };
        if swallow && old.is_none() {
            return Ok(());
        }
        let change = Change { new: &new, old: &old, is_latest: change.is_latest };
        match &mut self.kept {
            Kept::Nowhere(out) => out.push(cx, update.with_change(change)),
            Kept::Store(_) => Ok(()),
        }
    }
}

/// Adds a table below `table`.
pub(super) fn table_step<K: 'static, V: 'static, W: 'static>(
    table: &KTable<K, V>,
    step: TableStep<'_, K, V, W>,
) -> KTable<K, W> {
    let TableStep { prefix, materialized, serdes, derivation, swallow, burns } = step;
    let draft = table.draft();
    let own = materialized.as_ref().map_or_else(Serdes::none, Materialized::serdes);
    let serdes = own.or(&serdes);
    if burns && materialized.as_ref().is_some_and(|materialized| materialized.name.is_none()) {
        draft.next_name(&format!("{prefix}STATE-STORE-"));
    }
    let name = draft.next_name(prefix);
    let node = draft.add_node(NodeSpec::processor(name.clone(), [table.node()]));
    if materialized.is_none() {
        draft.pass_versions(node);
    }
    let mut kept = None;
    if let Some((materialized, store)) =
        materialized.as_ref().and_then(|materialized| Some((materialized, materialized.name.as_ref()?)))
    {
        let store = draft.checked(store);
        if let Some((key, value)) = serdes.both() {
            let id = draft.add_store(materialized.key_value_spec(&store, row_format(draft)));
            draft.keep_in(node, id);
            kept = Some((id, StoreHandle::with(store, key, value)));
        } else {
            draft.mistake(missing_serde(&name, &serdes, GivenBy::Materialized));
        }
    }
    let old_values = match kept {
        Some(_) => OldValues::of_store(draft, node),
        None => OldValues::of_table(draft, node, &table.old_values),
    };
    if swallow {
        old_values.follow(&table.old_values);
    }
    let store = kept.as_ref().map(|(_, handle)| handle.clone());
    let views = match kept.clone() {
        Some(kept) => Views::of_store(Some(kept)),
        None => Views::derived(&table.views, derivation.clone(), &serdes),
    };
    let result = serdes.clone();
    table.port.listen(
        node,
        Arc::new(move |wiring| {
            let send_old = wiring.sends_old_values(node);
            let out = wiring.outlet(node)?;
            // A history is complete only with the versions of which nothing is left.
            let swallow = swallow && !wiring.takes_versions(node);
            let kept = match &kept {
                None => Kept::Nowhere(out),
                Some((id, handle)) => {
                    let state = TableState::open(wiring, *id, handle)?;
                    state.flush_to(FlushTo { out: Rc::new(RefCell::new(out)), send_old });
                    Kept::Store(state)
                }
            };
            let deriver = derivation.open(wiring, node)?;
            Ok(Box::new(Live { deriver, result: result.clone(), swallow, send_old, kept }))
        }),
    );
    KTable { port: Port::new(draft, node), serdes, store: store.into(), old_values, named_after: Vec::new(), views }
}
