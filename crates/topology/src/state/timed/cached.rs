//! A window or session store behind its record cache: what lies there, and how it leaves.

use std::cell::RefCell;

use headwater_record::{Headers, Timestamp};
use headwater_store::cache::{Evicted, Place, RecordCache, entry_bytes};
use headwater_store::{RecordContext, StoreError};
use headwater_window::{Window, Windowed};

use super::{Cached, ChangeOf, KeyBuf, Timed, TimedState};
use crate::state::{FlushStore, FlushTo, SeenEntry, Stamped};
use crate::{Change, FailureKind, ProcessError, TaskContext, Update};

type Lent<V> = (Place, Cached<V>);

fn lend<V>(cache: &RefCell<RecordCache<Cached<V>>>, key: &[u8]) -> Option<Lent<V>> {
    let mut cache = cache.borrow_mut();
    let place = cache.find_used(key)?;
    Some((place, cache.lend(place)?))
}

impl<K: 'static, V: 'static, T: Timed> TimedState<K, V, T> {
    /// What the cache has under these bytes, if it has anything: a copy, or that it was deleted.
    #[expect(clippy::option_option, reason = "not in the cache, deleted there, or there")]
    pub(super) fn copy_of_cached(&self, bytes: &[u8]) -> Result<Option<Option<Stamped<V>>>, ProcessError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let Some((place, cached)) = lend(cache, bytes) else { return Ok(None) };
        let copy = cached.value.as_ref().map(|value| self.copy(value, cached.timestamp)).transpose();
        cache.borrow_mut().give_back(place, cached);
        copy.map(Some)
    }

    /// A value as it comes back from its bytes.
    pub(super) fn copy(&self, value: &V, timestamp: Timestamp) -> Result<Stamped<V>, ProcessError> {
        let mut bytes = Vec::new();
        self.value.serialize(&self.topic, value, &mut bytes)?;
        Ok(Stamped { value: self.value.deserialize(&self.topic, Some(&bytes))?, timestamp })
    }

    /// Looks at what the cache has under these bytes; `None` when it has nothing.
    pub(super) fn look_cached<R>(&self, bytes: &[u8], look: &mut dyn FnMut(Option<&V>) -> R) -> Option<R> {
        let cache = self.cache.as_ref()?;
        let (place, cached) = lend(cache, bytes)?;
        let result = look(cached.value.as_ref());
        cache.borrow_mut().give_back(place, cached);
        Some(result)
    }

    pub(super) fn update_cached(
        &self,
        cx: &mut TaskContext<'_>,
        buf: &mut KeyBuf,
        window: Window,
        context: RecordContext,
        change: ChangeOf<'_, V>,
    ) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let Some((place, mut cached)) = lend(cache, buf.at(&self.timed, window)) else {
            let mut slot = self.read(buf.key(), window)?.map(|row| self.decode(&row)).transpose()?;
            let new = change(&mut slot)?;
            return self.put_cached(cx, buf.at(&self.timed, window), None, new.value, new.timestamp, context);
        };
        let timestamp = cached.timestamp;
        let mut slot = cached.value.take().map(|value| Stamped { value, timestamp });
        let was_there = slot.is_some();
        match change(&mut slot) {
            Ok(new) => self.put_cached(cx, buf.at(&self.timed, window), Some(place), new.value, new.timestamp, context),
            Err(error) => {
                cached.value = slot.map(|slot| slot.value);
                self.undo((place, cached), was_there, error)
            }
        }
    }

    /// A change of an entry failed; `cached` has what it left of the value.
    fn undo(&self, (place, mut cached): Lent<V>, was_there: bool, error: ProcessError) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Err(error) };
        if was_there
            && cached.value.is_none()
            && let Some(bytes) = &cached.encoded
        {
            cached.value = Some(self.value.deserialize(&self.topic, Some(bytes))?);
        }
        let mut cache = cache.borrow_mut();
        if cached.value.is_some() || !was_there {
            cache.give_back(place, cached);
            return Err(error);
        }
        // Clean entries can be read again.
        let dirty = cache.is_dirty(place);
        cache.remove_at(place);
        if !dirty {
            return Err(error);
        }
        let message = format!("a failed update of store {} lost the value that was not written yet", self.name);
        Err(ProcessError::failed(FailureKind::Processing, message, Some(Box::new(error))))
    }

    pub(super) fn put_cached(
        &self,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
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
        let weight = entry_bytes(bytes.len() + self.cache_key_extra, row_bytes, Some(&context));
        let cached = Cached { value, timestamp, context, encoded };
        match place {
            Some(place) => cache.borrow_mut().replace(place, cached, weight, true),
            None => {
                cache.borrow_mut().put(bytes, cached, weight, true);
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
    fn write_back(&self, cx: &mut TaskContext<'_>, bytes: &[u8], cached: &Cached<V>) -> Result<(), ProcessError> {
        let (key, window) = self.split(bytes)?;
        let to = self.flush_to.borrow().clone();
        let send_old = to.as_ref().is_some_and(|to| to.send_old);
        // A store without an owner is written as it was told to be.
        let ask = to.is_some() && (cached.value.is_none() || send_old);
        let old_row = if ask { self.read(key, window)? } else { None };
        if to.is_some() && cached.value.is_none() && old_row.is_none() {
            return Ok(());
        }
        let context = &cached.context;
        let value = (cached.value.as_ref(), cached.timestamp, cached.encoded.as_deref());
        let timestamp = if cached.value.is_some() { cached.timestamp } else { context.timestamp };
        cx.within(context.clone(), |cx| {
            self.write(cx, key, window, value, context)?;
            let Some(to) = to else { return Ok(()) };
            let old = match old_row.filter(|_| send_old) {
                Some(row) => Some(self.decode(&row)?.value),
                None => None,
            };
            let key = Windowed::new(self.decode_key(key)?, window);
            let change = Change::new(&cached.value, &old);
            let timestamp = T::time_of_change(window, timestamp);
            let none = Headers::new();
            let headers = if self.keeps_headers_only() { &none } else { &context.headers };
            to.push(cx, Update { key: &key, change, timestamp, headers })
        })
    }

    pub(super) fn split<'b>(&self, bytes: &'b [u8]) -> Result<(&'b [u8], Window), ProcessError> {
        let short = || StoreError::Corrupt { reason: format!("store {}: a key has no window", self.name) };
        Ok(self.timed.split(bytes).ok_or_else(short)?)
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

impl<K: 'static, V: 'static, T: Timed> FlushStore for TimedState<K, V, T> {
    fn flush(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.flush_dirty(cx, None)
    }

    fn evict(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.keep_to_budget(cx)
    }

    fn seen(&self) -> Result<Option<Vec<SeenEntry>>, ProcessError> {
        self.entries().map(Some)
    }
}
