//! What was written lately: rows that wait for the next commit, and committed ones that reads find here instead of on disk.

use std::collections::{BTreeMap, btree_map};
use std::hash::BuildHasher;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hashbrown::DefaultHashBuilder;
use headwater_store::bytes::Order;
use smallvec::SmallVec;

use crate::arena;
use crate::generation::{Generation, Spot};
use crate::scan::HalfOpen;

/// What finding an entry costs, about: its share of the table or the tree.
const ENTRY_OVERHEAD: usize = 24;

/// What is known of a key without a look on disk: what it is to be after the next commit, or is since one of the last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    Unknown,
    Absent,
    Row(&'a [u8]),
}

/// Short keys lie in the tree itself: a search compares them without a look elsewhere.
type Key = SmallVec<[u8; 32]>;

/// Rows by key, and keys that are deleted.
///
/// Those that wait for the next commit lie among those that were committed lately: a commit moves nothing. When there are too many
/// of the committed, the older generation of them goes, and what was the newer one is the older.
///
/// They lie in no order until the first scan since the last commit asks for one, and then only what is pending: the rest is on disk,
/// in order. As long as nobody reads by key, they are then found by their order alone.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    newer: Generation,
    /// Committed, all of it; what the newer one has too is not true any more.
    older: Generation,
    /// Where in the newer generation pending entries lie. Some have moved on or are forgotten.
    pending: Vec<usize>,
    pending_bytes: usize,
    ordered: OnceLock<BTreeMap<Key, usize>>,
    /// Whether the newer generation is not found by hash.
    is_only_ordered: bool,
    /// Whether rows were ever read by key: where they are only scanned, committed ones are of no use in memory.
    is_read: AtomicBool,
    /// Whether rows were forgotten since the last commit.
    is_ageing: bool,
    /// Whether nothing is on disk that is not here.
    is_whole: bool,
    hasher: DefaultHashBuilder,
}

/// What is pending within a range, in order.
pub(crate) struct Entries<'a> {
    rows: &'a Generation,
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
        self.range.contains(key).then(|| (key.as_slice(), self.rows.row(*at)))
    }
}

impl Overlay {
    /// Over a store that `is_empty` on disk, or not.
    pub(crate) fn new(is_empty: bool) -> Self {
        Overlay { is_whole: is_empty, ..Overlay::default() }
    }

    /// Of what is written from now on until the next commit, nobody is expected to read anything: it is only taken down, one behind the
    /// other, and put in order when somebody does. Where nothing is pending yet, it is taken down in `memory`.
    pub(crate) fn expect_no_reads(&mut self, memory: impl FnOnce() -> Vec<u8>) {
        if *self.is_read.get_mut() || self.is_only_ordered {
            return;
        }
        if self.pending.is_empty() {
            // Of what is committed, nothing lies here where nobody reads.
            self.newer = Generation::over(memory());
            self.ordered = OnceLock::new();
        } else {
            self.newer.forget_hashes();
        }
        self.is_only_ordered = true;
    }

    /// Sets the row of `key` to what `fill` appends, or deletes it, with the next commit.
    pub(crate) fn set(&mut self, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) {
        if !*self.is_read.get_mut() && self.ordered.get().is_some() && !self.is_only_ordered {
            // Nothing that is committed lies here.
            self.newer.forget_hashes();
            self.is_only_ordered = true;
        }
        if self.is_only_ordered {
            let Some(ordered) = self.ordered.get_mut() else {
                let now = self.newer.put(None, key, fill);
                self.note(None, now);
                return;
            };
            let (before, now) = match ordered.entry(Key::from_slice(key)) {
                btree_map::Entry::Occupied(mut slot) => {
                    let before = self.newer.spot(*slot.get());
                    let now = self.newer.put(Some(before.at), key, fill);
                    *slot.get_mut() = now.at;
                    (Some(before), now)
                }
                btree_map::Entry::Vacant(slot) => {
                    let now = self.newer.put(None, key, fill);
                    slot.insert(now.at);
                    (None, now)
                }
            };
            self.note(before, now);
            return;
        }
        let (before, now) = self.newer.set((self.hasher.hash_one(key), key), fill);
        if self.note(before, now)
            && let Some(ordered) = self.ordered.get_mut()
        {
            ordered.insert(Key::from_slice(key), now.at);
        }
    }

