//! Entries that were written one after another, found by the hash of their key.

use hashbrown::hash_table::{Entry, HashTable};

use crate::arena::Arena;

/// Rows by key, and keys that are deleted.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    entries: Arena,
    hashed: HashTable<Hashed>,
}

/// Where an entry lies, and below that [`HASH_BITS`] of the hash of its key: the table grows without a look at keys, and is half as
/// large as with all of it, so that more of it is near the processor.
#[derive(Clone, Copy, Debug)]
struct Hashed(u64);

/// The rest is for a place within a terabyte.
const HASH_BITS: u32 = 24;

impl Hashed {
    fn new(hash: u64, at: usize) -> Self {
        Hashed((at as u64) << HASH_BITS | hash >> (u64::BITS - HASH_BITS))
    }

    fn at(self) -> usize {
        (self.0 >> HASH_BITS) as usize
    }

    fn moved(self, at: usize) -> Self {
        Hashed((at as u64) << HASH_BITS | self.hash())
    }

    fn hash(self) -> u64 {
        self.0 & ((1 << HASH_BITS) - 1)
    }

    /// The hash again, over all bits of a number.
    fn spread(self) -> u64 {
        self.hash().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Where an entry lies, and how many bytes it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) at: usize,
    pub(crate) bytes: usize,
}

impl Generation {
    /// Sets the row of `key` to what `fill` appends, or deletes it: where it was pending before, if it was, and where it is now.
    pub(crate) fn set(
        &mut self,
        (hash, key): (u64, &[u8]),
        fill: Option<impl FnOnce(&mut Vec<u8>)>,
    ) -> (Option<Spot>, Spot) {
        let Generation { entries, hashed } = self;
        let sought = Hashed::new(hash, 0);
        let is_sought = |slot: &Hashed| slot.hash() == sought.hash() && entries.key(slot.at()) == key;
        match hashed.entry(sought.spread(), is_sought, |slot| slot.spread()) {
            Entry::Occupied(mut slot) => {
                let at = slot.get().at();
                let before = entries.is_pending(at).then(|| Spot { at, bytes: entries.len_at(at) });
                let at = entries.replace(at, key, fill);
                *slot.get_mut() = Hashed::new(hash, at);
                (before, Spot { at, bytes: entries.len_at(at) })
            }
            Entry::Vacant(slot) => {
                let at = entries.push(key, fill);
                slot.insert(Hashed::new(hash, at));
                (None, Spot { at, bytes: entries.len_at(at) })
            }
        }
    }

    /// From now on entries are not found by hash: others know where they lie.
    pub(crate) fn forget_hashes(&mut self) {
        self.hashed = HashTable::new();
    }

    /// Without entries, over memory that may be used.
    pub(crate) fn over(memory: Vec<u8>) -> Self {
        Generation { entries: Arena::over(memory), hashed: HashTable::new() }
    }

    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.entries.into_memory()
    }

    /// Adds an entry, or sets the row of the one at `at`, that is not found by hash: where it lies.
    pub(crate) fn put(&mut self, at: Option<usize>, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) -> Spot {
        let at = match at {
            Some(at) => self.entries.replace(at, key, fill),
            None => self.entries.push(key, fill),
        };
        self.spot(at)
    }

    pub(crate) fn spot(&self, at: usize) -> Spot {
        Spot { at, bytes: self.entries.len_at(at) }
    }

    /// Where the entry of `key` lies.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        if self.hashed.is_empty() {
            return None;
        }
        let sought = Hashed::new(hash, 0);
        let is_sought = |slot: &Hashed| slot.hash() == sought.hash() && self.entries.key(slot.at()) == key;
        Some(self.hashed.find(sought.spread(), is_sought)?.at())
    }

    /// Drops the entry at `at`, which is of this hash; how many bytes it took.
    pub(crate) fn forget(&mut self, hash: u64, at: usize) -> usize {
        if let Ok(slot) = self.hashed.find_entry(Hashed::new(hash, at).spread(), |slot| slot.at() == at) {
            slot.remove();
        }
        self.entries.forget(at);
        self.entries.len_at(at)
    }

    pub(crate) fn key(&self, at: usize) -> &[u8] {
        self.entries.key(at)
    }

    /// The row at `at`; `None` when the key is deleted.
    #[inline]
    pub(crate) fn row(&self, at: usize) -> Option<&[u8]> {
        self.entries.row(at)
    }

    pub(crate) fn is_pending(&self, at: usize) -> bool {
        self.entries.is_pending(at)
    }

    /// The entry at `at` is committed.
    pub(crate) fn settle(&mut self, at: usize) {
        self.entries.settle(at);
    }

    /// Where the entries lie, in the order of memory.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        self.entries.places()
    }

    /// Moves all entries together when most of the memory is of entries that count no more. Whether it did.
    pub(crate) fn compact(&mut self) -> bool {
        if !self.entries.is_mostly_gone() {
            return false;
        }
        let old = std::mem::take(&mut self.entries);
        if self.hashed.is_empty() {
            for at in old.places() {
                self.entries.copy(&old, at);
            }
        }
        for slot in &mut self.hashed {
            *slot = slot.moved(self.entries.copy(&old, slot.at()));
        }
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashed.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.hashed.len()
    }

    /// How much memory the entries take, those that count no more among them.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.memory()
    }
}
