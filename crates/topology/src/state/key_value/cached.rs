//! A key-value store behind its record cache: what lies there, and how it leaves.

use std::cell::RefCell;

use headwater_record::Timestamp;
use headwater_store::RecordContext;
use headwater_store::cache::{Evicted, Place, RecordCache, entry_bytes};

use super::{Cached, KeyValueState, Rest};
use crate::state::{FlushStore, FlushTo, Stamped};
use crate::{Change, FailureKind, ProcessError, TaskContext, Update};

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    pub(super) fn get_encoded(&self, cx: &mut TaskContext<'_>, key: &[u8]) -> Result<Option<Stamped<V>>, ProcessError> {
        let (place, found) = self.find(cx, key)?;
        let copy = match found.as_ref().and_then(|cached| Some((cached.value.as_ref()?, cached))) {
            None => Ok(None),
            Some((value, cached)) => self.copy_of(value, cached).map(Some),
        };
        if self.is_cached() {
            self.give_back(place, found);
            return copy;
        }
        Ok(found.and_then(|cached| Some(Stamped { value: cached.value?, timestamp: cached.timestamp })))
    }

    fn copy_of(&self, value: &V, cached: &Cached<V>) -> Result<Stamped<V>, ProcessError> {
        let row = self.row_of(value, cached)?;
        self.decode(&row)
    }

    /// The entry of `key`, from the cache (with its place, lent) or the store.
    pub(super) fn find(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
    ) -> Result<(Option<Place>, Option<Cached<V>>), ProcessError> {
        let Some(cache) = &self.cache else { return Ok((None, self.load(key)?.map(|(cached, _)| cached))) };
        if let Some(found) = lend(cache, key) {
            return Ok(found);
        }
        let Some((cached, row_bytes)) = self.load(key)? else { return Ok((None, None)) };
        if cache.borrow().contains(key) {
            // Somebody up the stack is at work on this entry.
            return Ok((None, Some(cached)));
        }
        cache.borrow_mut().put(key, cached, entry_bytes(key.len(), row_bytes, None), false);
        self.keep_to_budget(cx)?;
        match lend(cache, key) {
            Some(found) => Ok(found),
            None => Ok((None, self.load(key)?.map(|(cached, _)| cached))),
        }
    }

    pub(super) fn load(&self, key: &[u8]) -> Result<Option<(Cached<V>, usize)>, ProcessError> {
        let Some(row) = self.read(key)? else { return Ok(None) };
        let Stamped { value, timestamp } = self.decode(&row)?;
        let bytes = row.encoded_len();
        Ok(Some((Cached { value: Some(value), timestamp, context: None, encoded: None }, bytes)))
    }

    pub(super) fn give_back(&self, place: Option<Place>, cached: Option<Cached<V>>) {
        if let (Some(cache), Some(place), Some(cached)) = (&self.cache, place, cached) {
            cache.borrow_mut().give_back(place, cached);
        }
    }

    /// A change of the value at `place` failed: `slot` is what it left of the value.
    pub(super) fn undo(
        &self,
        place: Option<Place>,
        slot: Option<Stamped<V>>,
        rest: Option<Rest<V>>,
        error: ProcessError,
    ) -> Result<(), ProcessError> {
        let (Some(cache), Some(place), Some(Rest { was_there, mut cached })) = (&self.cache, place, rest) else {
            return Err(error);
        };
        cached.value = match (slot, &cached.encoded) {
            (Some(stamped), _) => Some(stamped.value),
            (None, Some(bytes)) if was_there => Some(self.value.deserialize(&self.topic, Some(bytes))?),
            (None, _) => None,
        };
        if cached.value.is_some() || !was_there {
            cache.borrow_mut().give_back(place, cached);
            return Err(error);
        }
        // Clean entries can be read again.
        let dirty = cache.borrow().is_dirty(place);
        cache.borrow_mut().remove_at(place);
        if !dirty {
            return Err(error);
        }
        let message = format!("a failed update of store {} lost the value that was not written yet", self.name);
        Err(ProcessError::failed(FailureKind::Processing, message, Some(Box::new(error))))
    }

    pub(super) fn put_cached(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        place: Option<Place>,
        value: Option<V>,
        timestamp: Timestamp,
        context: RecordContext,
    ) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let mut encoded = None;
        let row_bytes = match &value {
            None => 0,
            Some(value) => {
                let length = if let Some(length) = self.value.encoded_len(value) {
                    length
                } else {
                    let mut bytes = Vec::new();
                    self.value.serialize(&self.topic, value, &mut bytes)?;
                    encoded.insert(bytes).len()
                };
                length + self.format.overhead(&context.headers)
            }
        };
        let bytes = entry_bytes(key.len(), row_bytes, Some(&context));
        let cached = Cached { value, timestamp, context: Some(context), encoded };
        match place {
            Some(place) => cache.borrow_mut().replace(place, cached, bytes, true),
            None => {
                cache.borrow_mut().put(key, cached, bytes, true);
            }
        }
        self.keep_to_budget(cx)
    }

    /// Takes out what was not used for longest, as long as the caches are over their budget.
    #[inline]
    fn keep_to_budget(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        let exceeded = |cache: &RefCell<RecordCache<Cached<V>>>| cache.borrow().budget().is_exceeded();
        if !self.cache.as_ref().is_some_and(exceeded) {
            return Ok(());
        }
        if self.flushing.get() || self.flush_to.borrow().as_ref().is_some_and(FlushTo::is_busy) {
            // Its owner is handing a record on: when that is done.
            cx.deferred.push(self.id);
            return Ok(());
        }
        while let Some(cache) = self.cache.as_ref().filter(|cache| exceeded(cache)) {
            let Some(evicted) = cache.borrow_mut().evict() else { break };
            if evicted.dirty {
                self.flush_dirty(cx, Some(evicted))?;
            }
        }
        Ok(())
    }

    fn flush_dirty(&self, cx: &mut TaskContext<'_>, evicted: Option<Evicted<Cached<V>>>) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        self.flushing.set(true);
        let places = cache.borrow_mut().take_dirty();
        let mut result = match evicted {
            Some(Evicted { key, payload: Some(cached), .. }) => self.write_back(cx, &key, &cached),
            _ => Ok(()),
        };
        for place in places {
            if result.is_err() {
                break;
            }
            let lent = {
                let mut cache = cache.borrow_mut();
                cache.lend(place).and_then(|cached| Some((cache.key_at(place)?.to_vec(), cached)))
            };
            let Some((key, cached)) = lent else { continue };
            result = self.write_back(cx, &key, &cached);
            let mut cache = cache.borrow_mut();
            if cached.value.is_some() { cache.give_back(place, cached) } else { cache.remove_at(place) }
        }
        self.flushing.set(false);
        result.map_err(|error| self.flush_failed(error))
    }

    /// Writes one entry to store and changelog, and hands the change on.
    fn write_back(&self, cx: &mut TaskContext<'_>, key: &[u8], cached: &Cached<V>) -> Result<(), ProcessError> {
        let to = self.flush_to.borrow().clone();
        let send_old = to.as_ref().is_some_and(|to| to.send_old);
        // A store without an owner is written as it was told to be.
        let ask = to.is_some() && (cached.value.is_none() || send_old);
        let old_row = if ask { self.read(key)? } else { None };
        if to.is_some() && cached.value.is_none() && old_row.is_none() {
            return Ok(());
        }
        let Some(context) = &cached.context else { return Ok(()) };
        let timestamp = if cached.value.is_some() { cached.timestamp } else { context.timestamp };
        cx.within(context.clone(), |cx| {
            self.write(cx, key, cached.value.as_ref(), cached.timestamp, cached.encoded.clone(), context)?;
            let Some(to) = to else { return Ok(()) };
            let old = match old_row.filter(|_| send_old) {
                Some(row) => Some(self.decode(&row)?.value),
                None => None,
            };
            let key = self.key.deserialize(&self.topic, Some(key))?;
            let change = Change::new(&cached.value, &old);
            to.push(cx, Update { key: &key, change, timestamp, headers: &context.headers })
        })
    }

    fn flush_failed(&self, error: ProcessError) -> ProcessError {
        match error {
            ProcessError::Failed(failure) => ProcessError::failed(
                FailureKind::Flush,
                format!("Failed to flush cache of store {}", self.name),
                failure.source,
            ),
            other => other,
        }
    }
}

type Lent<V> = (Option<Place>, Option<Cached<V>>);

fn lend<V>(cache: &RefCell<RecordCache<Cached<V>>>, key: &[u8]) -> Option<Lent<V>> {
    let mut cache = cache.borrow_mut();
    let place = cache.find_used(key)?;
    let cached = cache.lend(place)?;
    Some((Some(place), Some(cached)))
}

impl<K: 'static, V: 'static> FlushStore for KeyValueState<K, V> {
    fn flush(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.flush_dirty(cx, None)
    }

    fn evict(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.keep_to_budget(cx)
    }
}
