//! The record cache: what a task has written and read lately, with typed values, in front of a bytes store.
//!
//! It is Java's `NamedCache`: entries by serialised key, in the order of last use for eviction and in the order of last update
//! for flushing. The stores of a thread share one [`Budget`]. What an entry weighs is Java's formula ([`entry_bytes`]), so that
//! evictions happen at the same record.
//!
//! The cache only keeps. Who writes an evicted or flushed entry to its store and hands it on is the owner, who borrows the
//! payload out of the cache meanwhile ([`RecordCache::lend`]): flushing may come back and use the cache again.

mod budget;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Bound;
use std::rc::Rc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

pub use self::budget::{Budget, CacheUse, entry_bytes};
#[cfg(test)]
use self::tests::CountingHasher as KeyHasher;
#[cfg(not(test))]
use hashbrown::DefaultHashBuilder as KeyHasher;

/// A place in the cache. It says whether the entry there is still the one that was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    slot: u32,
    generation: u32,
}

/// What [`RecordCache::find_or_reserve`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An entry.
    Entry,
    /// An entry whose payload is lent.
    Lent,
    /// Nothing. A place without payload and weight was made, to be filled ([`RecordCache::replace`]) or removed.
    Reserved,
}

const NONE: u32 = u32::MAX;

/// A serialised key. Short ones lie beside what they lead to, so that a look at them is one look at memory.
pub type Key = SmallVec<[u8; 32]>;

#[derive(Debug)]
struct Slot<T> {
    key: Key,
    hash: u64,
    // Not there while it is lent, and in free slots.
    payload: Option<T>,
    bytes: usize,
    generation: u32,
    recent: Links,
    dirty: Option<Links>,
}

impl<T> Slot<T> {
    fn free() -> Self {
        Slot { key: Key::new(), hash: 0, payload: None, bytes: 0, generation: 0, recent: UNLINKED, dirty: None }
    }

    #[inline]
    fn is(&self, hash: u64, key: &[u8]) -> bool {
        self.hash == hash && *self.key == *key
    }
}

#[derive(Clone, Copy, Debug)]
struct Links {
    before: u32,
    after: u32,
}

const UNLINKED: Links = Links { before: NONE, after: NONE };

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Recent,
    Dirty,
}

/// Entries by serialised key. `T` is what lies under a key.
pub struct RecordCache<T> {
    table: HashTable<u32>,
    hasher: KeyHasher,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    // First is what was used last.
    recent: Ends,
    // First is what was updated first.
    dirty: Ends,
    // Slots by key, once somebody asked for a range.
    order: Option<BTreeMap<Vec<u8>, u32>>,
    budget: Rc<Budget>,
    hits: u64,
    misses: u64,
}

impl<T> RecordCache<T> {
    /// An empty cache.
    pub fn new(budget: Rc<Budget>) -> Self {
        let empty = Ends { first: NONE, last: NONE };
        RecordCache {
            table: HashTable::new(),
            hasher: KeyHasher::default(),
            slots: Vec::new(),
            free: Vec::new(),
            recent: empty,
            dirty: empty,
            order: None,
            budget,
            hits: 0,
            misses: 0,
        }
    }

