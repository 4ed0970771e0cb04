//! Key-value stores.

use std::ops::{Bound, RangeBounds};

use headwater_store::bytes::{Entry, Order};
use headwater_store::{RowBuf, Store};
use headwater_topology::state::Stamped;

use super::typed::{KeyBounds, one};
use super::{StoreIterator, Typed, other_kind};
use crate::Error;
use crate::instance::Part;

/// A key-value store, for reading (Java's `ReadOnlyKeyValueStore`, `KeyQuery`, `RangeQuery`); see [`Queries`](super::Queries).
///
/// # Errors
/// All methods: [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) while the store is not here, or its task is not done with
/// being restored; [`ErrorKind::Data`](crate::ErrorKind::Data) when it cannot be read, or holds what its serdes do not understand.
#[derive(Clone, Debug)]
pub struct ReadOnlyKeyValueStore<K, V>(pub(super) Typed<K, V>);

impl<K: 'static, V: 'static> ReadOnlyKeyValueStore<K, V> {
    /// The value of `key`.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.get_with_timestamp(key)?.map(|found| found.value))
    }

    /// The value of `key` with its timestamp, -1 in a store that keeps none (Java's `TimestampedKeyQuery`).
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<Stamped<V>>, Error> {
        self.row(key)?.map(|row| self.0.stamped(&row)).transpose()
    }

    pub(super) fn row(&self, key: &K) -> Result<Option<RowBuf>, Error> {
        let key = self.0.key_bytes(key)?;
        self.0.first(&Part::of(one(&key)), |store| match store {
            Store::KeyValue(store) => store.get(&key),
            other => other_kind(other),
        })
    }

    /// The entries whose keys lie within `keys`, by the order of their bytes, in each partition.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn range(&self, keys: impl RangeBounds<K>) -> Result<StoreIterator<(K, V)>, Error> {
        self.scan(self.0.between(&keys)?, Order::Forward)
    }

    /// As [`ReadOnlyKeyValueStore::range`], the other way round.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn reverse_range(&self, keys: impl RangeBounds<K>) -> Result<StoreIterator<(K, V)>, Error> {
        self.scan(self.0.between(&keys)?, Order::Backward)
    }

    /// The entries whose keys' bytes begin with `prefix`.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn prefix_scan(&self, prefix: &[u8]) -> Result<StoreIterator<(K, V)>, Error> {
        let end = match after_prefix(prefix) {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        self.scan((Bound::Included(prefix.to_vec()), end), Order::Forward)
    }

    /// All entries.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn all(&self) -> Result<StoreIterator<(K, V)>, Error> {
        self.range(..)
    }

    /// All entries, the other way round.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn reverse_all(&self) -> Result<StoreIterator<(K, V)>, Error> {
        self.reverse_range(..)
    }

    /// About how many entries there are: as of the last commit.
    ///
    /// # Errors
    /// See [`ReadOnlyKeyValueStore`].
    pub fn approximate_num_entries(&self) -> Result<u64, Error> {
        let mut all = 0_u64;
        for view in self.0.committed_views()? {
            let entries = view.read(|store| match store {
                Store::KeyValue(store) => Ok(store.approximate_len()),
                other => other_kind(other),
            });
            all = all.saturating_add(entries?);
        }
        Ok(all)
    }

    fn scan(&self, keys: KeyBounds, order: Order) -> Result<StoreIterator<(K, V)>, Error> {
        self.scan_as(keys, order, Typed::value)
    }

    /// What `make` makes of rows.
    pub(super) fn scan_as<T: 'static>(
        &self,
        keys: KeyBounds,
        order: Order,
        make: impl Fn(&Typed<K, V>, &RowBuf) -> Result<T, Error> + Send + 'static,
    ) -> Result<StoreIterator<(K, T)>, Error> {
        let (typed, part) = (self.0.clone(), Part::of(keys));
        Ok(StoreIterator::over(
            self.0.views(&part)?,
            move |store, after: Option<&Entry>, limit, into| {
                let range = part.range();
                let rest = after.map_or(range, |after| range.after(&after.key, order));
                match store {
                    Store::KeyValue(store) => store.scan(rest, order, limit, into),
                    other => other_kind(other),
                }
            },
            move |entry| Ok(Some((typed.key(&entry.key)?, make(&typed, &entry.row)?))),
        ))
    }
}

/// The first key after all that begin with `prefix`; `None` when there is none.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end)
}
