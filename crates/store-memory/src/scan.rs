//! Reading a bounded batch out of an ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;

use headwater_store::StoreError;
use headwater_store::bytes::{Order, Scan};

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
pub(crate) fn scan<V>(
    map: &BTreeMap<Vec<u8>, V>,
    (from, to): (Bound<&[u8]>, Bound<&[u8]>),
    order: Order,
    limit: usize,
    mut take: impl FnMut(&[u8], &V) -> Result<(), StoreError>,
) -> Result<Scan, StoreError> {
    if is_empty(from, to) {
        return Ok(Scan::Done);
    }
    let mut range = map.range::<[u8], _>((from, to));
    for _ in 0..limit {
        let Some((key, value)) = next_in(&mut range, order) else { return Ok(Scan::Done) };
        take(key, value)?;
    }
    Ok(if range.next().is_some() { Scan::More } else { Scan::Done })
}
