//! What was written since the last commit: an ordered map that reads look into first.

use std::collections::BTreeMap;
use std::collections::btree_map;

use smallvec::SmallVec;

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
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: BTreeMap<Bytes, Option<Bytes>>,
    bytes: usize,
    /// Where rows are made.
    scratch: Vec<u8>,
}

impl Overlay {
    /// Sets the row of `key` to what `fill` appends, or deletes it.
    pub(crate) fn set(&mut self, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) {
        self.scratch.clear();
        self.scratch.shrink_to(KEPT);
        let is_row = fill.map(|fill| fill(&mut self.scratch)).is_some();
        self.bytes += self.scratch.len();
        if let Some(slot) = self.entries.get_mut(key) {
            self.bytes -= slot.as_ref().map_or(0, SmallVec::len);
            if is_row {
                // In the memory that is there.
                let row = slot.get_or_insert_default();
                row.clear();
                row.extend_from_slice(&self.scratch);
            } else {
                *slot = None;
            }
        } else {
            self.bytes += key.len() + ENTRY_OVERHEAD;
            self.entries.insert(Bytes::from_slice(key), is_row.then(|| Bytes::from_slice(&self.scratch)));
        }
    }

    /// What is pending for `key`, if anything.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<Pending<'_>> {
        self.entries.get(key).map(|row| row.as_deref().map_or(Pending::Deleted, Pending::Row))
    }

    /// The entries from `from` on and before `to`.
    pub(crate) fn range(&self, from: &[u8], to: Option<&[u8]>) -> btree_map::Range<'_, Bytes, Option<Bytes>> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        self.entries.range::<[u8], _>((Included(from), to.map_or(Unbounded, Excluded)))
    }

    /// All entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.entries.iter().map(|(key, row)| (key.as_slice(), row.as_deref()))
    }

    /// Drops the entries whose keys are less than `end`.
    pub(crate) fn forget_before(&mut self, end: &[u8]) {
        while let Some(entry) = self.entries.first_entry()
            && entry.key().as_slice() < end
        {
            let (key, row) = entry.remove_entry();
            self.bytes -= key.len() + row.map_or(0, |row| row.len()) + ENTRY_OVERHEAD;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// How many entries are rows.
    pub(crate) fn rows(&self) -> usize {
        self.entries.values().filter(|row| row.is_some()).count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
