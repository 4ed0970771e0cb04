//! Aggregates of grouped tables: `count`, `reduce`, `aggregate` share this node.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, Stamped, StoreHandle, TableState};
use headwater_topology::{Inlet, Port, ProcessError, Stream, TaskContext};

use super::aggregate::row_format;
use super::folding::Fold;
use super::missing_serde::{GivenBy, missing_serde};
use crate::changed::Changed;
use crate::old_values::OldValues;
use crate::serdes::Serdes;
use crate::view::Views;
use crate::{KStream, KTable, Materialized};

/// An aggregate of a grouped table that is wanted.
pub(crate) struct TableAggregateSpec<K, V, A> {
    /// The node's name.
    pub(crate) name: String,
    /// The store's name.
    pub(crate) store: String,
    pub(crate) materialized: Materialized<K, A>,
    /// Serdes of the store.
    pub(crate) serdes: Serdes<K, A>,
    pub(crate) add: Fold<K, V, A>,
    pub(crate) subtract: Fold<K, V, A>,
}

/// How a change of a group changes its aggregate.
struct Rule<K: 'static, V: 'static, A: 'static> {
    result: Serdes<K, A>,
    add: Fold<K, V, A>,
    subtract: Fold<K, V, A>,
}

impl<K: 'static, V: 'static, A: 'static> Rule<K, V, A> {
    /// The aggregate after `changed`, which is left in `slot` when a function fails.
    fn apply(
        &self,
        record: &Record<'_, K, Changed<V>>,
        slot: &mut Option<Stamped<A>>,
    ) -> Result<Stamped<Option<A>>, ProcessError> {
        let Changed { new, old } = record.value;
        let timestamp = slot.as_ref().map(|stamped| stamped.timestamp);
        let mut aggregate = None;
        let subtracted = old.as_ref().filter(|_| slot.is_some());
        if let Some(old) = subtracted {
            let folded = in_place(slot, |so_far| (self.subtract)(record.key, old, so_far))?;
            aggregate = Some(folded).filter(|value| !self.result.value_is_null(value));
        }
        if let Some(new) = new {
            let folded = if subtracted.is_some() {
                (self.add)(record.key, new, &mut aggregate)?
            } else {
                in_place(slot, |so_far| (self.add)(record.key, new, so_far))?
            };
            aggregate = Some(folded).filter(|value| !self.result.value_is_null(value));
        } else if subtracted.is_none() {
            aggregate = slot.take().map(|stamped| stamped.value);
        }
        let changed = subtracted.is_some() || new.is_some();
        let timestamp = timestamp.filter(|_| changed).map_or(record.timestamp, |old| old.max(record.timestamp));
        Ok(Stamped { value: aggregate, timestamp })
    }
}

/// Hands the value of `slot` to `fold`, and puts back what it left there.
fn in_place<A, R>(slot: &mut Option<Stamped<A>>, fold: impl FnOnce(&mut Option<A>) -> R) -> R {
    let Some(Stamped { value, timestamp }) = slot.take() else { return fold(&mut None) };
    let mut value = Some(value);
    let result = fold(&mut value);
    *slot = value.map(|value| Stamped { value, timestamp });
    result
}

struct TableAggregate<K: 'static, V: 'static, A: 'static> {
    input: Serdes<K, Changed<V>>,
    state: TableState<K, A>,
    rule: Rule<K, V, A>,
}

impl<K: 'static, V: 'static, A: 'static> Inlet<Stream<K, Changed<V>>> for TableAggregate<K, V, A> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, Changed<V>>) -> Result<(), ProcessError> {
        if self.input.key_is_null(record.key) {
            return Err(ProcessError::user(format!(
                "Record key for KTable aggregate operator with state {} should not be null.",
                self.state.name()
            )));
        }
        let Self { state, rule, .. } = self;
        state.update(cx, record.key, record.timestamp, record.headers, None, |slot| rule.apply(&record, slot))
    }
}

/// Adds an aggregate below `stream`, whose records lie by their key.
pub(crate) fn table_aggregate<K: 'static, V: 'static, A: 'static>(
    stream: &KStream<K, Changed<V>>,
    spec: TableAggregateSpec<K, V, A>,
) -> KTable<K, A> {
    let TableAggregateSpec { name, store, materialized, serdes, add, subtract } = spec;
    let draft = stream.draft();
    let node = draft.add_node(NodeSpec::processor(name.clone(), [stream.node()]));
    let id = draft.add_store(materialized.key_value_spec(&store, row_format(draft)));
    draft.keep_in(node, id);
    let mut handle = None;
    if let Some((key, value)) = serdes.both() {
        let opened = StoreHandle::with(store, key, value);
        handle = Some(opened.clone());
        let (input, result) = (stream.serdes.clone(), serdes.clone());
        stream.port.listen(
            node,
            Arc::new(move |wiring| {
                let state = TableState::open(wiring, id, &opened)?;
                let out = Rc::new(RefCell::new(wiring.outlet(node)?));
                state.flush_to(FlushTo { out, send_old: wiring.sends_old_values(node) });
                let (add, subtract) = (Arc::clone(&add), Arc::clone(&subtract));
                let rule = Rule { result: result.clone(), add, subtract };
                Ok(Box::new(TableAggregate { input: input.clone(), state, rule }))
            }),
        );
    } else {
        draft.mistake(missing_serde(&name, &serdes, GivenBy::Materialized));
    }
    let views = Views::of_store(handle.clone().map(|handle| (id, handle)));
    let store = handle.filter(|_| materialized.name.is_some());
    let (port, old_values) = (Port::new(draft, node), OldValues::of_store(draft, node));
    KTable { port, serdes, store: store.into(), old_values, named_after: Vec::new(), views }
}
