//! The store that keeps a table, where the user named one, with the types that it is opened with.

use std::any::Any;
use std::sync::Arc;

use headwater_topology::state::StoreHandle;

/// The named store of a table.
pub(crate) enum Queryable<K: 'static, V: 'static> {
    /// There is none.
    Nothing,
    /// A row for each key of the table.
    ByKey(StoreHandle<K, V>),
    /// Rows by window or session. The keys of its handle are those of the table without their windows.
    InTime { name: Arc<str>, handle: Arc<dyn Any + Send + Sync> },
}

impl<K: 'static, V: 'static> Clone for Queryable<K, V> {
    fn clone(&self) -> Self {
        match self {
            Queryable::Nothing => Queryable::Nothing,
            Queryable::ByKey(handle) => Queryable::ByKey(handle.clone()),
            Queryable::InTime { name, handle } => {
                Queryable::InTime { name: Arc::clone(name), handle: Arc::clone(handle) }
            }
        }
    }
}

impl<K: 'static, V: 'static> From<Option<StoreHandle<K, V>>> for Queryable<K, V> {
    fn from(handle: Option<StoreHandle<K, V>>) -> Self {
        handle.map_or(Queryable::Nothing, Queryable::ByKey)
    }
}

impl<K: 'static, V: 'static> Queryable<K, V> {
    /// A store of windows or sessions, of keys `P`.
    pub(crate) fn in_time<P: 'static>(handle: Option<StoreHandle<P, V>>) -> Self {
        handle.map_or(Queryable::Nothing, |handle| Queryable::InTime {
            name: handle.name().into(),
            handle: Arc::new(handle),
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Queryable::Nothing => None,
            Queryable::ByKey(handle) => Some(handle.name()),
            Queryable::InTime { name, .. } => Some(name),
        }
    }

    pub(crate) fn by_key(&self) -> Option<&StoreHandle<K, V>> {
        match self {
            Queryable::ByKey(handle) => Some(handle),
            _ => None,
        }
    }

    pub(crate) fn by_window<P: 'static>(&self) -> Option<&StoreHandle<P, V>> {
        match self {
            Queryable::InTime { handle, .. } => handle.downcast_ref(),
            _ => None,
        }
    }
}
