//! What was written since the last commit: rows by key that reads look into first.

use std::collections::{BTreeMap, btree_map};
use std::hash::BuildHasher;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::OnceLock;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};
use headwater_store::bytes::Order;
use smallvec::SmallVec;

use crate::arena::{self, Arena};
use crate::scan::HalfOpen;

/// What finding an entry costs, about: its share of the table or the tree.
const ENTRY_OVERHEAD: usize = 64;

/// What a key is to be after the next commit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pending<'a> {
    Deleted,
    Row(&'a [u8]),
}

/// Short keys lie in the tree itself: a search compares them without a look elsewhere.
type Key = SmallVec<[u8; 32]>;

/// Rows by key, and keys that are to be deleted.
///
/// They lie in no order until the first scan since the last commit asks for one: a search by hash waits for memory twice, one down
/// a tree at each level.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: Arena,
    /// Of no use any more once there is an order.
    hashed: HashTable<Hashed>,
    ordered: OnceLock<BTreeMap<Key, usize>>,
    hasher: DefaultHashBuilder,
}

/// An entry by the hash of its key, which is kept: the table grows without a look at keys.
#[derive(Debug)]
struct Hashed {
    hash: u64,
    at: usize,
}

/// What is pending within a range, in order.
pub(crate) struct Entries<'a> {
    arena: &'a Arena,
    left: btree_map::Range<'a, Key, usize>,
    range: &'a HalfOpen,
    order: Order,
}

impl<'a> Iterator for Entries<'a> {
    type Item = arena::Entry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, at) = match self.order {
            Order::Forward => self.left.next(),
            Order::Backward => self.left.next_back(),
        }?;
        self.range.contains(key).then(|| (key.as_slice(), self.arena.row(*at)))
    }
}

impl Overlay {
    /// Sets the row of `key` to what `fill` appends, or deletes it.
    pub(crate) fn set(&mut self, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) {
        let Overlay { entries, hashed, ordered, hasher } = self;
        if let Some(ordered) = ordered.get_mut() {
            if !hashed.is_empty() {
                *hashed = HashTable::new();
            }
            match ordered.entry(Key::from_slice(key)) {
                btree_map::Entry::Occupied(mut slot) => *slot.get_mut() = entries.replace(*slot.get(), key, fill),
                btree_map::Entry::Vacant(slot) => _ = slot.insert(entries.push(key, fill)),
            }
            return;
        }
        let hash = hasher.hash_one(key);
        match hashed.entry(hash, |slot| slot.hash == hash && entries.key(slot.at) == key, |slot| slot.hash) {
            Entry::Occupied(mut slot) => slot.get_mut().at = entries.replace(slot.get().at, key, fill),
            Entry::Vacant(slot) => _ = slot.insert(Hashed { hash, at: entries.push(key, fill) }),
        }
    }

