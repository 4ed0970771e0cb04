//! Ordered maps that can be read elsewhere as they were at one moment.

use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::ops::RangeBounds;

use imbl::ordmap::{self, OrdMap};

/// An ordered map: a `BTreeMap`, the fastest there is for one reader, until somebody wants views of it. From then on it is a
/// persistent tree, of which a copy costs nothing and shares all that does not change afterwards.
#[derive(Clone)]
pub(crate) enum Map<K, V> {
    Own(BTreeMap<K, V>),
    Shared(OrdMap<K, V>),
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Map::Own(BTreeMap::new())
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Map::Own(_)) { "Map::Own" } else { "Map::Shared" })
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// From now on a copy costs nothing. `values` does the same for what lies in it.
    pub(crate) fn share(&mut self, mut values: impl FnMut(&mut V)) {
        if let Map::Own(map) = self {
            let map = std::mem::take(map).into_iter().map(|(key, mut value)| {
                values(&mut value);
                (key, value)
            });
            *self = Map::Shared(map.collect());
        }
    }

    /// An empty map that can be copied as this one can.
    pub(crate) fn another<K2: Ord + Clone, V2: Clone>(&self) -> Map<K2, V2> {
        match self {
            Map::Own(_) => Map::Own(BTreeMap::new()),
            Map::Shared(_) => Map::Shared(OrdMap::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Map::Own(map) => map.len(),
            Map::Shared(map) => map.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            Map::Own(map) => map.get(key),
            Map::Shared(map) => map.get(key),
        }
    }

    #[inline]
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Map::Own(map) => map.get_mut(key),
            // To look for one that is not there must copy nothing.
            Map::Shared(map) if map.contains_key(key) => map.get_mut(key),
            Map::Shared(_) => None,
        }
    }

    pub(crate) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        match self {
            Map::Own(map) => map.entry(key).or_insert_with(value),
            Map::Shared(map) => map.entry(key).or_insert_with(value),
        }
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Map::Own(map) => map.insert(key, value),
            Map::Shared(map) => map.insert(key, value),
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Map::Own(map) => map.remove(key),
            Map::Shared(map) if map.contains_key(key) => map.remove(key),
            Map::Shared(_) => None,
        }
    }

    /// Takes out the first entry when its key is less than `end`.
    pub(crate) fn pop_before(&mut self, end: &K) -> Option<(K, V)> {
        match self {
            Map::Own(map) => {
                map.first_entry().filter(|first| first.key() < end).map(btree_map::OccupiedEntry::remove_entry)
            }
            Map::Shared(map) => {
                let first = map.get_min().map(|(first, _)| first).filter(|first| *first < end)?.clone();
                map.remove_with_key(&first)
            }
        }
    }

    pub(crate) fn iter(&self) -> Range<'_, K, V> {
        self.range::<K>(..)
    }

    /// The entries within `range`, which must not be empty, in order.
    pub(crate) fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> Range<'_, K, V>
    where
        K: Borrow<Q>,
    {
        match self {
            Map::Own(map) => Range::Own(map.range(range)),
            Map::Shared(map) => Range::Shared(map.range(range)),
        }
    }
}

/// Entries of a map, in order.
pub(crate) enum Range<'a, K, V> {
    Own(btree_map::Range<'a, K, V>),
    Shared(ordmap::RangedIter<'a, K, V, imbl::shared_ptr::DefaultSharedPtr>),
}

impl<'a, K: Ord, V> Iterator for Range<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Range::Own(range) => range.next(),
            Range::Shared(range) => range.next(),
        }
    }
}

impl<K: Ord, V> DoubleEndedIterator for Range<'_, K, V> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Range::Own(range) => range.next_back(),
            Range::Shared(range) => range.next_back(),
        }
    }
}
