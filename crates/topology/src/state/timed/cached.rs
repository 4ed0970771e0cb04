//! A window or session store behind its record cache: what lies there, and how it leaves.

use headwater_record::{Headers, Timestamp};
use headwater_store::cache::{CacheUse, Found};
use headwater_store::{Asked, RecordContext, Row, Store, StoreError};
use headwater_window::{Window, Windowed};

use super::{ChangeOf, KeyBuf, Timed, TimedState};
use crate::caught::caught;
use crate::state::write_behind::Cached;
use crate::state::{FlushStore, FlushTo, SeenEntry, Stamped};
use crate::{ProcessError, TaskContext, Update};

impl<K: 'static, V: 'static, T: Timed> TimedState<K, V, T> {
    /// What the cache has under these bytes, if it has anything: a copy, or that it was deleted.
    #[expect(clippy::option_option, reason = "not in the cache, deleted there, or there")]
    pub(super) fn copy_of_cached(&self, bytes: &[u8]) -> Result<Option<Option<Stamped<V>>>, ProcessError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let Some((place, cached)) = cache.lend(bytes) else { return Ok(None) };
        let copy = cached.value.as_ref().map(|value| caught(|| self.copy(value, cached.timestamp))).transpose();
        cache.give_back(place, cached);
        copy.map(Some)
    }

    /// A value as it comes back from its bytes.
    pub(super) fn copy(&self, value: &V, timestamp: Timestamp) -> Result<Stamped<V>, ProcessError> {
        let mut bytes = Vec::new();
        self.core.value.serialize(&self.core.topic, value, &mut bytes)?;
        Ok(Stamped { value: self.core.value.deserialize(&self.core.topic, Some(&bytes))?, timestamp })
    }

    /// Looks at what the cache has under these bytes; `None` when it has nothing.
    pub(super) fn look_cached<R>(&self, bytes: &[u8], look: &mut dyn FnMut(Option<&V>) -> R) -> Option<R> {
        let cache = self.cache.as_ref()?;
        let (place, cached) = cache.lend(bytes)?;
        let result = look(cached.value.as_ref());
        cache.give_back(place, cached);
        Some(result)
    }

    pub(super) fn update_cached(
        &self,
        cx: &mut TaskContext<'_>,
        buf: &mut KeyBuf,
        window: Window,
        (timestamp, headers): (Timestamp, &Headers),
        change: ChangeOf<'_, V>,
    ) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let bytes = buf.at(&self.timed, window);
        let (place, found) = cache.find_or_reserve(bytes);
        if found == Found::Entry {
            let note = |context: &mut Option<RecordContext>| match context {
                Some(context) => cx.renew_context(context, timestamp, headers),
                None => *context = Some(cx.record_context(timestamp, headers)),
            };
            cache.change((place, bytes.len()), &self.core.row_serde(), note, change)?;
        } else {
            let context = cx.record_context(timestamp, headers);
            let written = self.read_and_change(buf.key(), window, context, change);
            let written = written.inspect_err(|_| cache.abandon(place, found))?;
            cache.keep_written(buf.at(&self.timed, window), Some(place), written);
        }
        self.keep_to_budget(cx)
    }

    /// What `change` makes of a value that the cache does not have.
    fn read_and_change(
        &self,
        key: &[u8],
        window: Window,
        context: RecordContext,
        change: ChangeOf<'_, V>,
    ) -> Result<(Cached<V>, usize), ProcessError> {
        let mut slot = self.read(key, window)?.map(|row| self.core.decode(&row)).transpose()?;
        let new = change(&mut slot)?;
        Cached::written(&self.core.row_serde(), new.value, new.timestamp, context)
    }

    pub(super) fn put_cached(
        &self,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
        new: Stamped<Option<V>>,
        context: RecordContext,
    ) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        cache.keep_written(bytes, None, Cached::written(&self.core.row_serde(), new.value, new.timestamp, context)?);
        self.keep_to_budget(cx)
    }

    #[inline]
    fn keep_to_budget(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        let Some(cache) = self.cache.as_ref().filter(|cache| cache.is_exceeded()) else { return Ok(()) };
        let busy = self.flush_to.borrow().as_ref().is_some_and(FlushTo::is_busy);
        cache.make_room(cx, busy, &|cx, bytes, cached| self.write_back(cx, bytes, cached))
    }

    /// Writes one entry to store and changelog, and hands the change on.
    fn write_back(&self, cx: &mut TaskContext<'_>, bytes: &[u8], cached: &Cached<V>) -> Result<(), ProcessError> {
        let (key, window) = self.split(bytes)?;
        let to = self.flush_to.borrow().clone();
        self.core.write_back(
            cx,
            cached,
            to,
            || self.read(key, window),
            |cx, write, context| self.write(cx, key, window, write, context),
            |cx, to, change, timestamp, headers| {
                let key = Windowed::new(self.core.decode_key(key)?, window);
                let timestamp = T::time_of_change(window, timestamp);
                let none = Headers::new();
                let headers = if self.keeps_headers_only() { &none } else { headers };
                to.push(cx, Update { key: &key, change, timestamp, headers })
            },
        )
    }

    pub(super) fn split<'b>(&self, bytes: &'b [u8]) -> Result<(&'b [u8], Window), ProcessError> {
        let short = || StoreError::Corrupt { reason: format!("store {}: a key has no window", self.core.name) };
        Ok(self.timed.split(bytes).ok_or_else(short)?)
    }
}

impl<K: 'static, V: 'static, T: Timed> FlushStore for TimedState<K, V, T> {
    fn release(&self) {
        self.flush_to.replace(None);
    }
    fn flush(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        cache.flush(cx, None, &|cx, bytes, cached| self.write_back(cx, bytes, cached))
    }

    fn evict(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.keep_to_budget(cx)
    }

    fn show(&self, asked: &Asked<'_>, copy: &mut Store) -> Result<(), ProcessError> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let only = asked.keys.only().zip(self.timed.only(asked)).map(|(key, window)| {
            let mut bytes = key.to_vec();
            self.timed.put_suffix(window, &mut bytes);
            bytes
        });
        let is_asked =
            |bytes: &[u8]| self.timed.split(bytes).is_some_and(|(key, window)| asked.contains(key, T::time(window)));
        cache.each_unwritten(only.as_deref(), is_asked, |bytes, cached| {
            let (key, window) = self.split(bytes)?;
            // One that is too old for the store is not there after the next commit either.
            let put = |row: Option<Row<'_>>| self.timed.put(copy, key, window, row).map(|_| ());
            caught(|| self.core.write_copy(cached, put))
        })
    }

    fn cache_use(&self) -> Option<CacheUse> {
        self.cache.as_ref().map(|cache| cache.entries().borrow().usage())
    }

    fn seen(&self) -> Result<Option<Vec<SeenEntry>>, ProcessError> {
        self.rows().map(Some)
    }
}
