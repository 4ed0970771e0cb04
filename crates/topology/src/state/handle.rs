//! Which store, of which types.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{DefaultSerde, SharedSerde};

use crate::{Outlet, ProcessError, Table, TaskContext, Update};

/// A store by its name, with the serdes of its keys and values. Handles of the same name open the same store.
pub struct StoreHandle<K, V> {
    name: Arc<str>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
}

impl<K, V> Clone for StoreHandle<K, V> {
    fn clone(&self) -> Self {
        StoreHandle { name: Arc::clone(&self.name), key: Arc::clone(&self.key), value: Arc::clone(&self.value) }
    }
}

impl<K, V> StoreHandle<K, V> {
    /// The store `name`, with these serdes.
    pub fn with(name: impl Into<Arc<str>>, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        StoreHandle { name: name.into(), key, value }
    }

    /// The store `name`, with the types' default serdes.
    pub fn named(name: impl Into<Arc<str>>) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(name, K::default_serde(), V::default_serde())
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The serde of keys.
    pub fn key_serde(&self) -> &SharedSerde<K> {
        &self.key
    }

    /// The serde of values.
    pub fn value_serde(&self) -> &SharedSerde<V> {
        &self.value
    }
}

impl<K, V> fmt::Debug for StoreHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreHandle({})", self.name)
    }
}

/// To whom a state hands the changes that leave its cache: the children of the node that owns the store.
pub struct FlushTo<K: 'static, V: 'static> {
    /// Shared with the node, which uses it when the store is not cached.
    pub out: Rc<RefCell<Outlet<Table<K, V>>>>,
    /// Whether somebody downstream wants old values.
    pub send_old: bool,
}

impl<K: 'static, V: 'static> Clone for FlushTo<K, V> {
    fn clone(&self) -> Self {
        FlushTo { out: Rc::clone(&self.out), send_old: self.send_old }
    }
}

impl<K: 'static, V: 'static> FlushTo<K, V> {
    /// Whether the owner is handing something on just now.
    pub fn is_busy(&self) -> bool {
        self.out.try_borrow_mut().is_err()
    }

    /// Hands `update` on.
    ///
    /// # Errors
    /// What no handler let pass.
    #[inline]
    pub fn push(&self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        match self.out.try_borrow_mut() {
            Ok(mut out) => out.push(cx, update),
            Err(_) => Err(ProcessError::user("a cached store was flushed while its owner was handing records on")),
        }
    }
}

impl<K: 'static, V: 'static> fmt::Debug for FlushTo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushTo").field("out", &self.out).field("send_old", &self.send_old).finish()
    }
}
