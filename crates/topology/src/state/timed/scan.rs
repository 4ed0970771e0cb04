//! Going through a window or session store: its entries with those of the cache over them.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::ControlFlow;

use headwater_record::Timestamp;
use headwater_store::bytes::{KeySelection, Order};
use headwater_store::{RowBuf, Store, StoreError, StoreKind};
use headwater_window::{Window, Windowed};

use super::{KeyBuf, Timed, TimedState, Wanted};
use crate::state::walk::Meanwhile;
use crate::state::{BySession, ByWindow, SeenEntry, Stamped};
use crate::{ProcessError, TaskContext};

/// All entries of an open window or session store; none of a store of another kind.
///
/// # Errors
/// Those of the store.
pub fn entries_of(store: &Store, kind: Option<StoreKind>) -> Result<Vec<SeenEntry>, StoreError> {
    let mut entries = Vec::new();
    let mut take = |key, window, row: RowBuf| {
        entries.push(SeenEntry { key, window, timestamp: row.timestamp(), value: row.value().to_vec() });
    };
    let all = (KeySelection::ALL, Wanted::ALL, Order::Forward);
    match (store, kind) {
        (Store::Window(_), Some(kind)) => {
            if let Some(by) = ByWindow::of(kind) {
                by.scan(store, all.0, all.1, all.2, &mut take)?;
            }
        }
        (Store::Session(_), _) => BySession.scan(store, all.0, all.1, all.2, &mut take)?,
        _ => {}
    }
    Ok(entries)
}

/// Which keys are asked for.
#[derive(Debug)]
pub enum Keys<'a, K> {
    /// This one.
    One(&'a K),
    /// From the first to the second, both included, by their bytes; `None` is open.
    Between(Option<&'a K>, Option<&'a K>),
}

impl<K> Clone for Keys<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Keys<'_, K> {}

/// An entry that was found: where it is, and when.
#[derive(Debug)]
pub struct Found {
    /// Key and window, as the store has them.
    bytes: Vec<u8>,
    /// Its window.
    pub window: Window,
    /// Its time; -1 where the store keeps none.
    pub timestamp: Timestamp,
    /// `None`: it lies in the cache.
    row: Option<RowBuf>,
}

impl<K: 'static, V: 'static, T: Timed> TimedState<K, V, T> {
    /// The entries of one key that `wanted` asks for, by their time.
    ///
    /// # Errors
    /// When the store cannot be read.
    #[doc(hidden)]
    pub fn find_of_key(&self, key: &mut KeyBuf, wanted: Wanted, order: Order) -> Result<Vec<Found>, ProcessError> {
        let mut cached = Vec::new();
        if let Some(cache) = &self.cache {
            let low = key.at(&self.timed, T::first(wanted)).to_vec();
            let high = key.at(&self.timed, T::last(wanted));
            let mut cache = cache.entries().borrow_mut();
            let places: Vec<_> = cache.range(&low, high).collect();
            for place in places {
                let (Some(bytes), Some(entry)) = (cache.key_at(place), cache.at(place)) else { continue };
                let Some((owner, window)) = self.timed.split(bytes) else { continue };
                if owner == key.key() && wanted.admits::<T>(window) {
                    cached.push((bytes.to_vec(), window, entry.value.is_some().then_some(entry.timestamp)));
                }
            }
        }
        self.merged(KeySelection::One(key.key()), wanted, order, cached)
    }

    /// Looks at an entry that was found; with nothing, if it is gone meanwhile.
    ///
    /// # Errors
    /// When it cannot be decoded or read.
    #[doc(hidden)]
    pub fn look<R>(&self, found: &Found, mut look: impl FnMut(Option<&V>) -> R) -> Result<R, ProcessError> {
        if let Some(row) = &found.row {
            return Ok(look(Some(&self.core.decode(row)?.value)));
        }
        if let Some(result) = self.look_cached(&found.bytes, &mut look) {
            return Ok(result);
        }
        let (key, window) = self.split(&found.bytes)?;
        let row = self.read(key, window)?.map(|row| self.core.decode(&row)).transpose()?;
        Ok(look(row.as_ref().map(|stamped| &stamped.value)))
    }

    /// The value of an entry that was found: a copy.
    ///
    /// # Errors
    /// As [`TimedState::look`].
    #[doc(hidden)]
    pub fn value_of(&self, found: &Found) -> Result<Option<Stamped<V>>, ProcessError> {
        if let Some(row) = &found.row {
            return self.core.decode(row).map(Some);
        }
        let copy = self.look(found, |value| value.map(|value| self.copy(value, found.timestamp)))?;
        copy.transpose()
    }

    /// The value as it is now; `bytes` are those of key and window.
    fn value_at(&self, bytes: &[u8], key: &[u8], window: Window) -> Result<Option<Stamped<V>>, ProcessError> {
        match self.copy_of_cached(bytes)? {
            Some(found) => Ok(found),
            None => self.read(key, window)?.map(|row| self.core.decode(&row)).transpose(),
        }
    }

