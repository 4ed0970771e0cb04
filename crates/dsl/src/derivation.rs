//! How a table makes the value of a key of its parent's: with a function, or with a transformer that each task has.

use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::{NodeId, ProcessError, RecordContext, TaskContext, Wiring, WiringError};

/// Makes the value of a key of what the parent has for it.
pub(crate) type Derive<K, V, W> = Arc<dyn Fn(&K, Option<&V>) -> Result<Option<W>, ProcessError> + Send + Sync>;

/// Makes the transformer of a node in a task.
type MakeTransformer<K, V, W> =
    Arc<dyn Fn(&mut Wiring<'_>, NodeId) -> Result<Rc<dyn Transform<K, V, W>>, WiringError> + Send + Sync>;

/// A transformer in a running task.
pub(crate) trait Transform<K, V, W> {
    fn transform(&self, cx: &mut TaskContext<'_>, record: Record<'_, K, Option<V>>) -> Result<Option<W>, ProcessError>;
}

/// How values are made.
pub(crate) enum Derivation<K, V, W> {
    Function(Derive<K, V, W>),
    Transformer(MakeTransformer<K, V, W>),
}

impl<K, V, W> Clone for Derivation<K, V, W> {
    fn clone(&self) -> Self {
        match self {
            Derivation::Function(derive) => Derivation::Function(Arc::clone(derive)),
            Derivation::Transformer(make) => Derivation::Transformer(Arc::clone(make)),
        }
    }
}

impl<K, V, W> Derivation<K, V, W> {
    /// What makes values for `node` in a task: each node that needs them has a transformer of its own.
    pub(crate) fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<Deriver<K, V, W>, WiringError> {
        Ok(match self {
            Derivation::Function(derive) => Deriver::Function(Arc::clone(derive)),
            Derivation::Transformer(make) => Deriver::Transformer(make(wiring, node)?),
        })
    }

    /// As [`Derivation::open`], for a node that looks values up in a table which is kept nowhere.
    pub(crate) fn open_to_look(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<Deriver<K, V, W>, WiringError> {
        self.open(wiring, node).map_err(|error| match error {
            WiringError::NoAccess(why) => WiringError::NoAccess(format!(
                "{why}. Or, if it is a transformer's: this processor looks values up in the transformer's table, which is kept nowhere, and makes them with a transformer of its own. Keep the table in a store, with `transform_values_using_with(.., Materialized::named(..))`"
            )),
            other => other,
        })
    }
}

/// What makes values, in a running task.
pub(crate) enum Deriver<K, V, W> {
    Function(Derive<K, V, W>),
    Transformer(Rc<dyn Transform<K, V, W>>),
}

impl<K, V, W> Deriver<K, V, W> {
    /// Of a value that comes with a change.
    #[inline]
    pub(crate) fn of_change(
        &self,
        cx: &mut TaskContext<'_>,
        record: Record<'_, K, Option<V>>,
    ) -> Result<Option<W>, ProcessError> {
        match self {
            Deriver::Function(derive) => derive(record.key, record.value.as_ref()),
            Deriver::Transformer(transformer) => transformer.transform(cx, record),
        }
    }

    /// Of a value that was looked up, which lies in no topic.
    pub(crate) fn of_found(
        &self,
        cx: &mut TaskContext<'_>,
        record: Record<'_, K, Option<V>>,
    ) -> Result<Option<W>, ProcessError> {
        match self {
            Deriver::Function(derive) => derive(record.key, record.value.as_ref()),
            Deriver::Transformer(transformer) => {
                cx.within(RecordContext::punctuation(record.timestamp), |cx| transformer.transform(cx, record))
            }
        }
    }
}
