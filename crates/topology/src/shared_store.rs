//! Stores as nodes reach them: those of their own task, and global ones, which all threads of an instance share.
//!
//! A store of a task stays on the task's thread and is borrowed. A global store is written by one thread and read by all tasks of
//! the instance, so it lies behind a lock: a read takes it for one operation and sees whole rows, a writer for a handful of
//! records. Serdes, buffers and everything else of a typed state belong to the task that reads; only the bytes are shared.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use headwater_store::{Store, StoreError};

/// A store as the nodes of a running task reach it.
#[derive(Clone)]
pub struct SharedStore(Place);

#[derive(Clone)]
enum Place {
    Own(Rc<RefCell<Store>>),
    Global(Arc<GlobalStore>),
}

impl SharedStore {
    /// A store of one task. Nothing of it crosses threads.
    pub fn own(store: Store) -> Self {
        SharedStore(Place::Own(Rc::new(RefCell::new(store))))
    }

    /// Looks at the store.
    ///
    /// # Errors
    /// Those of `look`, and [`StoreError::Closed`] for a global store that is not open.
    #[inline]
    pub fn read<R>(&self, look: impl FnOnce(&Store) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match &self.0 {
            Place::Own(store) => look(&store.borrow()),
            Place::Global(store) => store.read(look),
        }
    }

    /// Changes the store.
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    #[inline]
    pub fn write<R>(&self, work: impl FnOnce(&mut Store) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match &self.0 {
            Place::Own(store) => work(&mut store.borrow_mut()),
            Place::Global(store) => store.write(work),
        }
    }

    /// The store of a task that has ended; `None` when somebody still holds it, and for a global one.
    pub fn into_inner(self) -> Option<Store> {
        match self.0 {
            Place::Own(store) => Rc::into_inner(store).map(RefCell::into_inner),
            Place::Global(_) => None,
        }
    }
}

impl From<Arc<GlobalStore>> for SharedStore {
    fn from(store: Arc<GlobalStore>) -> Self {
        SharedStore(Place::Global(store))
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Own(store) => store.fmt(f),
            Place::Global(store) => store.fmt(f),
        }
    }
}

/// The place of a global store. It outlives the store in it, which may be closed and opened anew under those who read it.
pub struct GlobalStore {
    name: String,
    store: RwLock<Option<Store>>,
}

impl GlobalStore {
    /// An empty place for the store `name`.
    pub fn new(name: impl Into<String>) -> Self {
        GlobalStore { name: name.into(), store: RwLock::new(None) }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is here, to close it or to put another in its place. Readers wait as long as it is held.
    pub fn slot(&self) -> RwLockWriteGuard<'_, Option<Store>> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`SharedStore::read`].
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    pub fn read<R>(&self, look: impl FnOnce(&Store) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match &*self.store.read().unwrap_or_else(PoisonError::into_inner) {
            Some(store) => look(store),
            None => Err(self.closed()),
        }
    }

    /// As [`SharedStore::write`].
    ///
    /// # Errors
    /// As [`SharedStore::read`].
    pub fn write<R>(&self, work: impl FnOnce(&mut Store) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match &mut *self.slot() {
            Some(store) => work(store),
            None => Err(self.closed()),
        }
    }

    #[cold]
    fn closed(&self) -> StoreError {
        StoreError::Closed { store: self.name.clone() }
    }
}

impl fmt::Debug for GlobalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalStore({})", self.name)
    }
}
