//! A key-value store behind its record cache: what lies there, and how it leaves.

use headwater_record::{Headers, Timestamp};
use headwater_store::cache::{CacheUse, Place};
use headwater_store::{Asked, RecordContext, Store};

use super::KeyValueState;
use crate::caught::caught;
use crate::state::core::wrong_kind;
use crate::state::write_behind::Cached;
use crate::state::{FlushStore, FlushTo, Stamped};
use crate::{ProcessError, TaskContext, Update};

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    pub(super) fn get_encoded(&self, cx: &mut TaskContext<'_>, key: &[u8]) -> Result<Option<Stamped<V>>, ProcessError> {
        let (place, found) = self.find(cx, key)?;
        if place.is_none() {
            return Ok(found.and_then(Cached::into_stamped));
        }
        let copy = match found.as_ref().and_then(|cached| Some((cached.value.as_ref()?, cached))) {
            None => Ok(None),
            Some((value, cached)) => caught(|| self.copy_of(value, cached)).map(Some),
        };
        self.give_back(place, found);
        copy
    }

    pub(super) fn copy_of(&self, value: &V, cached: &Cached<V>) -> Result<Stamped<V>, ProcessError> {
        let row = self.row_of(value, cached)?;
        self.core.decode(&row)
    }

    /// The entry of `key`, from the cache (with its place, lent) or the store.
    pub(super) fn find(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
    ) -> Result<(Option<Place>, Option<Cached<V>>), ProcessError> {
        let Some(cache) = &self.cache else { return Ok((None, self.load(key)?.map(|(cached, _)| cached))) };
        if let Some((place, cached)) = cache.lend(key) {
            return Ok((Some(place), Some(cached)));
        }
        self.read_through(cx, key)
    }

    /// The entry of `key`, which the cache does not have: from the store, into the cache, and lent from there.
    pub(super) fn read_through(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
    ) -> Result<(Option<Place>, Option<Cached<V>>), ProcessError> {
        let Some(cache) = &self.cache else { return Ok((None, None)) };
        let Some((cached, row_bytes)) = self.load(key)? else { return Ok((None, None)) };
        if cache.entries().borrow().contains(key) {
            // Somebody up the stack is at work on this entry.
            return Ok((None, Some(cached)));
        }
        cache.keep_read(key, cached, row_bytes);
        self.keep_to_budget(cx)?;
        match cache.lend_new(key) {
            Some((place, cached)) => Ok((Some(place), Some(cached))),
            None => Ok((None, self.load(key)?.map(|(cached, _)| cached))),
        }
    }

    pub(super) fn load(&self, key: &[u8]) -> Result<Option<(Cached<V>, usize)>, ProcessError> {
        let mut found = None;
        self.core.read_bytes(|store| {
            store.look(key, &mut |row| found = Some((self.core.decode_of(key, row), row.encoded_len)))
        })?;
        let Some((decoded, bytes)) = found else { return Ok(None) };
        let Stamped { value, timestamp } = decoded?;
        Ok(Some((Cached { value: Some(value), timestamp, context: None, encoded: None }, bytes)))
    }

    pub(super) fn give_back(&self, place: Option<Place>, cached: Option<Cached<V>>) {
        if let (Some(cache), Some(place), Some(cached)) = (&self.cache, place, cached) {
            cache.give_back(place, cached);
        }
    }

    pub(super) fn put_cached(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        value: Option<V>,
        timestamp: Timestamp,
        context: RecordContext,
    ) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let written = Cached::written(&self.core.row_serde(), value, timestamp, context)?;
        cache.keep_written(key, None, written);
        self.keep_to_budget(cx)
    }

    /// Changes the entry of `key` at `place`.
    pub(super) fn change_cached(
        &self,
        cx: &mut TaskContext<'_>,
        (place, key): (Place, &[u8]),
        (timestamp, headers): (Timestamp, &Headers),
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let note = |context: &mut Option<RecordContext>| match context {
            Some(context) => cx.renew_context(context, timestamp, headers),
            None => *context = Some(cx.record_context(timestamp, headers)),
        };
        cache.change((place, key.len()), &self.core.row_serde(), note, change)?;
        self.keep_to_budget(cx)
    }

    #[inline]
    fn keep_to_budget(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        let Some(cache) = self.cache.as_ref().filter(|cache| cache.is_exceeded()) else { return Ok(()) };
        let busy = self.flush_to.borrow().as_ref().is_some_and(FlushTo::is_busy);
        cache.make_room(cx, busy, &|cx, key, cached| self.write_back(cx, key, cached))
    }

    /// Writes one entry to store and changelog, and hands the change on.
    fn write_back(&self, cx: &mut TaskContext<'_>, key: &[u8], cached: &Cached<V>) -> Result<(), ProcessError> {
        let to = self.flush_to.borrow().clone();
        self.core.write_back(
            cx,
            cached,
            to,
            || self.read(key),
            |cx, write, context| self.write(cx, key, write, context),
            |cx, to, change, timestamp, headers| {
                let key = self.core.decode_key(key)?;
                to.push(cx, Update { key: &key, change, timestamp, headers })
            },
        )
    }
}

impl<K: 'static, V: 'static> FlushStore for KeyValueState<K, V> {
    fn release(&self) {
        self.flush_to.replace(None);
    }
    fn flush(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        cache.flush(cx, None, &|cx, key, cached| self.write_back(cx, key, cached))
    }

    fn evict(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.keep_to_budget(cx)
    }

    fn show(&self, asked: &Asked<'_>, copy: &mut Store) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let copy = match copy {
            Store::KeyValue(copy) => copy,
            other => return Err(wrong_kind(other, "a key-value store").into()),
        };
        cache.each_unwritten(
            asked.keys.only(),
            |key| asked.keys.contains(key),
            |key, cached| caught(|| self.core.write_copy(cached, |row| copy.put(key, row))),
        )
    }

    fn cache_use(&self) -> Option<CacheUse> {
        self.cache.as_ref().map(|cache| cache.entries().borrow().usage())
    }
}