    /// Takes note of a pending entry that was `before` and is `now`; whether it lies somewhere else.
    fn note(&mut self, before: Option<Spot>, now: Spot) -> bool {
        self.pending_bytes += now.bytes + ENTRY_OVERHEAD;
        self.pending_bytes -= before.map_or(0, |before| before.bytes + ENTRY_OVERHEAD);
        let moved = before.is_none_or(|before| before.at != now.at);
        if moved {
            self.pending.push(now.at);
        }
        moved
    }

    /// What is known of `key`.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Known<'_> {
        if !self.is_read.load(Relaxed) {
            self.is_read.store(true, Relaxed);
        }
        let hash = self.hasher.hash_one(key);
        match self
            .find_newer(hash, key)
            .map(|at| self.newer.row(at))
            .or_else(|| Some(self.older.row(self.older.find(hash, key)?)))
        {
            Some(row) => row.map_or(Known::Absent, Known::Row),
            None if self.is_whole => Known::Absent,
            None => Known::Unknown,
        }
    }

    #[inline]
    fn find_newer(&self, hash: u64, key: &[u8]) -> Option<usize> {
        if self.is_only_ordered { self.ordered().get(key).copied() } else { self.newer.find(hash, key) }
    }

    /// Hands what is pending within `ranges`, which are in order and do not meet, to `take`, in no order. It changes nothing for who writes:
    /// without an order of keys each is looked at.
    pub(crate) fn pending_in(&self, ranges: &[HalfOpen], mut take: impl FnMut(&[u8], Option<&[u8]>)) {
        if let [range] = ranges
            && let Some(key) = range.only()
        {
            let at = self.find_newer(self.hasher.hash_one(key), key);
            if let Some(at) = at.filter(|at| self.newer.is_pending(*at)) {
                take(key, self.newer.row(at));
            }
            return;
        }
        if self.ordered.get().is_some() {
            let found = ranges.iter().flat_map(|range| self.range(range, Order::Forward));
            return found.for_each(|(key, row)| take(key, row));
        }
        for at in self.pending() {
            let key = self.newer.key(at);
            let behind = ranges.partition_point(|range| range.from.as_slice() <= key);
            if behind.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| range.contains(key)) {
                take(key, self.newer.row(at));
            }
        }
    }

    /// Where what is pending lies.
    fn pending(&self) -> impl Iterator<Item = usize> {
        self.pending.iter().copied().filter(|at| self.newer.is_pending(*at))
    }

    fn ordered(&self) -> &BTreeMap<Key, usize> {
        let key = |at| Key::from_slice(self.newer.key(at));
        self.ordered.get_or_init(|| self.pending().map(|at| (key(at), at)).collect())
    }

    /// What is pending within a range, in `order`.
    pub(crate) fn range<'a>(&'a self, range: &'a HalfOpen, order: Order) -> Entries<'a> {
        // Each bound is a search. The one where the scan ends is compared on the way.
        let bounds = match order {
            Order::Forward => (Included(range.from.as_slice()), Unbounded),
            Order::Backward => (Unbounded, range.to.as_deref().map_or(Unbounded, Excluded)),
        };
        Entries { rows: &self.newer, left: self.ordered().range::<[u8], _>(bounds), range, order }
    }

    /// Hands what is pending to `take`, in order, until that fails: a database takes sorted rows several times quicker.
    pub(crate) fn each<E>(&self, mut take: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>) -> Result<(), E> {
        if let Some(ordered) = self.ordered.get() {
            return ordered.iter().try_for_each(|(key, at)| take(key, self.newer.row(*at)));
        }
        // The first bytes beside each entry decide nearly always, without a look at the key. Of one key, what was written last comes
        // last.
        let key = |at| self.newer.key(at);
        let mut places: Vec<_> = self.pending().map(|at| (first_bytes(key(at)), at)).collect();
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(key(b.1))).then(a.1.cmp(&b.1)));
        let mut places = places.into_iter().peekable();
        while let Some((first, at)) = places.next() {
            let is_overwritten = |next: &(u64, usize)| next.0 == first && key(next.1) == key(at);
            if !places.peek().is_some_and(is_overwritten) {
                take(key(at), self.newer.row(at))?;
            }
        }
        Ok(())
    }

    /// Drops what is pending of keys that are less than `end`. Nobody reads them any more, so that those that are committed may stay
    /// for as long as others.
    pub(crate) fn forget_before(&mut self, end: &[u8]) {
        let forgotten: Vec<usize> = match self.ordered.get_mut() {
            Some(ordered) => {
                let kept = ordered.split_off::<[u8]>(end);
                std::mem::replace(ordered, kept).into_values().collect()
            }
            None => self.pending().filter(|at| self.newer.key(*at) < end).collect(),
        };
        for at in forgotten {
            let hash = self.hasher.hash_one(self.newer.key(at));
            self.pending_bytes -= self.newer.forget(hash, at) + ENTRY_OVERHEAD;
        }
        self.is_ageing = true;
        if self.newer.compact() {
            self.pending = self.newer.places().filter(|at| self.newer.is_pending(*at)).collect();
            if self.ordered.take().is_some() {
                self.ordered();
            }
        }
    }

    /// All is committed. Reads find it here still, as long as it takes no more than `most` bytes. The memory of what was only taken
    /// down is of no use here any more.
    pub(crate) fn settle(&mut self, most: usize) -> Vec<u8> {
        let mut memory = Vec::new();
        if std::mem::take(&mut self.is_only_ordered) {
            memory = std::mem::take(&mut self.newer).into_memory();
            self.is_whole = false;
        }
        let most = if *self.is_read.get_mut() { most } else { 0 };
        self.ordered = OnceLock::new();
        for at in std::mem::take(&mut self.pending) {
            self.newer.settle(at);
        }
        self.pending_bytes = 0;
        self.newer.compact();
        if std::mem::take(&mut self.is_ageing) || bytes(&self.newer) > most / 2 {
            let older = std::mem::replace(&mut self.older, std::mem::take(&mut self.newer));
            self.is_whole &= older.is_empty();
        }
        if self.bytes() > most {
            self.is_whole &= self.older.is_empty();
            self.older = Generation::default();
        }
        memory
    }

    /// How many pending entries are rows.
    pub(crate) fn pending_rows(&self) -> usize {
        self.pending().filter(|at| self.newer.row(*at).is_some()).count()
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Whether nothing is pending.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending_bytes == 0
    }

    /// Of all that is found here.
    pub(crate) fn bytes(&self) -> usize {
        bytes(&self.newer) + bytes(&self.older)
    }
}

