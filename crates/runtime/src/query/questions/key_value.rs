//! Queries of key-value stores.

use std::ops::{Bound, RangeBounds};

use headwater_store::bytes::Order;
use headwater_topology::state::Stamped;

use super::sealed::Sealed;
use super::{Query, ReadOnlyRecord};
use crate::Error;
use crate::query::ask::Queried;
use crate::query::typed::Typed;
use crate::query::{ReadOnlyKeyValueStore, StoreIterator};

macro_rules! key_queries {
    ($($(#[$doc:meta])* $name:ident: $store:ident, $result:ty, $get:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<K> {
            key: K,
            skip_cache: bool,
        }

        impl<K> $name<K> {
            /// Of this key.
            pub fn with_key(key: K) -> Self {
                $name { key, skip_cache: false }
            }

            /// Leaves out what lies in a record cache and was not written to the store yet.
            #[must_use]
            pub fn skip_cache(mut self) -> Self {
                self.skip_cache = true;
                self
            }
        }

        impl<K> Sealed for $name<K> {}

        impl<K: 'static, V: 'static> Query<K, V> for $name<K> {
            type Result = Option<$result>;

            fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>> {
                let mut store = store.$store()?;
                store.0.skips_cache = self.skip_cache;
                let get: fn(&ReadOnlyKeyValueStore<K, V>, &K) -> Result<Self::Result, Error> = $get;
                Some(get(&store, &self.key))
            }
        }
    )*};
}

key_queries! {
    /// The value of a key (Java's `KeyQuery`).
    KeyQuery: key_value, V, |store, key| store.get(key);
    /// The value of a key with its timestamp, in a store that keeps them (Java's `TimestampedKeyQuery`).
    TimestampedKeyQuery: timestamped, Stamped<V>, |store, key| store.get_with_timestamp(key);
    /// The value of a key with its timestamp and headers, in a store that keeps them (Java's `TimestampedKeyWithHeadersQuery`).
    TimestampedKeyWithHeadersQuery: with_headers, ReadOnlyRecord<V>, |store, key| {
        store.row(key)?.map(|row| ReadOnlyRecord::of(&store.0, &row)).transpose()
    };
}

macro_rules! range_queries {
    ($($(#[$doc:meta])* $name:ident: $store:ident, $result:ty, $make:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<K> {
            keys: (Bound<K>, Bound<K>),
            order: Order,
        }

        impl<K: Clone> $name<K> {
            /// Of the keys within this range, by the order of their bytes; `..` is all.
            pub fn with_range(keys: impl RangeBounds<K>) -> Self {
                $name { keys: (keys.start_bound().cloned(), keys.end_bound().cloned()), order: Order::Forward }
            }

            /// The other way round.
            #[must_use]
            pub fn with_descending_keys(mut self) -> Self {
                self.order = Order::Backward;
                self
            }
        }

        impl<K> Sealed for $name<K> {}

        impl<K: 'static, V: 'static> Query<K, V> for $name<K> {
            type Result = StoreIterator<(K, $result)>;

            fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>> {
                let store = store.$store()?;
                let keys = match store.0.between(&(self.keys.0.as_ref(), self.keys.1.as_ref())) {
                    Ok(keys) => keys,
                    Err(error) => return Some(Err(error)),
                };
                Some(store.scan_as(keys, self.order, $make))
            }
        }
    )*};
}

range_queries! {
    /// Values of keys (Java's `RangeQuery`).
    RangeQuery: key_value, V, Typed::value;
    /// Values of keys with their timestamps, in a store that keeps them (Java's `TimestampedRangeQuery`).
    TimestampedRangeQuery: timestamped, Stamped<V>, Typed::stamped;
    /// Values of keys with their timestamps and headers, in a store that keeps them (Java's `TimestampedRangeWithHeadersQuery`).
    TimestampedRangeWithHeadersQuery: with_headers, ReadOnlyRecord<V>, |store, row| ReadOnlyRecord::of(store, row);
}
