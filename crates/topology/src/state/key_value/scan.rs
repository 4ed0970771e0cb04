//! Going through a key-value store: its entries with those of the cache over them.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};

use headwater_record::RawHeaders;
use headwater_store::bytes::{Entry, KeyRange, Order, Scan};
use headwater_store::{Row, RowBuf};

use super::{KeyValueState, SCAN};
use crate::caught::caught;
use crate::state::Stamped;
use crate::state::walk::Meanwhile;
use crate::state::write_behind::Cached;
use crate::{ProcessError, TaskContext};

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    /// Goes through the entries from `from` to `to`, both included and `None` for open, by the order of key bytes, with a page of
    /// them in memory.
    ///
    /// `each` may read and write the store. Those that were there at the beginning are met, as they are when they are reached: one
    /// that was deleted is not, one that was changed is met as it is now, and one that was added is not met.
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
        self.visit(cx, KeyRange::inclusive(from.as_deref(), to.as_deref()), order, each)
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
        self.visit(cx, KeyRange::ALL, order, each)
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
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.visit(cx, KeyRange { from: Bound::Included(prefix), to }, order, each)
    }

    /// Goes through the entries of the store with those of the cache over them.
    fn visit(
        &self,
        cx: &mut TaskContext<'_>,
        range: KeyRange<'_>,
        order: Order,
        mut each: impl FnMut(&mut TaskContext<'_>, K, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let walk = self.walks.begin(order);
        let mut cached = self.cached_keys(range, order).into_iter().peekable();
        let (mut page, mut last): (Vec<Entry>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let rest = last.as_deref().map_or(range, |last| range.after(last, order));
            let scan = self.core.read_bytes(|store| store.scan(rest, order, SCAN, &mut page))?;
            last = page.last().map(|entry| entry.key.clone());
            let is_last = scan == Scan::Done || last.is_none();
            let mut stored = page.drain(..).peekable();
            while let Some((key, row)) = next_entry(&mut stored, &mut cached, order, is_last) {
                let found = match (walk.reach(&key), row) {
                    (Meanwhile::Added, _) => None,
                    (Meanwhile::Untouched, Some(row)) => Some(self.core.decode_of(&key, row.lend())?),
                    (Meanwhile::Untouched | Meanwhile::Written, _) => self.peek(&key)?,
                };
                let Some(found) = found else { continue };
                if each(cx, self.core.decode_key(&key)?, found)?.is_break() {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The keys in the cache, in `order`.
    fn cached_keys(&self, range: KeyRange<'_>, order: Order) -> Vec<Vec<u8>> {
        let Some(cache) = &self.cache else { return Vec::new() };
        let entries = cache.entries().borrow();
        let mut keys: Vec<_> =
            entries.iter().filter(|(key, _)| range.contains(key)).map(|(key, _)| key.to_vec()).collect();
        keys.sort_unstable();
        if order == Order::Backward {
            keys.reverse();
        }
        keys
    }

    /// The value of `key` as it is now; the cache does not count that as a use.
    fn peek(&self, key: &[u8]) -> Result<Option<Stamped<V>>, ProcessError> {
        if let Some(cache) = &self.cache
            && let Some(cached) = cache.entries().borrow().peek(key)
        {
            return cached.value.as_ref().map(|value| caught(|| self.copy_of(value, cached))).transpose();
        }
        Ok(self.load(key)?.and_then(|(cached, _)| cached.into_stamped()))
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

/// What comes next of a page of the store and of the cache, whose entries go before: what lies behind the page waits for the next one.
fn next_entry(
    stored: &mut Peekable<impl Iterator<Item = Entry>>,
    cached: &mut Peekable<impl Iterator<Item = Vec<u8>>>,
    order: Order,
    is_last: bool,
) -> Option<(Vec<u8>, Option<RowBuf>)> {
    let first = match (stored.peek(), cached.peek()) {
        (None, _) if !is_last => return None,
        (None, _) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(stored), Some(cached)) if order == Order::Forward => stored.key.cmp(cached),
        (Some(stored), Some(cached)) => cached.cmp(&stored.key),
    };
    if first == Ordering::Less {
        return stored.next().map(|entry| (entry.key, Some(entry.row)));
    }
    if first == Ordering::Equal {
        stored.next();
    }
    cached.next().map(|key| (key, None))
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
