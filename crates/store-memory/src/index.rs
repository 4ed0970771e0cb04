//! When each key has rows, so that those of one key are found without a walk over all there are.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use hashbrown::HashMap;

/// A key's bytes, which index and rows share.
pub(crate) type Key = Arc<[u8]>;

/// In order: most come at the end, and go at the beginning.
type Times = VecDeque<i64>;

/// Keys with the times that they have rows at.
///
/// Times whose rows are forgotten stay a while, since to look for each would take longer than to forget the rows: they go when a row
/// of their key comes, and all at once when they are half of all.
#[derive(Debug, Default)]
pub(crate) struct Index {
    of_key: HashMap<Key, Times>,
    /// How many times there are.
    len: usize,
    /// How many rows of theirs are forgotten.
    forgotten: usize,
}

impl Index {
    /// `key` has rows at `time`: these bytes are to be shared by them. There are none before `oldest` any more.
    pub(crate) fn insert(&mut self, key: &[u8], time: i64, oldest: i64) -> Key {
        let Some((key, times)) = self.of_key.get_key_value_mut(key) else {
            let key = Key::from(key);
            self.of_key.insert(Key::clone(&key), Times::from([time]));
            self.len += 1;
            return key;
        };
        let gone = forget(times, oldest);
        self.len -= gone;
        self.forgotten = self.forgotten.saturating_sub(gone);
        if let Err(at) = times.binary_search(&time) {
            times.insert(at, time);
            self.len += 1;
        }
        Key::clone(key)
    }

    /// `key` has no rows at `time` any more.
    pub(crate) fn remove(&mut self, key: &[u8], time: i64) {
        let Some(times) = self.of_key.get_mut(key) else { return };
        if let Ok(at) = times.binary_search(&time) {
            times.remove(at);
            self.len -= 1;
        }
        if times.is_empty() {
            self.of_key.remove(key);
        }
    }

    /// So many rows before `oldest` are gone: all that there were.
    pub(crate) fn forget(&mut self, rows: usize, oldest: i64) {
        self.forgotten += rows;
        if self.forgotten <= self.len / 2 {
            return;
        }
        self.forgotten = 0;
        self.of_key.retain(|_, times| {
            self.len -= forget(times, oldest);
            !times.is_empty()
        });
        // Room for many more keys than there are is given back.
        self.of_key.shrink_to(4 * self.of_key.len());
    }

    /// At which of `times` `key` has rows, forgotten ones among them.
    pub(crate) fn times_of(
        &self,
        key: &[u8],
        times: RangeInclusive<i64>,
    ) -> impl DoubleEndedIterator<Item = i64> + use<'_> {
        self.of_key.get(key).into_iter().flat_map(move |of_key| {
            let from = of_key.partition_point(|time| time < times.start());
            let to = of_key.partition_point(|time| time <= times.end());
            of_key.range(from..to.max(from)).copied()
        })
    }
}

/// Drops the times before `oldest`: how many those are.
fn forget(times: &mut Times, oldest: i64) -> usize {
    let before = times.len();
    while times.front().is_some_and(|first| *first < oldest) {
        times.pop_front();
    }
    before - times.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Index, Key};

    impl Index {
        /// What it holds of `oldest` and later. What it still holds of earlier times it must know of.
        pub(crate) fn entries(&self, oldest: i64) -> BTreeSet<(Key, i64)> {
            let of_key = |(key, times): (&Key, &super::Times)| {
                times.iter().map(|time| (Key::clone(key), *time)).collect::<Vec<_>>()
            };
            let mut entries: BTreeSet<_> = self.of_key.iter().flat_map(of_key).collect();
            assert_eq!(entries.len(), self.len);
            entries.retain(|(_, time)| *time >= oldest);
            assert!(self.len - entries.len() <= self.forgotten, "{} of {:?}", entries.len(), self);
            assert!(self.of_key.values().all(|times| !times.is_empty()), "a key without times");
            entries
        }
    }

    #[test]
    fn times_of_a_key_are_in_order_however_they_came() {
        let mut index = Index::default();
        for time in [5, 1, 9, 5, 3, 7] {
            let _ = index.insert(b"a", time, 0);
            let _ = index.insert(b"b", time + 1, 0);
        }
        index.remove(b"a", 7);
        index.remove(b"a", 8);
        let of_a = |times| index.times_of(b"a", times).collect::<Vec<_>>();
        assert_eq!(of_a(i64::MIN..=i64::MAX), [1, 3, 5, 9]);
        assert_eq!(of_a(3..=5), [3, 5]);
        assert_eq!(of_a(6..=8), [0; 0]);
        assert_eq!(index.times_of(b"a", 2..=9).rev().collect::<Vec<_>>(), [9, 5, 3]);
        assert_eq!(index.times_of(b"c", 0..=9).count(), 0);
    }

    #[test]
    fn the_rows_of_a_key_share_its_bytes() {
        let mut index = Index::default();
        let first = index.insert(b"a", 1, 0);
        assert!(Key::ptr_eq(&first, &index.insert(b"a", 2, 0)));
    }

    #[test]
    fn a_key_that_comes_again_and_again_keeps_no_times_that_went() {
        let mut index = Index::default();
        for time in 0..10_000 {
            index.forget(usize::from(time > 10), time - 10);
            let _ = index.insert(b"a", time, time - 10);
        }
        assert_eq!((index.len, index.forgotten), (11, 0));
    }

    #[test]
    fn keys_that_went_take_no_memory() {
        let mut index = Index::default();
        for key in 0..10_000_u32 {
            let _ = index.insert(&key.to_be_bytes(), i64::from(key), 0);
        }
        for gone in 1..=9_990 {
            index.forget(1, gone);
        }
        assert_eq!(index.entries(9_990).len(), 10);
        assert!(index.forgotten <= index.len / 2, "{} forgotten", index.forgotten);
        assert!(index.of_key.capacity() < 200, "room for {} keys", index.of_key.capacity());
    }
}
