//! A store with its types, and which of its partitions are read.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, OnceLock};

use headwater_record::{Encoded, SharedSerde};
use headwater_store::{RowBuf, RowFormat, Store, StoreError, StoreKind};
use headwater_topology::StoreId;
use headwater_topology::state::Stamped;

use super::{Position, Queries};
use crate::instance::Part;
use crate::{Error, ErrorKind};

/// Between which bytes keys lie.
pub(super) type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Those of one key.
pub(super) fn one(key: &[u8]) -> KeyBounds {
    (Bound::Included(key.to_vec()), Bound::Included(key.to_vec()))
}

/// A store of the instance with its serdes: which of its partitions are here is looked up with each question.
pub(super) struct Typed<K, V> {
    pub(super) queries: Queries,
    pub(super) id: StoreId,
    pub(super) name: Arc<str>,
    /// What serdes are told.
    pub(super) topic: String,
    pub(super) kind: StoreKind,
    pub(super) format: RowFormat,
    pub(super) global: bool,
    /// Whether what lies in a record cache is left out.
    pub(super) skips_cache: bool,
    /// Told how much of its input that has seen which is read.
    pub(super) told: Option<Arc<OnceLock<Position>>>,
    pub(super) key: SharedSerde<K>,
    pub(super) value: SharedSerde<V>,
}

impl<K, V> Clone for Typed<K, V> {
    fn clone(&self) -> Self {
        Typed {
            queries: self.queries.clone(),
            id: self.id,
            name: Arc::clone(&self.name),
            topic: self.topic.clone(),
            kind: self.kind,
            format: self.format,
            global: self.global,
            skips_cache: self.skips_cache,
            told: self.told.clone(),
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
        }
    }
}

impl<K, V> Typed<K, V> {
    pub(super) fn key_bytes(&self, key: &K) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        match self.key.serialize(&self.topic, key, &mut bytes).map_err(|error| self.unreadable(&error))? {
            Encoded::Bytes => Ok(bytes),
            Encoded::Null => Err(Error::new(ErrorKind::User, format!("store {}: null is no key", self.name))),
        }
    }

    pub(super) fn key_bound(&self, key: Bound<&K>) -> Result<Bound<Vec<u8>>, Error> {
        Ok(match key {
            Bound::Included(key) => Bound::Included(self.key_bytes(key)?),
            Bound::Excluded(key) => Bound::Excluded(self.key_bytes(key)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    }

    /// The bytes between which those of `keys` lie.
    pub(super) fn between(&self, keys: &impl RangeBounds<K>) -> Result<KeyBounds, Error> {
        Ok((self.key_bound(keys.start_bound())?, self.key_bound(keys.end_bound())?))
    }

    /// The same of one key.
    pub(super) fn only(&self, key: &K) -> Result<KeyBounds, Error> {
        Ok(one(&self.key_bytes(key)?))
    }

    pub(super) fn key(&self, bytes: &[u8]) -> Result<K, Error> {
        self.key.deserialize(&self.topic, Some(bytes)).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn value(&self, row: &RowBuf) -> Result<V, Error> {
        self.value.deserialize(&self.topic, Some(row.value())).map_err(|error| self.unreadable(&error))
    }

    pub(super) fn stamped(&self, row: &RowBuf) -> Result<Stamped<V>, Error> {
        Ok(Stamped { value: self.value(row)?, timestamp: row.timestamp() })
    }

    pub(super) fn unreadable(&self, error: &dyn fmt::Display) -> Error {
        Error::new(ErrorKind::Data, format!("store {}: {error}", self.name))
    }

    /// Asks one partition after the other until one has an answer, which lies in `part`.
    pub(super) fn first<R>(
        &self,
        part: &Part,
        ask: impl Fn(&Store) -> Result<Option<R>, StoreError>,
    ) -> Result<Option<R>, Error> {
        for view in self.views(part)? {
            if let Some(found) = view.read(&ask)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(super) fn without_views(&self) -> Error {
        let name = &self.name;
        Error::config(format!("store {name} is of a make that only its task can read: it needs StateStore::views"))
    }

    pub(super) fn unavailable(&self, why: &str) -> Error {
        let state = self.queries.instance.status.state();
        let what = format!("store {} cannot be read here now: {why} (the application is {state})", self.name);
        Error::new(ErrorKind::Unavailable, what)
    }
}

impl<K, V> fmt::Debug for Typed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}
