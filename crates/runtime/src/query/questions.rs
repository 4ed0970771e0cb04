//! The queries that stores understand (Java's `Query`, KIP-796).

mod custom;
mod key_value;
mod versioned;
mod window;

use headwater_record::{Headers, Timestamp};
use headwater_store::{RowBuf, StoreKind};

pub use self::custom::CustomQuery;
pub use self::key_value::{
    KeyQuery, RangeQuery, TimestampedKeyQuery, TimestampedKeyWithHeadersQuery, TimestampedRangeQuery,
    TimestampedRangeWithHeadersQuery,
};
pub use self::versioned::{MultiVersionedKeyQuery, VersionedKeyQuery};
pub use self::window::{
    TimestampedWindowKeyWithHeadersQuery, TimestampedWindowRangeWithHeadersQuery, WindowKeyQuery, WindowRangeQuery,
};
use super::ask::Queried;
use super::typed::Typed;
use super::{ReadOnlyKeyValueStore, ReadOnlySessionStore, ReadOnlyVersionedStore, ReadOnlyWindowStore};
use crate::Error;

/// A question that stores with keys `K` and values `V` may understand. Those there are implement it; a store of one's own is asked a
/// [`CustomQuery`].
pub trait Query<K: 'static, V: 'static>: sealed::Sealed {
    /// What one partition answers.
    type Result;

    /// `None`: the store is not of a kind that understands it.
    #[doc(hidden)]
    fn ask(&self, store: &Queried<K, V>) -> Option<Result<Self::Result, Error>>;
}

mod sealed {
    pub trait Sealed {}
}

/// A value with all that its row has (Java's `ReadOnlyRecord`).
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOnlyRecord<V> {
    /// The value.
    pub value: V,
    /// Its event time.
    pub timestamp: Timestamp,
    /// The headers that lie with it.
    pub headers: Headers,
}

impl<V> ReadOnlyRecord<V> {
    fn of<K>(store: &Typed<K, V>, row: &RowBuf) -> Result<Self, Error> {
        Ok(ReadOnlyRecord { value: store.value(row)?, timestamp: row.timestamp(), headers: row.headers().clone() })
    }
}

impl<K: 'static, V: 'static> Queried<K, V> {
    fn key_value(&self) -> Option<ReadOnlyKeyValueStore<K, V>> {
        let is_it = matches!(self.0.kind, StoreKind::KeyValue | StoreKind::Lru { .. });
        is_it.then(|| ReadOnlyKeyValueStore(self.0.clone()))
    }

    fn timestamped(&self) -> Option<ReadOnlyKeyValueStore<K, V>> {
        self.key_value().filter(|_| self.0.format.has_timestamp())
    }

    fn with_headers(&self) -> Option<ReadOnlyKeyValueStore<K, V>> {
        self.timestamped().filter(|_| self.0.format.has_headers())
    }

    fn window(&self) -> Option<ReadOnlyWindowStore<K, V>> {
        matches!(self.0.kind, StoreKind::Window { .. }).then(|| ReadOnlyWindowStore(self.0.clone()))
    }

    fn session(&self) -> Option<ReadOnlySessionStore<K, V>> {
        matches!(self.0.kind, StoreKind::Session { .. }).then(|| ReadOnlySessionStore(self.0.clone()))
    }

    fn versioned(&self) -> Option<ReadOnlyVersionedStore<K, V>> {
        matches!(self.0.kind, StoreKind::Versioned { .. }).then(|| ReadOnlyVersionedStore(self.0.clone()))
    }
}
