//! The stores that a server answers from: typed inside, text and JSON outside.

mod key_value;
mod session;
mod versioned;
mod window;

use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use headwater_record::{Encoded, Partition};
use headwater_runtime::Error;
use headwater_runtime::application::{KeyQueryMetadata, Metadata};
use headwater_runtime::query::Queries;
use headwater_topology::state::StoreHandle;
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use self::key_value::KeyValue;
pub(crate) use self::session::Session;
pub(crate) use self::versioned::Versioned;
pub(crate) use self::window::Window;
use crate::KeyText;
use crate::server::Failure;
use crate::token::Last;
use crate::wire::Entry;

/// An entry whose value is written already.
pub(crate) type Written = Entry<Box<RawValue>>;

/// Entries, as they are read.
pub(crate) type Entries = Box<dyn Iterator<Item = Result<Written, Failure>>>;

/// A point of a key: which of its values is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The only one, or the latest.
    Latest,
    /// The version that was valid then.
    AsOf(i64),
    /// The value of the window that starts then.
    Window { start: i64 },
    /// The value of this session.
    Session { start: i64, end: i64 },
}

/// A stretch of a store. All bounds are included; without any it is the whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Of this key only.
    pub(crate) key: Option<String>,
    pub(crate) from_key: Option<String>,
    pub(crate) to_key: Option<String>,
    /// Keys whose bytes begin with those of this one.
    pub(crate) prefix: Option<String>,
    /// Times: starts of windows, ends of sessions at least, validity of versions.
    pub(crate) from: Option<i64>,
    /// Starts of windows and sessions at most, validity of versions.
    pub(crate) to: Option<i64>,
    pub(crate) reverse: bool,
    /// Where the page before ended.
    pub(crate) last: Option<Last>,
}

impl Span {
    fn from(&self) -> i64 {
        self.from.unwrap_or(0)
    }

    fn to(&self) -> i64 {
        self.to.unwrap_or(i64::MAX)
    }
}

/// A store, whatever its types.
pub(crate) trait Served: Send + Sync {
    fn kind(&self) -> &'static str;

    fn owner_of_key(&self, metadata: &Metadata<'_>, key: &str) -> Result<KeyQueryMetadata, Failure>;

    fn owner_of_partition(&self, metadata: &Metadata<'_>, partition: Partition) -> Result<KeyQueryMetadata, Error>;

    /// How many partitions there are, none in a global store.
    fn partitions(&self, metadata: &Metadata<'_>) -> Result<Partition, Error>;

    fn get(&self, queries: &Queries, key: &str, point: Point) -> Result<Option<Written>, Failure>;

    fn scan(&self, queries: &Queries, span: &Span) -> Result<Entries, Failure>;
}

/// A store with its types.
pub(crate) struct Typed<K, V> {
    pub(crate) handle: StoreHandle<K, V>,
    pub(crate) text: KeyText<K>,
    /// What serdes are told.
    pub(crate) topic: String,
}

impl<K, V: Serialize> Typed<K, V> {
    fn key(&self, text: &str) -> Result<K, Failure> {
        let unreadable =
            |error| Failure::bad_request(format!("{text:?} is no key of store {}: {error}", self.handle.name()));
        self.text.read(text).map_err(unreadable)
    }

    fn bound(&self, text: Option<&String>) -> Result<Bound<K>, Failure> {
        text.map_or(Ok(Bound::Unbounded), |text| Ok(Bound::Included(self.key(text)?)))
    }

    /// The bounds of `span`'s keys.
    fn keys(&self, span: &Span) -> Result<(Bound<K>, Bound<K>), Failure> {
        match &span.key {
            Some(key) => Ok((Bound::Included(self.key(key)?), Bound::Included(self.key(key)?))),
            None => Ok((self.bound(span.from_key.as_ref())?, self.bound(span.to_key.as_ref())?)),
        }
    }

    fn bytes(&self, key: &K) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        match self.handle.key_serde().serialize(&self.topic, key, &mut bytes) {
            Ok(Encoded::Bytes) => Ok(bytes),
            Ok(Encoded::Null) => Err(Failure::bad_request("null is no key".to_owned())),
            Err(error) => Err(Failure::bad_request(format!("the key has no bytes: {error}"))),
        }
    }

    fn entry(&self, key: &K, value: &V) -> Result<Written, Failure> {
        let unwritable = |error| Failure::data(format!("a value of store {} has no JSON: {error}", self.handle.name()));
        let value = serde_json::value::to_raw_value(value).map_err(unwritable)?;
        Ok(Entry { key: self.text.write(key), start: None, end: None, timestamp: None, valid_to: None, value })
    }
}

/// What differs between the kinds of stores.
pub(crate) trait Kind<K, V>: 'static {
    const NAME: &'static str;

    fn get(store: &Typed<K, V>, queries: &Queries, key: K, point: Point) -> Result<Option<Written>, Failure>;

    /// The iterator borrows nothing: it may be read while the store's description goes.
    fn scan(store: &Arc<Typed<K, V>>, queries: &Queries, span: &Span) -> Result<Entries, Failure>;
}

/// A store of kind `T`.
pub(crate) struct Of<K, V, T> {
    typed: Arc<Typed<K, V>>,
    kind: PhantomData<fn() -> T>,
}

impl<K, V, T> Of<K, V, T> {
    pub(crate) fn new(typed: Typed<K, V>) -> Self {
        Of { typed: Arc::new(typed), kind: PhantomData }
    }
}

impl<K: 'static, V: Serialize + 'static, T: Kind<K, V>> Served for Of<K, V, T> {
    fn kind(&self) -> &'static str {
        T::NAME
    }

    fn owner_of_key(&self, metadata: &Metadata<'_>, key: &str) -> Result<KeyQueryMetadata, Failure> {
        Ok(metadata.for_key(&self.typed.handle, &self.typed.key(key)?)?)
    }

    fn owner_of_partition(&self, metadata: &Metadata<'_>, partition: Partition) -> Result<KeyQueryMetadata, Error> {
        metadata.for_key_by(&self.typed.handle, |_| partition)
    }

    fn partitions(&self, metadata: &Metadata<'_>) -> Result<Partition, Error> {
        let mut partitions = 0;
        metadata.for_key_by(&self.typed.handle, |count| {
            partitions = count;
            0
        })?;
        Ok(partitions)
    }

    fn get(&self, queries: &Queries, key: &str, point: Point) -> Result<Option<Written>, Failure> {
        T::get(&self.typed, queries, self.typed.key(key)?, point)
    }

    fn scan(&self, queries: &Queries, span: &Span) -> Result<Entries, Failure> {
        T::scan(&self.typed, queries, span)
    }
}

fn no_such_point<R>(what: &str, kind: &str) -> Result<R, Failure> {
    Err(Failure::bad_request(format!("a {kind} store has no {what}: GET /v1/stores tells each store's kind")))
}
