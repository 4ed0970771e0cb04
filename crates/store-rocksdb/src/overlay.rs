//! What was written since the last commit: rows by key that reads look into first.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::OnceLock;

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use headwater_store::bytes::Order;
use smallvec::SmallVec;

use crate::scan::HalfOpen;

/// What an entry costs beside its bytes, about: two byte strings and the map's share.
const ENTRY_OVERHEAD: usize = 96;

/// Of memory that serves again, no more than this is held on to.
const KEPT: usize = 64 * 1024;

/// What a key is to be after the next commit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pending<'a> {
    Deleted,
    Row(&'a [u8]),
}

/// Short keys and rows lie in the map itself: a search compares keys without a look elsewhere.
pub(crate) type Bytes = SmallVec<[u8; 32]>;

/// Rows by key; `None` is a deletion.
///
/// They lie in no order until the first scan since the last commit asks for one: a search by hash waits for memory twice, one down
/// a tree at each level.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// Of no use any more once there is an order.
    hashed: HashMap<Bytes, Option<Bytes>>,
    ordered: OnceLock<BTreeMap<Bytes, Option<Bytes>>>,
    bytes: usize,
    /// Where rows are made.
    scratch: Vec<u8>,
}

/// What is pending within a range, in order.
pub(crate) struct Entries<'a> {
    left: btree_map::Range<'a, Bytes, Option<Bytes>>,
    range: &'a HalfOpen,
    order: Order,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, row) = match self.order {
            Order::Forward => self.left.next(),
            Order::Backward => self.left.next_back(),
        }?;
        self.range.contains(key).then(|| (key.as_slice(), row.as_deref()))
    }
}

impl Overlay {
    /// Sets the row of `key` to what `fill` appends, or deletes it.
    pub(crate) fn set(&mut self, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) {
        self.scratch.clear();
        self.scratch.shrink_to(KEPT);
        let is_row = fill.map(|fill| fill(&mut self.scratch)).is_some();
        let row = is_row.then_some(self.scratch.as_slice());
        let before = match self.ordered.get_mut() {
            Some(ordered) => {
                if !self.hashed.is_empty() {
                    self.hashed = HashMap::new();
                }
                match ordered.entry(Bytes::from_slice(key)) {
                    btree_map::Entry::Occupied(slot) => Some(replace(slot.into_mut(), row)),
                    btree_map::Entry::Vacant(slot) => {
                        slot.insert(row.map(Bytes::from_slice));
                        None
                    }
                }
            }
            None => match self.hashed.entry_ref(key) {
                EntryRef::Occupied(slot) => Some(replace(slot.into_mut(), row)),
                EntryRef::Vacant(slot) => {
                    slot.insert(row.map(Bytes::from_slice));
                    None
                }
            },
        };
        self.bytes += self.scratch.len();
        match before {
            Some(before) => self.bytes -= before,
            None => self.bytes += key.len() + ENTRY_OVERHEAD,
        }
    }

    /// What is pending for `key`, if anything.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<Pending<'_>> {
        let row = match self.ordered.get() {
            Some(ordered) => ordered.get(key),
            None => self.hashed.get(key),
        };
        row.map(|row| row.as_deref().map_or(Pending::Deleted, Pending::Row))
    }

    fn ordered(&self) -> &BTreeMap<Bytes, Option<Bytes>> {
        self.ordered.get_or_init(|| self.hashed.iter().map(|(key, row)| (key.clone(), row.clone())).collect())
    }

    /// The entries within a range, in `order`.
    pub(crate) fn range<'a>(&'a self, range: &'a HalfOpen, order: Order) -> Entries<'a> {
        // Each bound is a search. The one where the scan ends is compared on the way.
        let bounds = match order {
            Order::Forward => (Included(range.from.as_slice()), Unbounded),
            Order::Backward => (Unbounded, range.to.as_deref().map_or(Unbounded, Excluded)),
        };
        Entries { left: self.ordered().range::<[u8], _>(bounds), range, order }
    }

    /// Hands all entries to `take`, in order: a database takes sorted rows several times quicker.
    pub(crate) fn each(&self, mut take: impl FnMut(&[u8], Option<&[u8]>)) {
        if let Some(ordered) = self.ordered.get() {
            for (key, row) in ordered {
                take(key, row.as_deref());
            }
            return;
        }
        // The first bytes beside each entry decide nearly always, without a look at the key.
        let mut entries: Vec<_> = self.hashed.iter().map(|(key, row)| (first_bytes(key), key, row)).collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        for (_, key, row) in entries {
            take(key, row.as_deref());
        }
    }

    /// Drops the entries whose keys are less than `end`.
    pub(crate) fn forget_before(&mut self, end: &[u8]) {
        let cost =
            |key: &Bytes, row: &Option<Bytes>| key.len() + row.as_ref().map_or(0, SmallVec::len) + ENTRY_OVERHEAD;
        let mut freed = 0;
        match self.ordered.get_mut() {
            Some(ordered) => {
                let kept = ordered.split_off::<[u8]>(end);
                freed = std::mem::replace(ordered, kept).iter().map(|(key, row)| cost(key, row)).sum();
            }
            None => self.hashed.retain(|key, row| {
                let is_kept = key.as_slice() >= end;
                freed += if is_kept { 0 } else { cost(key, row) };
                is_kept
            }),
        }
        self.bytes -= freed;
    }

    pub(crate) fn clear(&mut self) {
        *self = Overlay { scratch: std::mem::take(&mut self.scratch), ..Overlay::default() };
    }

    /// How many entries are rows.
    pub(crate) fn rows(&self) -> usize {
        match self.ordered.get() {
            Some(ordered) => ordered.values().filter(|row| row.is_some()).count(),
            None => self.hashed.values().filter(|row| row.is_some()).count(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ordered.get().map_or(self.hashed.is_empty(), BTreeMap::is_empty)
    }
}

/// Puts `row` in the place of another, in the memory that is there; how many bytes the other had.
fn replace(slot: &mut Option<Bytes>, row: Option<&[u8]>) -> usize {
    let before = slot.as_ref().map_or(0, SmallVec::len);
    match row {
        Some(row) => {
            let slot = slot.get_or_insert_default();
            slot.clear();
            slot.extend_from_slice(row);
        }
        None => *slot = None,
    }
    before
}

/// The first eight bytes of a key as a number in the order of keys; a shorter one goes on with zeroes.
fn first_bytes(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}