    /// What is pending for `key`, if anything.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<Pending<'_>> {
        let at = if let Some(ordered) = self.ordered.get() {
            *ordered.get(key)?
        } else {
            let hash = self.hasher.hash_one(key);
            self.hashed.find(hash, |slot| slot.hash == hash && self.entries.key(slot.at) == key)?.at
        };
        Some(self.entries.row(at).map_or(Pending::Deleted, Pending::Row))
    }

    fn ordered(&self) -> &BTreeMap<Key, usize> {
        let key = |at| Key::from_slice(self.entries.key(at));
        self.ordered.get_or_init(|| self.entries.places().map(|at| (key(at), at)).collect())
    }

    /// The entries within a range, in `order`.
    pub(crate) fn range<'a>(&'a self, range: &'a HalfOpen, order: Order) -> Entries<'a> {
        // Each bound is a search. The one where the scan ends is compared on the way.
        let bounds = match order {
            Order::Forward => (Included(range.from.as_slice()), Unbounded),
            Order::Backward => (Unbounded, range.to.as_deref().map_or(Unbounded, Excluded)),
        };
        Entries { arena: &self.entries, left: self.ordered().range::<[u8], _>(bounds), range, order }
    }

    /// Hands all entries to `take`, in order: a database takes sorted rows several times quicker.
    pub(crate) fn each(&self, mut take: impl FnMut(&[u8], Option<&[u8]>)) {
        if let Some(ordered) = self.ordered.get() {
            for (key, at) in ordered {
                take(key, self.entries.row(*at));
            }
            return;
        }
        // The first bytes beside each entry decide nearly always, without a look at the key.
        let mut places: Vec<_> = self.entries.places().map(|at| (first_bytes(self.entries.key(at)), at)).collect();
        let key = |at| self.entries.key(at);
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(key(b.1))));
        for (_, at) in places {
            take(key(at), self.entries.row(at));
        }
    }

    /// Drops the entries whose keys are less than `end`.
    pub(crate) fn forget_before(&mut self, end: &[u8]) {
        let Overlay { entries, hashed, ordered, .. } = self;
        match ordered.get_mut() {
            Some(ordered) => {
                let kept = ordered.split_off::<[u8]>(end);
                for at in std::mem::replace(ordered, kept).into_values() {
                    entries.forget(at);
                }
            }
            None => hashed.retain(|slot| {
                let is_kept = entries.key(slot.at) >= end;
                if !is_kept {
                    entries.forget(slot.at);
                }
                is_kept
            }),
        }
        if entries.is_mostly_gone() {
            let old = std::mem::take(entries);
            let copy = |at: &mut usize| {
                let fill = old.row(*at).map(|row| |bytes: &mut Vec<u8>| bytes.extend_from_slice(row));
                *at = entries.push(old.key(*at), fill);
            };
            match ordered.get_mut() {
                Some(ordered) => ordered.values_mut().for_each(copy),
                None => hashed.iter_mut().map(|slot| &mut slot.at).for_each(copy),
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Overlay::default();
    }

    fn len(&self) -> usize {
        self.ordered.get().map_or(self.hashed.len(), BTreeMap::len)
    }

    /// How many entries are rows.
    pub(crate) fn rows(&self) -> usize {
        self.entries.places().filter(|at| self.entries.row(*at).is_some()).count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() + self.len() * ENTRY_OVERHEAD
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The first eight bytes of a key as a number in the order of keys; a shorter one goes on with zeroes.
fn first_bytes(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use headwater_store::bytes::Order;

    use super::{Overlay, Pending};
    use crate::scan::HalfOpen;

    #[test]
    fn what_is_kept_is_found_after_most_was_forgotten() {
        for in_order in [false, true] {
            let mut overlay = Overlay::default();
            let all = HalfOpen::new(Bound::Unbounded, Bound::Unbounded);
            if in_order {
                assert_eq!(overlay.range(&all, Order::Forward).count(), 0);
            }
            for key in 0..100u8 {
                let row = (key != 91).then_some(|bytes: &mut Vec<u8>| bytes.push(key));
                overlay.set(&[key], row);
            }
            let before = overlay.bytes();
            overlay.forget_before(&[90]);
            assert_eq!(overlay.bytes(), before / 10);
            overlay.set(&[92], Some(|bytes: &mut Vec<u8>| bytes.extend_from_slice(&[92, 92])));
            assert!(overlay.get(&[89]).is_none());
            assert!(matches!(overlay.get(&[91]), Some(Pending::Deleted)));
            assert!(matches!(overlay.get(&[92]), Some(Pending::Row(&[92, 92]))));
            let mut found = Vec::new();
            overlay.each(|key, row| found.push((key.to_vec(), row.map(<[u8]>::to_vec))));
            let row = |key| match key {
                91 => None,
                92 => Some(vec![92, 92]),
                _ => Some(vec![key]),
            };
            assert_eq!(found, (90..100).map(|key| (vec![key], row(key))).collect::<Vec<_>>());
            assert_eq!(overlay.rows(), 9);
        }
    }
}