    /// Goes through the entries of `keys` that `wanted` asks for. `each` may read and write the store; it sees the entries that were
    /// there at the beginning, as they are when they are reached.
    ///
    /// # Errors
    /// Those of `each`, and when an entry cannot be read or decoded.
    #[doc(hidden)]
    pub fn visit(
        &self,
        cx: &mut TaskContext<'_>,
        keys: Keys<'_, K>,
        wanted: Wanted,
        order: Order,
        mut each: impl FnMut(&mut TaskContext<'_>, Windowed<K>, Stamped<V>) -> Result<ControlFlow<()>, ProcessError>,
    ) -> Result<(), ProcessError> {
        let found = match keys {
            Keys::One(key) => self.with_key(key, |buf| self.find_of_key(buf, wanted, order))?,
            Keys::Between(from, to) => {
                let bytes =
                    |key: Option<&K>| key.map(|key| self.with_key(key, |buf| Ok(buf.key().to_vec()))).transpose();
                let (from, to) = (bytes(from)?, bytes(to)?);
                if from.as_ref().zip(to.as_ref()).is_some_and(|(from, to)| from > to) {
                    return Ok(());
                }
                self.find(KeySelection::Between(from.as_deref(), to.as_deref()), wanted, order)?
            }
        };
        let walk = self.walks.begin(order);
        for found in found {
            let (key, window) = self.split(&found.bytes)?;
            let value = match walk.find(&found.bytes) {
                Meanwhile::Untouched => self.value_of(&found)?,
                Meanwhile::Written | Meanwhile::Added => self.value_at(&found.bytes, key, window)?,
            };
            let Some(value) = value else { continue };
            let key = Windowed::new(self.core.decode_key(key)?, window);
            if each(cx, key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// All entries with their bytes.
    pub(super) fn rows(&self) -> Result<Vec<SeenEntry>, ProcessError> {
        let entry = |found: Found| {
            let value = match &found.row {
                Some(row) => row.value().to_vec(),
                None => self.bytes_of(&found)?,
            };
            let (key, window) = self.split(&found.bytes)?;
            Ok(SeenEntry { key: key.to_vec(), window, timestamp: found.timestamp, value })
        };
        let found = self.find(KeySelection::ALL, Wanted::ALL, Order::Forward)?;
        found.into_iter().map(entry).collect()
    }

    fn bytes_of(&self, found: &Found) -> Result<Vec<u8>, ProcessError> {
        let mut bytes = Vec::new();
        self.look(found, |value| value.map(|value| self.core.value.serialize(&self.core.topic, value, &mut bytes)))?
            .transpose()?;
        Ok(bytes)
    }

    /// The entries of `keys` that `wanted` asks for, in the order of the store.
    fn find(&self, keys: KeySelection<'_>, wanted: Wanted, order: Order) -> Result<Vec<Found>, ProcessError> {
        let mut cached = Vec::new();
        if let Some(cache) = &self.cache {
            for (bytes, entry) in cache.entries().borrow().iter() {
                let Some((key, window)) = self.timed.split(bytes) else { continue };
                if keys.contains(key) && wanted.admits::<T>(window) {
                    cached.push((bytes.to_vec(), window, entry.value.is_some().then_some(entry.timestamp)));
                }
            }
        }
        cached.sort_by(|one, other| self.compare((&one.0, one.1), (&other.0, other.1)));
        self.merged(keys, wanted, order, cached)
    }

    /// `cached` is in forward order; an entry without time was deleted.
    fn merged(
        &self,
        keys: KeySelection<'_>,
        wanted: Wanted,
        order: Order,
        mut cached: Vec<(Vec<u8>, Window, Option<Timestamp>)>,
    ) -> Result<Vec<Found>, ProcessError> {
        let mut stored = Vec::new();
        self.core.store.read(|store| {
            self.timed.scan(store, keys, wanted, order, &mut |mut key, window, row| {
                self.timed.put_suffix(window, &mut key);
                stored.push(Found { bytes: key, window, timestamp: row.timestamp(), row: Some(row) });
            })
        })?;
        if self.sorts {
            stored.sort_by(|one, other| {
                let forward = self.compare((&one.bytes, one.window), (&other.bytes, other.window));
                if order == Order::Backward { forward.reverse() } else { forward }
            });
        }
        if cached.is_empty() {
            return Ok(stored);
        }
        if order == Order::Backward {
            cached.reverse();
        }
        let (mut stored, mut cached) = (stored.into_iter().peekable(), cached.into_iter().peekable());
        let mut merged = Vec::new();
        loop {
            let first = match (stored.peek(), cached.peek()) {
                (None, None) => return Ok(merged),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(stored), Some(cached)) => {
                    let forward = self.compare((&stored.bytes, stored.window), (&cached.0, cached.1));
                    if order == Order::Backward { forward.reverse() } else { forward }
                }
            };
            match first {
                Ordering::Less => merged.extend(stored.next()),
                Ordering::Equal => {
                    stored.next();
                    merged.extend(next_cached(&mut cached));
                }
                Ordering::Greater => merged.extend(next_cached(&mut cached)),
            }
        }
    }

    /// The order of Java's caches, by which it merges them with stores: by segment, then by the bytes of key and window.
    fn compare(&self, one: (&[u8], Window), other: (&[u8], Window)) -> Ordering {
        let segment = |window: Window| T::time(window).millis() / self.segment_ms;
        segment(one.1).cmp(&segment(other.1)).then_with(|| one.0.cmp(other.0))
    }
}

fn next_cached(cached: &mut Peekable<impl Iterator<Item = (Vec<u8>, Window, Option<Timestamp>)>>) -> Option<Found> {
    let (bytes, window, timestamp) = cached.next()?;
    Some(Found { bytes, window, timestamp: timestamp?, row: None })
}
