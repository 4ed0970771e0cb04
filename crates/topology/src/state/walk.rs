//! What somebody who goes through a store sees of writes meanwhile.
//!
//! The rule, the same for all stores: the entries that were there when he began, each as it is when he reaches it. Java's stores in
//! memory and cached ones do so; its uncached ones on disk show what they held at the beginning.

use std::cell::RefCell;
use std::collections::BTreeMap;

use headwater_store::bytes::Order;

use crate::ProcessError;

/// Those who go through a store at the moment.
#[derive(Debug, Default)]
pub(super) struct Walks {
    open: RefCell<Vec<Progress>>,
}

/// How far somebody is.
#[derive(Debug)]
struct Progress {
    order: Order,
    /// The bytes of the entry that he reached last.
    reached: Option<Vec<u8>>,
    /// What was written ahead of him since he began, and whether it was there then.
    written: BTreeMap<Vec<u8>, bool>,
}

impl Walks {
    /// Somebody begins to go through the store, until the walk is dropped.
    pub(super) fn begin(&self, order: Order) -> Walk<'_> {
        let mut open = self.open.borrow_mut();
        open.push(Progress { order, reached: None, written: BTreeMap::new() });
        Walk { walks: self, depth: open.len() - 1 }
    }

    /// Whether somebody goes through the store.
    #[inline]
    pub(super) fn are_open(&self) -> bool {
        !self.open.borrow().is_empty()
    }

    /// The entry of `key` is about to be written; `is_there` says whether there is one.
    ///
    /// # Errors
    /// Those of `is_there`.
    pub(super) fn writes(
        &self,
        key: &[u8],
        is_there: impl FnOnce() -> Result<bool, ProcessError>,
    ) -> Result<(), ProcessError> {
        let is_there = is_there()?;
        for progress in self.open.borrow_mut().iter_mut() {
            if !progress.is_past(key) && !progress.written.contains_key(key) {
                progress.written.insert(key.to_vec(), is_there);
            }
        }
        Ok(())
    }
}

impl Progress {
    fn is_past(&self, key: &[u8]) -> bool {
        self.reached.as_deref().is_some_and(|reached| match self.order {
            Order::Forward => key <= reached,
            Order::Backward => key >= reached,
        })
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meanwhile {
    /// It is as it was.
    Untouched,
    /// It was written, and has to be read again.
    Written,
    /// It was not there at the beginning.
    Added,
}

/// Somebody's way through a store.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    walks: &'a Walks,
    depth: usize,
}

impl Walk<'_> {
    /// What became of the entry of `key`, in a walk by any order.
    pub(super) fn find(&self, key: &[u8]) -> Meanwhile {
        let open = self.walks.open.borrow();
        match open.get(self.depth).and_then(|progress| progress.written.get(key)) {
            None => Meanwhile::Untouched,
            Some(true) => Meanwhile::Written,
            Some(false) => Meanwhile::Added,
        }
    }

    /// As [`Walk::find`], in a walk by the order of keys, which does not come back to what lies behind `key`.
    pub(super) fn reach(&self, key: &[u8]) -> Meanwhile {
        let found = self.find(key);
        if let Some(progress) = self.walks.open.borrow_mut().get_mut(self.depth) {
            progress.written.remove(key);
            let reached = progress.reached.get_or_insert_default();
            reached.clear();
            reached.extend_from_slice(key);
        }
        found
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.walks.open.borrow_mut().truncate(self.depth);
    }
}