fn bytes(generation: &Generation) -> usize {
    generation.bytes() + generation.len() * ENTRY_OVERHEAD
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

    use super::{Known, Overlay};
    use crate::scan::HalfOpen;

    fn all() -> HalfOpen {
        HalfOpen::new(Bound::Unbounded, Bound::Unbounded)
    }

    fn fill(value: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
        |bytes| bytes.extend_from_slice(value)
    }

    const NONE: Option<fn(&mut Vec<u8>)> = None;

    fn pending(overlay: &Overlay) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        let Ok(()) = overlay.each(|key, row| {
            found.push((key.to_vec(), row.map(<[u8]>::to_vec)));
            Ok::<_, std::convert::Infallible>(())
        });
        found
    }

    #[test]
    fn what_is_kept_is_found_after_most_was_forgotten() {
        for in_order in [false, true] {
            let mut overlay = Overlay::default();
            if in_order {
                assert_eq!(overlay.range(&all(), Order::Forward).count(), 0);
            }
            for key in 0..100u8 {
                let row = (key != 91).then_some(|bytes: &mut Vec<u8>| bytes.push(key));
                overlay.set(&[key], row);
            }
            let before = overlay.pending_bytes();
            overlay.forget_before(&[90]);
            assert_eq!(overlay.pending_bytes(), before / 10);
            overlay.set(&[92], Some(fill(&[92, 92])));
            assert!(matches!(overlay.get(&[89]), Known::Unknown));
            assert!(matches!(overlay.get(&[91]), Known::Absent));
            assert!(matches!(overlay.get(&[92]), Known::Row(&[92, 92])));
            let row = |key| match key {
                91 => None,
                92 => Some(vec![92, 92]),
                _ => Some(vec![key]),
            };
            assert_eq!(pending(&overlay), (90..100).map(|key| (vec![key], row(key))).collect::<Vec<_>>());
            assert_eq!(overlay.range(&all(), Order::Backward).count(), 10);
            assert_eq!(overlay.pending_rows(), 9);
        }
    }

    fn known(overlay: &Overlay, key: u8) -> String {
        match overlay.get(&[key]) {
            Known::Unknown => "?".to_owned(),
            Known::Absent => "-".to_owned(),
            Known::Row(row) => String::from_utf8_lossy(row).into_owned(),
        }
    }

    #[test]
    fn committed_rows_are_known_until_there_is_no_room() {
        let mut overlay = Overlay::new(false);
        for key in 0..10 {
            overlay.set(&[key], Some(fill(b"old")));
        }
        overlay.set(&[3], NONE);
        let of_ten = overlay.bytes();
        assert_eq!(known(&overlay, 2), "old");
        overlay.settle(2 * of_ten);
        assert_eq!((overlay.pending_bytes(), overlay.bytes(), pending(&overlay).len()), (0, of_ten, 0));
        assert_eq!([2, 3, 10].map(|key| known(&overlay, key)), ["old", "-", "?"]);
        overlay.set(&[2], Some(fill(b"new")));
        overlay.set(&[10], Some(fill(b"new")));
        assert_eq!(pending(&overlay).len(), 2, "what is committed is not written again");
        // Now it is more than half: the older generation.
        overlay.settle(2 * of_ten);
        overlay.set(&[2], NONE);
        overlay.set(&[4], Some(fill(b"newer")));
        assert_eq!([1, 2, 4, 10].map(|key| known(&overlay, key)), ["old", "-", "newer", "new"]);
        assert_eq!(overlay.range(&all(), Order::Forward).count(), 2);
        overlay.settle(of_ten);
        assert_eq!([1, 2, 4, 10].map(|key| known(&overlay, key)), ["?", "-", "newer", "?"]);
        overlay.settle(0);
        assert_eq!((overlay.bytes(), known(&overlay, 4)), (0, "?".to_owned()));
    }

    #[test]
    fn what_is_only_taken_down_is_put_in_order_when_somebody_reads() {
        let mut overlay = Overlay::new(true);
        overlay.expect_no_reads(Vec::new);
        let write = |overlay: &mut Overlay| {
            for (key, row) in
                [(2, Some("old")), (1, Some("one")), (2, None), (3, None), (3, Some("three")), (4, Some("four"))]
            {
                overlay.set(&[key], row.map(|row| fill(row.as_bytes())));
            }
        };
        write(&mut overlay);
        let all_of = |overlay: &Overlay| {
            let row = |(key, row): (Vec<u8>, Option<Vec<u8>>)| (key[0], row.map(|row| String::from_utf8(row).unwrap()));
            pending(overlay).into_iter().map(row).collect::<Vec<_>>()
        };
        let expected = |one: &str| {
            let row = |row: &str| Some(row.to_owned());
            vec![(1, row(one)), (2, None), (3, row("three")), (4, row("four"))]
        };
        assert_eq!(all_of(&overlay), expected("one"));
        let mut one = Vec::new();
        overlay.pending_in(&[all()], |key, row| one.push((key[0], row.map(<[u8]>::to_vec))));
        assert_eq!(one.len(), 6, "in the order of writing");

        assert_eq!([1, 2, 3, 5].map(|key| known(&overlay, key)), ["one", "-", "three", "-"]);
        overlay.set(&[1], Some(fill(b"another")));
        assert_eq!(all_of(&overlay), expected("another"));
        assert_eq!(overlay.range(&all(), Order::Backward).count(), 4);
        overlay.forget_before(&[3]);
        assert_eq!(all_of(&overlay), expected("")[2..]);
        overlay.settle(1000);
        assert_eq!((overlay.pending_bytes(), overlay.bytes(), known(&overlay, 3)), (0, 0, "?".to_owned()));

        let mut unread = Overlay::new(true);
        unread.expect_no_reads(Vec::new);
        write(&mut unread);
        unread.forget_before(&[3]);
        assert_eq!(all_of(&unread), expected("")[2..]);
        write(&mut unread);
        assert_eq!(all_of(&unread), expected("one"));
    }

    #[test]
    fn what_was_never_written_is_known_to_be_absent_until_rows_are_let_go() {
        let mut overlay = Overlay::new(true);
        overlay.set(&[1], Some(fill(b"1")));
        assert_eq!(known(&overlay, 2), "-");
        overlay.settle(1000);
        assert_eq!([1, 2].map(|key| known(&overlay, key)), ["1", "-"]);
        overlay.settle(10);
        assert_eq!([1, 2].map(|key| known(&overlay, key)), ["?", "?"]);
    }
}
