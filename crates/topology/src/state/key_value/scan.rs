//! Going through a key-value store: its entries with those of the cache over them.

use std::ops::{Bound, ControlFlow};

use headwater_record::RawHeaders;
use headwater_store::bytes::{Entry, KeyRange, Order, Scan};
use headwater_store::{Row, RowBuf};

use super::{KeyValueState, SCAN};
use crate::state::Stamped;
use crate::state::write_behind::Cached;
use crate::{ProcessError, TaskContext};

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    /// Goes through the entries from `from` to `to`, both included and `None` for open, by the order of key bytes.
    ///
    /// `each` may read and write the store; it sees the entries as they were when the part of the store around them was read.
    ///
    /// # Errors
    /// Those of `each`, and as [`KeyValueState::get`].
    pub fn range(
        &self,
        cx: &mut TaskContext<'_>,
        from: Option<&K>,
        to: Option<&K>,
        order: Order,
        each: impl FnMut(&mut TaskContext<'_>, K, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let from = from.map(|key| self.key_bytes(key)).transpose()?;
        let to = to.map(|key| self.key_bytes(key)).transpose()?;
        if from.as_ref().zip(to.as_ref()).is_some_and(|(from, to)| from > to) {
            return Ok(());
        }
        let inside =
            |key: &[u8]| from.as_deref().is_none_or(|from| from <= key) && to.as_deref().is_none_or(|to| key <= to);
        let entries = self.merged(KeyRange::inclusive(from.as_deref(), to.as_deref()), order, inside)?;
        self.visit(cx, entries, each).map(drop)
    }

    /// Goes through all entries, as [`KeyValueState::range`].
    ///
    /// # Errors
    /// As [`KeyValueState::range`].
    pub fn all(
        &self,
        cx: &mut TaskContext<'_>,
        order: Order,
        each: impl FnMut(&mut TaskContext<'_>, K, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let entries = self.merged(KeyRange::ALL, order, |_| true)?;
        self.visit(cx, entries, each).map(drop)
    }

    /// Goes through the entries whose key bytes begin with `prefix`, as [`KeyValueState::range`].
    ///
    /// # Errors
    /// As [`KeyValueState::range`].
    pub fn prefix(
        &self,
        cx: &mut TaskContext<'_>,
        prefix: &[u8],
        order: Order,
        each: impl FnMut(&mut TaskContext<'_>, K, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let end = after_prefix(prefix);
        let range =
            KeyRange { from: Bound::Included(prefix), to: end.as_deref().map_or(Bound::Unbounded, Bound::Excluded) };
        if self.cache.is_none() {
            return self.page_by_page(cx, range, order, each);
        }
        let entries = self.merged(range, order, |key| key.starts_with(prefix))?;
        self.visit(cx, entries, each).map(drop)
    }

    /// Goes through a store without cache, with no more than a page of it in memory.
    fn page_by_page(
        &self,
        cx: &mut TaskContext<'_>,
        range: KeyRange<'_>,
        order: Order,
        mut each: impl FnMut(&mut TaskContext<'_>, K, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let (mut page, mut last): (Vec<Entry>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let rest = last.as_deref().map_or(range, |last| range.after(last, order));
            let scan = self.core.read_bytes(|store| store.scan(rest, order, SCAN, &mut page))?;
            last = page.last().map(|entry| entry.key.clone());
            let entries = page.drain(..).map(|entry| (entry.key, entry.row));
            if self.visit(cx, entries, &mut each)?.is_break() || scan == Scan::Done || last.is_none() {
                return Ok(());
            }
        }
    }

    fn visit(
        &self,
        cx: &mut TaskContext<'_>,
        entries: impl IntoIterator<Item = (Vec<u8>, RowBuf)>,
        mut each: impl FnMut(&mut TaskContext<'_>, K, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<ControlFlow<()>, ProcessError> {
        for (key, row) in entries {
            let typed = self.core.decode_key(&key)?;
            if each(cx, typed, self.core.decode(&row)?)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The entries of the store with those of the cache over them.
    fn merged(
        &self,
        range: KeyRange<'_>,
        order: Order,
        inside: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<(Vec<u8>, RowBuf)>, ProcessError> {
        let mut found = std::collections::BTreeMap::new();
        self.core.read_bytes(|store| {
            let mut page: Vec<Entry> = Vec::new();
            let mut last: Option<Vec<u8>> = None;
            loop {
                let rest = last.as_deref().map_or(range, |last| range.after(last, Order::Forward));
                let scan = store.scan(rest, Order::Forward, SCAN, &mut page)?;
                last = page.last().map(|entry| entry.key.clone());
                found.extend(page.drain(..).map(|entry| (entry.key, entry.row)));
                if scan == Scan::Done || last.is_none() {
                    return Ok(());
                }
            }
        })?;
        if let Some(cache) = &self.cache {
            for (key, cached) in cache.entries().borrow().iter().filter(|(key, _)| inside(key)) {
                match &cached.value {
                    None => found.remove(key),
                    Some(value) => found.insert(key.to_vec(), self.row_of(value, cached)?),
                };
            }
        }
        let forward = found.into_iter();
        Ok(match order {
            Order::Forward => forward.collect(),
            Order::Backward => forward.rev().collect(),
        })
    }

    pub(super) fn row_of(&self, value: &V, cached: &Cached<V>) -> Result<RowBuf, ProcessError> {
        let mut bytes = Vec::new();
        self.core.value.serialize(&self.core.topic, value, &mut bytes)?;
        let headers = cached.context.as_ref().and_then(|context| context.headers.snapshot());
        let headers = headers.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
        let mut row = Vec::new();
        self.core.format.encode(Row { value: &bytes, timestamp: cached.timestamp, headers }, &mut row);
        Ok(self.core.format.decode(row)?)
    }
}

/// The first key after all that begin with `prefix`; `None` when there is none.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=kept)?.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Some(end)
}
