//! Queries of window and session stores.

use headwater_record::Timestamp;
use headwater_store::bytes::Order;
use headwater_window::Windowed;

use super::sealed::Sealed;
use super::{Query, ReadOnlyRecord};
use crate::Error;
use crate::query::StoreIterator;
use crate::query::ask::Queried;
use crate::query::typed::Typed;

/// What a [`WindowRangeQuery`] asks for.
#[derive(Clone, Debug)]
enum Range<K> {
    Key(K),
    Starts(Timestamp, Timestamp),
}

macro_rules! window_queries {
    ($($(#[$doc:meta])* $name:ident, $result:ty, $is_it:expr, $make:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<K> {
            key: K,
            from: Timestamp,
            to: Timestamp,
        }

        impl<K> $name<K> {
            /// Of this key, in the windows that start from `from` to `to`, both included.
            pub fn with_key_and_window_start_range(key: K, from: impl Into<Timestamp>, to: impl Into<Timestamp>) -> Self {
                $name { key, from: from.into(), to: to.into() }
            }
        }

        impl<K> Sealed for $name<K> {}

        impl<K: 'static, V: 'static> Query<K, V> for $name<K> {
            type Result = StoreIterator<(Windowed<K>, $result)>;

            fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>> {
                let store = store.window().filter(|store| $is_it(store.0.format))?;
                let of_key = store.0.only(&self.key);
                Some(of_key.and_then(|keys| store.scan_as(None, keys, (self.from, self.to), Order::Forward, $make)))
            }
        }
    )*};
}

window_queries! {
    /// Values of a key in windows of a window store, in order (Java's `WindowKeyQuery`).
    WindowKeyQuery, V, |_| true, Typed::value;
    /// Values of a key in windows with their timestamps and headers, in a window store that keeps them (Java's
    /// `TimestampedWindowKeyWithHeadersQuery`).
    TimestampedWindowKeyWithHeadersQuery, ReadOnlyRecord<V>, headwater_store::RowFormat::has_headers,
        |store, row| ReadOnlyRecord::of(store, row);
}

macro_rules! window_range_queries {
    ($($(#[$doc:meta])* $name:ident, $result:ty, $is_it:expr, $make:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<K>(Range<K>);

        impl<K> $name<K> {
            /// Of all sessions of this key, in a session store.
            pub fn with_key(key: K) -> Self {
                $name(Range::Key(key))
            }

            /// Of the windows of all keys that start from `from` to `to`, both included, in a window store.
            pub fn with_window_start_range(from: impl Into<Timestamp>, to: impl Into<Timestamp>) -> Self {
                $name(Range::Starts(from.into(), to.into()))
            }
        }

        impl<K> Sealed for $name<K> {}

        impl<K: 'static, V: 'static> Query<K, V> for $name<K> {
            type Result = StoreIterator<(Windowed<K>, $result)>;

            fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>> {
                match &self.0 {
                    Range::Key(key) => {
                        let store = store.session().filter(|store| $is_it(store.0.format))?;
                        let times = (Timestamp::ZERO, Timestamp::MAX);
                        let of_key = store.0.only(key);
                        Some(of_key.and_then(|keys| store.scan_as(None, keys, times, Order::Forward, $make)))
                    }
                    Range::Starts(from, to) => {
                        let store = store.window().filter(|store| $is_it(store.0.format))?;
                        let all = store.0.between(&..);
                        Some(all.and_then(|keys| store.scan_as(None, keys, (*from, *to), Order::Forward, $make)))
                    }
                }
            }
        }
    )*};
}

window_range_queries! {
    /// Values of windows: the sessions of a key, or windows of all keys (Java's `WindowRangeQuery`).
    WindowRangeQuery, V, |_| true, Typed::value;
    /// Values of windows with their timestamps and headers, in a store that keeps them (Java's
    /// `TimestampedWindowRangeWithHeadersQuery`).
    TimestampedWindowRangeWithHeadersQuery, ReadOnlyRecord<V>, headwater_store::RowFormat::has_headers,
        |store, row| ReadOnlyRecord::of(store, row);
}
