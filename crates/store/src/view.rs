//! Reading a store from other threads while its task writes it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use headwater_record::{Offset, Timestamp};

use crate::bytes::{KeyRange, KeySelection};
use crate::{Store, StoreError};

/// A store as one commit left it. Any thread reads it, however long, while the task goes on and commits again.
///
/// It ends when its store is closed, since the files below it may then be another's: reads say [`StoreError::Closed`] from then on.
pub struct View {
    name: String,
    offset: Option<Offset>,
    store: RwLock<Option<Store>>,
}

impl View {
    /// Over `store`, which nobody writes any more and which contains its changelog up to `offset`.
    pub fn new(store: Store, offset: Option<Offset>) -> Self {
        View { name: store.state().name().to_owned(), offset, store: RwLock::new(Some(store)) }
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last changelog record that is in it; `None` in a store without changelog, and before the first commit.
    pub fn changelog_offset(&self) -> Option<Offset> {
        self.offset
    }

    /// Looks at the store. Whoever closes it waits for `look`, which is to be short: a key, or some entries of a scan.
    ///
    /// # Errors
    /// Those of `look`, and [`StoreError::Closed`].
    pub fn read<R>(&self, look: impl FnOnce(&Store) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match &*self.store.read().unwrap_or_else(PoisonError::into_inner) {
            Some(store) => look(store),
            None => Err(StoreError::Closed { store: self.name.clone() }),
        }
    }

    fn close(&self) {
        drop(self.store.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("name", &self.name).field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// What somebody is going to read of a store, no more.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of these keys.
    pub keys: KeyRange<'a>,
    /// The windows that start, or the sessions that end, from this time on.
    pub from: Timestamp,
    /// Up to this time, which is included.
    pub to: Timestamp,
}

impl Asked<'_> {
    /// Everything.
    pub const ALL: Asked<'static> = Asked { keys: KeyRange::ALL, from: Timestamp::ZERO, to: Timestamp::MAX };

    /// Whether the entry of `key` at `time` is read.
    pub fn contains(&self, key: &[u8], time: Timestamp) -> bool {
        self.keys.contains(key) && self.from <= time && time <= self.to
    }

    /// The keys, and perhaps those that bound them.
    pub fn selection(&self) -> KeySelection<'_> {
        self.keys.selection()
    }
}

/// Where other threads get the views of one store.
pub trait StoreViews: Send + Sync + fmt::Debug {
    /// The store as its last commit left it. `None`: this store makes views only once they are asked for, which they are now; the
    /// first is there after its next commit.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Io`].
    fn committed(&self) -> Result<Option<Arc<View>>, StoreError>;

    /// Whether the store is closed, so that nothing more is to be had.
    fn is_closed(&self) -> bool {
        matches!(self.committed(), Err(StoreError::Closed { .. }))
    }
}

/// What a store and those who hand out its views share: `T`, of which views are made. A store keeps it up to date with its commits,
/// and closes it with itself.
pub struct Committed<T> {
    name: String,
    shared: Mutex<Shared<T>>,
}

struct Shared<T> {
    /// `None` once the store is closed.
    source: Option<T>,
    /// Of the last commit, once somebody has asked.
    view: Option<Arc<View>>,
    /// All that somebody may still hold.
    handed_out: Vec<Weak<View>>,
}

impl<T> Shared<T> {
    fn hand_out(&mut self, view: View) -> Arc<View> {
        let view = Arc::new(view);
        self.handed_out.retain(|view| view.strong_count() > 0);
        self.handed_out.push(Arc::downgrade(&view));
        view
    }
}

impl<T> Committed<T> {
    /// Of the store `name`.
    pub fn new(name: &str, source: T) -> Self {
        let shared = Shared { source: Some(source), view: None, handed_out: Vec::new() };
        Committed { name: name.to_owned(), shared: Mutex::new(shared) }
    }

    /// Has `commit` change what views are made of; no view is made meanwhile.
    pub fn change<R>(&self, commit: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut shared = self.shared();
        let done = commit(shared.source.as_mut()?);
        shared.view = None;
        Some(done)
    }

    /// Looks at what views are made of, between two commits; `None` once the store is closed.
    pub fn look<R>(&self, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.shared().source.as_mut().map(look)
    }

    /// Gives out another view of the store, which ends with it too.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub fn hand_out(&self, view: View) -> Result<Arc<View>, StoreError> {
        let mut shared = self.shared();
        if shared.source.is_none() {
            return Err(StoreError::Closed { store: self.name.clone() });
        }
        Ok(shared.hand_out(view))
    }

    /// The view of the last commit, which `make` makes when it is asked for first; it may have none to give.
    ///
    /// # Errors
    /// [`StoreError::Closed`], and those of `make`.
    pub fn view(
        &self,
        make: impl FnOnce(&mut T) -> Result<Option<View>, StoreError>,
    ) -> Result<Option<Arc<View>>, StoreError> {
        let mut shared = self.shared();
        if let Some(view) = &shared.view {
            return Ok(Some(Arc::clone(view)));
        }
        let Some(source) = &mut shared.source else { return Err(StoreError::Closed { store: self.name.clone() }) };
        let Some(view) = make(source)? else { return Ok(None) };
        let view = shared.hand_out(view);
        shared.view = Some(Arc::clone(&view));
        Ok(Some(view))
    }

    /// Whether the store is closed.
    pub fn is_closed(&self) -> bool {
        self.shared().source.is_none()
    }

    /// Ends all views; returns when nobody reads any.
    pub fn close(&self) {
        let handed_out = {
            let mut shared = self.shared();
            (shared.source, shared.view) = (None, None);
            std::mem::take(&mut shared.handed_out)
        };
        handed_out.iter().filter_map(Weak::upgrade).for_each(|view| view.close());
    }

    fn shared(&self) -> MutexGuard<'_, Shared<T>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Committed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committed").field("name", &self.name).finish_non_exhaustive()
    }
}
