//! Writes that lie in a record cache before they go to store and changelog, for states of every kind (`docs/decisions/0006`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Serde, Timestamp};
use headwater_store::cache::{Budget, Evicted, Found, Place, RecordCache, entry_bytes};
use headwater_store::{RecordContext, RowFormat};

use super::Stamped;
use super::core::Write;
use crate::caught::caught;
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
    /// What is to be written, and where from; `None` of what was only read.
    pub(super) fn unwritten(&self) -> Option<(Write<'_, V>, &RecordContext)> {
        let (value, encoded) = (self.value.as_ref(), self.encoded.as_deref());
        Some((Write { value, timestamp: self.timestamp, encoded }, self.context.as_ref()?))
    }

    pub(super) fn into_stamped(self) -> Option<Stamped<V>> {
        Some(Stamped { value: self.value?, timestamp: self.timestamp })
    }

    /// A write, and how many bytes its row has.
    pub(super) fn written(
        serde: &RowSerde<'_, V>,
        value: Option<V>,
        timestamp: Timestamp,
        context: RecordContext,
    ) -> Result<(Self, usize), ProcessError> {
        let (length, encoded) = serde.measure(value.as_ref())?;
        let row_bytes = serde.row_bytes(length, &context);
        Ok((Cached { value, timestamp, context: Some(context), encoded }, row_bytes))
    }

    /// The value once more, where its bytes are known.
    fn again(&self, serde: &RowSerde<'_, V>) -> Option<V> {
        serde.serde.deserialize(serde.topic, Some(self.encoded.as_ref()?)).ok()
    }
}

/// How values become rows.
pub(super) struct RowSerde<'a, V> {
    pub(super) serde: &'a dyn Serde<V>,
    pub(super) topic: &'a str,
    pub(super) format: RowFormat,
}

impl<V> RowSerde<'_, V> {
    /// How many bytes a value has; none without one. Where only the bytes tell, they are made.
    #[inline]
    fn measure(&self, value: Option<&V>) -> Result<(Option<usize>, Option<Vec<u8>>), ProcessError> {
        let Some(value) = value else { return Ok((None, None)) };
        if let Some(length) = self.serde.encoded_len(value) {
            return Ok((Some(length), None));
        }
        let mut bytes = Vec::new();
        self.serde.serialize(self.topic, value, &mut bytes)?;
        Ok((Some(bytes.len()), Some(bytes)))
    }

    /// How many bytes the row of a value has that has so many; 0 for none.
    #[inline]
    fn row_bytes(&self, length: Option<usize>, context: &RecordContext) -> usize {
        length.map_or(0, |length| length + self.format.overhead(&context.headers))
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

    /// Hands what is not written back yet to `take`, in the order of the last updates: what is `asked` for, or the entry of `only` one key.
    pub(super) fn each_unwritten(
        &self,
        only: Option<&[u8]>,
        asked: impl Fn(&[u8]) -> bool,
        mut take: impl FnMut(&[u8], &Cached<V>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let entries = self.entries.borrow();
        if let Some(key) = only {
            return entries.peek_dirty(key).map_or(Ok(()), |cached| take(key, cached));
        }
        let mut asked_for = entries.dirty().filter(|(key, _)| asked(key));
        asked_for.try_for_each(|(key, cached)| take(key, cached))
    }

    /// Finds the entry of `key`, or makes a place for one, which is to be [kept](WriteBehind::keep_written) or
    /// [abandoned](WriteBehind::abandon).
    #[inline]
    pub(super) fn find_or_reserve(&self, key: &[u8]) -> (Place, Found) {
        self.entries.borrow_mut().find_or_reserve(key)
    }

    /// Finds the entry of `key`; `None` also while it is lent.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<Place> {
        self.entries.borrow_mut().find_used(key)
    }

    /// Gives up a place for which nothing came.
    pub(super) fn abandon(&self, place: Place, found: Found) {
        if found == Found::Reserved {
            self.entries.borrow_mut().remove_at(place);
        }
    }

    /// Changes the value at `place`, where an entry lies whose key has `key_len` bytes. `note` renews the context.
    ///
    /// On an error everything is as it was, unless the value is gone: a clean one can be read again, the loss of another is fatal.
    #[inline]
    pub(super) fn change(
        &self,
        (place, key_len): (Place, usize),
        serde: &RowSerde<'_, V>,
        note: impl FnOnce(&mut Option<RecordContext>),
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let taken = self.entries.borrow_mut().at_mut(place).map(|cached| (cached.value.take(), cached.timestamp));
        let Some((value, timestamp)) = taken else { return Ok(()) };
        let was_there = value.is_some();
        let mut slot = value.map(|value| Stamped { value, timestamp });
        // Nothing is borrowed here: `change` may read the store.
        let changed = caught(|| change(&mut slot)).and_then(|new| Ok((serde.measure(new.value.as_ref())?, new)));
        let mut entries = self.entries.borrow_mut();
        let Some(cached) = entries.at_mut(place) else { return Ok(()) };
        match changed {
            Ok(((length, encoded), new)) => {
                (cached.value, cached.timestamp, cached.encoded) = (new.value, new.timestamp, encoded);
                note(&mut cached.context);
                let row_bytes = cached.context.as_ref().map_or(0, |context| serde.row_bytes(length, context));
                let weight = entry_bytes(key_len + self.key_extra, row_bytes, cached.context.as_ref());
                entries.changed(place, weight);
                Ok(())
            }
            Err(error) => {
                let left = slot.map(|slot| slot.value);
                cached.value = if was_there { left.or_else(|| cached.again(serde)) } else { left };
                if was_there && cached.value.is_none() { self.lose(&mut entries, place, error) } else { Err(error) }
            }
        }
    }

    /// Forgets the value at `place`, which a change that failed has used up.
    #[cold]
    fn lose(
        &self,
        entries: &mut RecordCache<Cached<V>>,
        place: Place,
        error: ProcessError,
    ) -> Result<(), ProcessError> {
        let dirty = entries.is_dirty(place);
        entries.remove_at(place);
        if !dirty {
            return Err(error);
        }
        let message = format!("a failed update of store {} lost the value that was not written yet", self.name);
        Err(ProcessError::failed(FailureKind::Processing, message, Some(Box::new(error))))
    }

    /// Takes the entry of `key` out for a while; the place is where to give it back.
    #[inline]
    pub(super) fn lend(&self, key: &[u8]) -> Option<(Place, Cached<V>)> {
        let mut entries = self.entries.borrow_mut();
        let place = entries.find_used(key)?;
        Some((place, entries.lend(place)?))
    }

    /// As [`WriteBehind::lend`], of an entry that was just read into the cache.
    pub(super) fn lend_new(&self, key: &[u8]) -> Option<(Place, Cached<V>)> {
        let mut entries = self.entries.borrow_mut();
        let place = entries.find_uncounted(key)?;
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
        let mut key = Vec::new();
        for place in places {
            if result.is_err() {
                break;
            }
            let lent = {
                let mut entries = self.entries.borrow_mut();
                key.clear();
                key.extend_from_slice(entries.key_at(place).unwrap_or_default());
                entries.lend(place)
            };
            let Some(cached) = lent else { continue };
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