    /// The shared budget.
    pub fn budget(&self) -> &Rc<Budget> {
        &self.budget
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |slot| self.slots.get(*slot as usize).is_some_and(|slot| slot.is(hash, key))).copied()
    }

    /// How it was used.
    pub fn usage(&self) -> CacheUse {
        CacheUse { entries: self.len(), hits: self.hits, misses: self.misses }
    }

    #[inline]
    fn count(&mut self, hit: bool) {
        if hit { self.hits += 1 } else { self.misses += 1 }
    }

    /// Finds an entry and marks it as used. `None` also while it is lent.
    #[inline]
    pub fn find_used(&mut self, key: &[u8]) -> Option<Place> {
        let place = self.find_uncounted(key);
        self.count(place.is_some());
        place
    }

    /// As [`RecordCache::find_used`], of an entry that was just put there: it was looked for, and counted, before.
    #[inline]
    pub fn find_uncounted(&mut self, key: &[u8]) -> Option<Place> {
        let slot = self.find(key)?;
        let generation = self.slots.get(slot as usize).filter(|slot| slot.payload.is_some())?.generation;
        self.touch(slot);
        Some(Place { slot, generation })
    }

    /// Finds an entry and marks it as used, or makes a place for one: a write looks for its key once.
    #[inline]
    pub fn find_or_reserve(&mut self, key: &[u8]) -> (Place, Found) {
        let (slot, is_new) = self.find_or_insert(key);
        let entry = self.slots.get(slot as usize);
        let place = Place { slot, generation: entry.map_or(0, |entry| entry.generation) };
        let found = match entry.map(|entry| entry.payload.is_some()) {
            Some(true) => Found::Entry,
            _ if is_new => Found::Reserved,
            _ => Found::Lent,
        };
        self.count(found == Found::Entry);
        (place, found)
    }

    /// Whether an entry of this key is there, lent or not.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.find(key).is_some()
    }

    /// The entry of `key`, unless it is lent, which counts as no use of it.
    pub fn peek(&self, key: &[u8]) -> Option<&T> {
        self.slots.get(self.find(key)? as usize)?.payload.as_ref()
    }

    /// What lies at `place`.
    #[inline]
    pub fn at(&self, place: Place) -> Option<&T> {
        self.slot(place)?.payload.as_ref()
    }

    /// What lies at `place`, to be changed there; [`RecordCache::changed`] is to be told.
    #[inline]
    pub fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        let slot = self.slots.get_mut(place.slot as usize);
        slot.filter(|slot| slot.generation == place.generation)?.payload.as_mut()
    }

    /// The key at `place`.
    pub fn key_at(&self, place: Place) -> Option<&[u8]> {
        Some(&self.slot(place)?.key)
    }

    /// Whether the entry at `place` was changed since the last flush.
    pub fn is_dirty(&self, place: Place) -> bool {
        self.slot(place).is_some_and(|slot| slot.dirty.is_some())
    }

    /// Takes the payload out for a while; the entry keeps its place and weight, and reads do not see it.
    #[inline]
    pub fn lend(&mut self, place: Place) -> Option<T> {
        self.slots.get_mut(place.slot as usize).filter(|slot| slot.generation == place.generation)?.payload.take()
    }

    /// Gives back what was lent, unless the entry was replaced or left meanwhile.
    #[inline]
    pub fn give_back(&mut self, place: Place, payload: T) {
        if let Some(slot) = self.slots.get_mut(place.slot as usize)
            && slot.generation == place.generation
        {
            slot.payload.get_or_insert(payload);
        }
    }

    fn slot(&self, place: Place) -> Option<&Slot<T>> {
        self.slots.get(place.slot as usize).filter(|slot| slot.generation == place.generation)
    }

    /// Puts an entry, which becomes the one used last, and, when `dirty`, the one updated last.
    pub fn put(&mut self, key: &[u8], payload: T, bytes: usize, dirty: bool) -> Place {
        let (slot, _) = self.find_or_insert(key);
        self.fill(slot, payload, bytes, dirty)
    }

    /// Replaces what lies at `place`, as [`RecordCache::put`] without looking for the key again. The entry must be there.
    #[inline]
    pub fn replace(&mut self, place: Place, payload: T, bytes: usize, dirty: bool) {
        if self.slot(place).is_some() {
            self.fill(place.slot, payload, bytes, dirty);
        }
    }

    /// What lies at `place` was changed: it weighs so much now, and is the entry updated last.
    #[inline]
    pub fn changed(&mut self, place: Place, bytes: usize) {
        if self.slot(place).is_some() {
            self.renew(place.slot, bytes, true);
        }
    }

    fn fill(&mut self, slot: u32, payload: T, bytes: usize, dirty: bool) -> Place {
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.payload = Some(payload);
        }
        self.renew(slot, bytes, dirty)
    }

    fn renew(&mut self, slot: u32, bytes: usize, dirty: bool) -> Place {
        let mut generation = 0;
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            self.budget.changes(entry.bytes, bytes);
            entry.bytes = bytes;
            entry.generation = entry.generation.wrapping_add(1);
            generation = entry.generation;
        }
        if dirty {
            self.unlink(slot, List::Dirty);
            self.link_last(slot, List::Dirty);
        }
        Place { slot, generation }
    }

    /// The slot of `key`, which is the one used last from now on, and whether it was made just now.
    fn find_or_insert(&mut self, key: &[u8]) -> (u32, bool) {
        let hash = self.hasher.hash_one(key);
        let slots = &self.slots;
        let is_it = |slot: &u32| slots.get(*slot as usize).is_some_and(|slot| slot.is(hash, key));
        let hash_of = |slot: &u32| slots.get(*slot as usize).map_or(0, |slot| slot.hash);
        let slot = match self.table.entry(hash, is_it, hash_of) {
            Entry::Occupied(found) => {
                let slot = *found.get();
                self.touch(slot);
                return (slot, false);
            }
            Entry::Vacant(vacant) => {
                let slot = self.free.pop().unwrap_or(slots.len() as u32);
                vacant.insert(slot);
                slot
            }
        };
        if slot as usize == self.slots.len() {
            self.slots.push(Slot::free());
        }
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.hash = hash;
            entry.key.clear();
            entry.key.extend_from_slice(key);
        }
        self.link_first(slot);
        if let Some(order) = &mut self.order {
            order.insert(key.to_vec(), slot);
        }
        (slot, true)
    }

    /// Takes the entry out that was not used for the longest time. Whether it was dirty is told; the caller flushes it first and
    /// then all other dirty entries, as Java does.
    pub fn evict(&mut self) -> Option<Evicted<T>> {
        let slot = self.recent.last;
        let dirty = self.slots.get(slot as usize)?.dirty.is_some();
        let (key, payload) = self.remove_slot(slot)?;
        Some(Evicted { key, payload, dirty })
    }

    /// Takes out the entry at `place`, if it is still the one that was meant.
    pub fn remove_at(&mut self, place: Place) {
        if self.slot(place).is_some() {
            self.remove_slot(place.slot);
        }
    }

    fn remove_slot(&mut self, slot: u32) -> Option<(Key, Option<T>)> {
        self.unlink(slot, List::Recent);
        self.unlink(slot, List::Dirty);
        let entry = self.slots.get_mut(slot as usize)?;
        if let Ok(found) = self.table.find_entry(entry.hash, |other| *other == slot) {
            found.remove();
        }
        self.budget.changes(entry.bytes, 0);
        entry.bytes = 0;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        if let Some(order) = &mut self.order {
            order.remove(entry.key.as_slice());
        }
        Some((std::mem::take(&mut entry.key), entry.payload.take()))
    }

    /// The dirty entries in the order of their last update. They count as clean from now on.
    pub fn take_dirty(&mut self) -> Vec<Place> {
        let mut places = Vec::new();
        let mut slot = self.dirty.first;
        while let Some(entry) = self.slots.get_mut(slot as usize) {
            places.push(Place { slot, generation: entry.generation });
            slot = entry.dirty.take().map_or(NONE, |links| links.after);
        }
        self.dirty = Ends { first: NONE, last: NONE };
        places
    }

    /// The keys and payloads of all entries that are not lent, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &T)> {
        let slots = self.table.iter().filter_map(|slot| self.slots.get(*slot as usize));
        slots.filter_map(|slot| Some((slot.key.as_slice(), slot.payload.as_ref()?)))
    }

    /// The entries that were changed since the last flush, in the order of their last update, those that are lent left out.
    pub fn dirty(&self) -> impl Iterator<Item = (&[u8], &T)> {
        let slot_at = |slot: u32| self.slots.get(slot as usize);
        let slots = std::iter::successors(slot_at(self.dirty.first), move |slot| slot_at(slot.dirty?.after));
        slots.filter_map(|slot| Some((slot.key.as_slice(), slot.payload.as_ref()?)))
    }

    /// The entry of `key`, if it was changed since the last flush and is not lent. That counts as no use of it.
    pub fn peek_dirty(&self, key: &[u8]) -> Option<&T> {
        self.slots.get(self.find(key)? as usize).filter(|slot| slot.dirty.is_some())?.payload.as_ref()
    }

    /// The entries whose keys lie between `from` and `to`, both included, by their key. Entries that are lent have a place too.
    ///
    /// The first call sorts the keys; from then on they are kept in order, which costs every new entry a little.
    pub fn range(&mut self, from: &[u8], to: &[u8]) -> impl Iterator<Item = Place> {
        let slots = &self.slots;
        let order = self.order.get_or_insert_with(|| {
            let key = |slot: &u32| Some((slots.get(*slot as usize)?.key.to_vec(), *slot));
            self.table.iter().filter_map(key).collect()
        });
        let bounds = (Bound::Included(from), Bound::Included(to));
        let found = if from > to { None } else { Some(order.range::<[u8], _>(bounds)) };
        found
            .into_iter()
            .flatten()
            .filter_map(|(_, slot)| Some(Place { slot: *slot, generation: slots.get(*slot as usize)?.generation }))
    }

    fn touch(&mut self, slot: u32) {
        if self.recent.first != slot {
            self.unlink(slot, List::Recent);
            self.link_first(slot);
        }
    }

    fn ends(&mut self, list: List) -> &mut Ends {
        match list {
            List::Recent => &mut self.recent,
            List::Dirty => &mut self.dirty,
        }
    }

    fn links(&mut self, slot: u32, list: List) -> Option<&mut Links> {
        let slot = self.slots.get_mut(slot as usize)?;
        match list {
            List::Recent => Some(&mut slot.recent),
            List::Dirty => slot.dirty.as_mut(),
        }
    }

    fn unlink(&mut self, slot: u32, list: List) {
        let Some(Links { before, after }) = self.links(slot, list).copied() else { return };
        if let Some(links) = self.links(before, list) {
            links.after = after;
        } else if self.ends(list).first == slot {
            self.ends(list).first = after;
        }
        if let Some(links) = self.links(after, list) {
            links.before = before;
        } else if self.ends(list).last == slot {
            self.ends(list).last = before;
        }
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            match list {
                List::Recent => entry.recent = UNLINKED,
                List::Dirty => entry.dirty = None,
            }
        }
    }

    fn link_first(&mut self, slot: u32) {
        let first = self.recent.first;
        if let Some(links) = self.links(slot, List::Recent) {
            *links = Links { before: NONE, after: first };
        }
        match self.links(first, List::Recent) {
            Some(links) => links.before = slot,
            None => self.recent.last = slot,
        }
        self.recent.first = slot;
    }

    fn link_last(&mut self, slot: u32, list: List) {
        let last = self.ends(list).last;
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            entry.dirty = Some(Links { before: last, after: NONE });
        }
        match self.links(last, list) {
            Some(links) => links.after = slot,
            None => self.ends(list).first = slot,
        }
        self.ends(list).last = slot;
    }
}

impl<T> Drop for RecordCache<T> {
    fn drop(&mut self) {
        let held: usize = self.slots.iter().map(|slot| slot.bytes).sum();
        self.budget.changes(held, 0);
    }
}

impl<T> std::fmt::Debug for RecordCache<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordCache")
            .field("entries", &self.len())
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// An entry that had to go.
#[derive(Debug)]
pub struct Evicted<T> {
    /// Its serialised key.
    pub key: Key,
    /// What lay there; `None` when it was lent.
    pub payload: Option<T>,
    /// Whether it was changed since the last flush.
    pub dirty: bool,
}

#[cfg(test)]
mod tests;
