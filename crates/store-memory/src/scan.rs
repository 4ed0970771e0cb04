//! Reading a bounded batch out of an ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;

use headwater_store::StoreError;
use headwater_store::bytes::{Order, Scan};

use crate::map::Map;

/// Whether a range has no place for any key; `BTreeMap::range` refuses such ranges.
pub(crate) fn is_empty<K: Ord + ?Sized>(from: Bound<&K>, to: Bound<&K>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
    }
}

/// The next of a double-ended iterator in `order`.
pub(crate) fn next_in<I: DoubleEndedIterator>(iterator: &mut I, order: Order) -> Option<I::Item> {
    match order {
        Order::Forward => iterator.next(),
        Order::Backward => iterator.next_back(),
    }
}

/// Hands at most `limit` entries between the bounds to `take`, in `order`.
pub(crate) fn scan<V: Clone>(
    map: &Map<Vec<u8>, V>,
    (from, to): (Bound<&[u8]>, Bound<&[u8]>),
    order: Order,
    limit: usize,
    take: impl FnMut(&[u8], &V) -> Result<(), StoreError>,
) -> Result<Scan, StoreError> {
    if is_empty(from, to) { Ok(Scan::Done) } else { batch(map.range::<[u8]>((from, to)), order, limit, take) }
}

/// As [`scan`], of a map that is nobody else's.
pub(crate) fn scan_own<V>(
    map: &BTreeMap<Vec<u8>, V>,
    (from, to): (Bound<&[u8]>, Bound<&[u8]>),
    order: Order,
    limit: usize,
    take: impl FnMut(&[u8], &V) -> Result<(), StoreError>,
) -> Result<Scan, StoreError> {
    if is_empty(from, to) { Ok(Scan::Done) } else { batch(map.range::<[u8], _>((from, to)), order, limit, take) }
}

fn batch<'a, V: 'a>(
    mut range: impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a V)>,
    order: Order,
    limit: usize,
    mut take: impl FnMut(&[u8], &V) -> Result<(), StoreError>,
) -> Result<Scan, StoreError> {
    for _ in 0..limit {
        let Some((key, value)) = next_in(&mut range, order) else { return Ok(Scan::Done) };
        take(key, value)?;
    }
    Ok(if range.next().is_some() { Scan::More } else { Scan::Done })
}
