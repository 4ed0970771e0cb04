//! Writes that lie in a record cache before they go to store and changelog (D9): what states of every kind do with one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Serde, Timestamp};
use headwater_store::cache::{Budget, Evicted, Place, RecordCache, entry_bytes};
use headwater_store::{RecordContext, RowFormat};

use crate::{FailureKind, ProcessError, StoreId, TaskContext};

/// What lies in the cache under a key.
pub(super) struct Cached<V> {
    /// `None` is a tombstone that is not written yet.
    pub(super) value: Option<V>,
    pub(super) timestamp: Timestamp,
    /// Of the last write; `None` when it was only read.
    pub(super) context: Option<RecordContext>,
    /// The value's bytes, where its length was not to be had without them.
    pub(super) encoded: Option<Vec<u8>>,
}

impl<V> Cached<V> {
    /// A write, and how many bytes its row has.
    pub(super) fn written(
        (serde, topic, format): (&dyn Serde<V>, &str, RowFormat),
        value: Option<V>,
        timestamp: Timestamp,
        context: RecordContext,
    ) -> Result<(Self, usize), ProcessError> {
        let mut encoded = None;
        let row_bytes = match &value {
            None => 0,
            Some(value) => {
                let length = if let Some(length) = serde.encoded_len(value) {
                    length
                } else {
                    let mut bytes = Vec::new();
                    serde.serialize(topic, value, &mut bytes)?;
                    encoded.insert(bytes).len()
                };
                length + format.overhead(&context.headers)
            }
        };
        Ok((Cached { value, timestamp, context: Some(context), encoded }, row_bytes))
    }
}

/// Writes one entry back: key, and what lies under it.
pub(super) type WriteBack<'f, V> = &'f dyn Fn(&mut TaskContext<'_>, &[u8], &Cached<V>) -> Result<(), ProcessError>;

/// The record cache of a state.
pub(super) struct WriteBehind<V> {
    store: StoreId,
    name: Arc<str>,
    /// What an entry's key has in Java's cache beyond its bytes here.
    key_extra: usize,
    entries: RefCell<RecordCache<Cached<V>>>,
    flushing: Cell<bool>,
}

impl<V> WriteBehind<V> {
    pub(super) fn new(store: StoreId, name: Arc<str>, key_extra: usize, budget: Rc<Budget>) -> Self {
        let entries = RefCell::new(RecordCache::new(budget));
        WriteBehind { store, name, key_extra, entries, flushing: Cell::new(false) }
    }

    /// The entries. Not to be borrowed while something is handed on.
    pub(super) fn entries(&self) -> &RefCell<RecordCache<Cached<V>>> {
        &self.entries
    }

    /// Takes the entry of `key` out for a while; the place is where to give it back.
    #[inline]
    pub(super) fn lend(&self, key: &[u8]) -> Option<(Place, Cached<V>)> {
        let mut entries = self.entries.borrow_mut();
        let place = entries.find_used(key)?;
        Some((place, entries.lend(place)?))
    }

    #[inline]
    pub(super) fn give_back(&self, place: Place, cached: Cached<V>) {
        self.entries.borrow_mut().give_back(place, cached);
    }

    /// Keeps what was read from the store.
    pub(super) fn keep_read(&self, key: &[u8], cached: Cached<V>, row_bytes: usize) {
        let weight = entry_bytes(key.len() + self.key_extra, row_bytes, None);
        self.entries.borrow_mut().put(key, cached, weight, false);
    }

    /// Keeps a write, at `place` when the entry was lent from there.
    #[inline]
    pub(super) fn keep_written(&self, key: &[u8], place: Option<Place>, (cached, row_bytes): (Cached<V>, usize)) {
        let weight = entry_bytes(key.len() + self.key_extra, row_bytes, cached.context.as_ref());
        let mut entries = self.entries.borrow_mut();
        match place {
            Some(place) => entries.replace(place, cached, weight, true),
            None => {
                entries.put(key, cached, weight, true);
            }
        }
    }

    /// A change of the entry that was lent from `place` failed; `cached` has what it left of the value. Everything is as it was,
    /// unless the value is gone: a clean one can be read again, the loss of another is fatal.
    pub(super) fn undo(
        &self,
        (place, mut cached): (Place, Cached<V>),
        was_there: bool,
        decode: impl FnOnce(&[u8]) -> Result<V, ProcessError>,
        error: ProcessError,
    ) -> Result<(), ProcessError> {
        if was_there
            && cached.value.is_none()
            && let Some(bytes) = &cached.encoded
        {
            cached.value = Some(decode(bytes)?);
        }
        let mut entries = self.entries.borrow_mut();
        if cached.value.is_some() || !was_there {
            entries.give_back(place, cached);
            return Err(error);
        }
        let dirty = entries.is_dirty(place);
        entries.remove_at(place);
        if !dirty {
            return Err(error);
        }
        let message = format!("a failed update of store {} lost the value that was not written yet", self.name);
        Err(ProcessError::failed(FailureKind::Processing, message, Some(Box::new(error))))
    }

    /// Whether the caches hold more than they may.
    #[inline]
    pub(super) fn is_exceeded(&self) -> bool {
        self.entries.borrow().budget().is_exceeded()
    }

    /// Takes out what was not used for longest, as long as the caches are over their budget; when the owner is `busy` handing a record
    /// on, after that.
    #[cold]
    pub(super) fn make_room(
        &self,
        cx: &mut TaskContext<'_>,
        busy: bool,
        write_back: WriteBack<'_, V>,
    ) -> Result<(), ProcessError> {
        if self.flushing.get() || busy {
            cx.deferred.push(self.store);
            return Ok(());
        }
        while self.is_exceeded() {
            let Some(evicted) = self.entries.borrow_mut().evict() else { break };
            if evicted.dirty {
                self.flush(cx, Some(evicted), write_back)?;
            }
        }
        Ok(())
    }

    /// Writes back what was evicted, then all other changes, in the order of their last update.
    pub(super) fn flush(
        &self,
        cx: &mut TaskContext<'_>,
        evicted: Option<Evicted<Cached<V>>>,
        write_back: WriteBack<'_, V>,
    ) -> Result<(), ProcessError> {
        self.flushing.set(true);
        let places = self.entries.borrow_mut().take_dirty();
        let mut result = match evicted {
            Some(Evicted { key, payload: Some(cached), .. }) => write_back(cx, &key, &cached),
            _ => Ok(()),
        };
        for place in places {
            if result.is_err() {
                break;
            }
            let lent = {
                let mut entries = self.entries.borrow_mut();
                entries.lend(place).and_then(|cached| Some((entries.key_at(place)?.to_vec(), cached)))
            };
            let Some((key, cached)) = lent else { continue };
            result = write_back(cx, &key, &cached);
            let mut entries = self.entries.borrow_mut();
            if cached.value.is_some() { entries.give_back(place, cached) } else { entries.remove_at(place) }
        }
        self.flushing.set(false);
        result.map_err(|error| match error {
            ProcessError::Failed(failure) => {
                let words = format!("Failed to flush cache of store {}", self.name);
                ProcessError::failed(FailureKind::Flush, words, failure.source)
            }
            other => other,
        })
    }
}
