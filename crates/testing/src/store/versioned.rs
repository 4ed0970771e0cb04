//! Typed reads of a topology's versioned stores.

use std::fmt;

use headwater_record::Timestamp;
use headwater_store::bytes::{Order, Scan, Version, VersionQuery, VersionedBytes};
use headwater_store::{Store, StoreError};
use headwater_topology::state::{Stamped, StoreHandle};

use super::{AT_ONCE, Typed};
use crate::{DriverError, TopologyTestDriver};

#[doc(inline)]
pub use headwater_runtime::query::VersionedRecord;

/// A versioned store of a topology under test; see [`TopologyTestDriver::versioned_store`].
pub struct TestVersionedStore<K, V>(Typed<K, V>);

impl<K, V> TestVersionedStore<K, V> {
    pub(crate) fn open(driver: &TopologyTestDriver, handle: &StoreHandle<K, V>) -> Result<Self, DriverError> {
        Typed::open(driver, handle, "versioned", |store| matches!(store, Store::Versioned(_))).map(Self)
    }

    fn look<R>(&self, look: impl FnOnce(&dyn VersionedBytes) -> Result<R, StoreError>) -> Result<R, DriverError> {
        let found = self.0.store.read(|store| match store {
            Store::Versioned(store) => look(store.as_ref()).map(Some),
            _ => Ok(None),
        })?;
        found.ok_or_else(|| DriverError::NoSuchStore(self.0.name.clone()))
    }

    fn typed(&self, version: &Version) -> Result<Stamped<V>, DriverError> {
        Ok(Stamped { value: self.0.value(version.row.value())?, timestamp: version.valid_from() })
    }

    /// The latest version of `key`.
    ///
    /// # Errors
    /// [`DriverError::Serde`], [`DriverError::Store`].
    pub fn get(&self, key: &K) -> Result<Option<Stamped<V>>, DriverError> {
        let key = self.0.key_bytes(key)?;
        self.look(|store| store.get(&key))?.map(|version| self.typed(&version)).transpose()
    }

    /// The version of `key` that was valid at `as_of`, milliseconds since 1970.
    ///
    /// # Errors
    /// As [`TestVersionedStore::get`].
    pub fn get_as_of(&self, key: &K, as_of: impl Into<Timestamp>) -> Result<Option<Stamped<V>>, DriverError> {
        let (key, as_of) = (self.0.key_bytes(key)?, as_of.into());
        self.look(|store| store.get_as_of(&key, as_of))?.map(|version| self.typed(&version)).transpose()
    }

    /// All versions of `key` that are not forgotten, from the earliest to the latest.
    ///
    /// # Errors
    /// As [`TestVersionedStore::get`].
    pub fn versions(&self, key: &K) -> Result<Vec<VersionedRecord<V>>, DriverError> {
        let key = self.0.key_bytes(key)?;
        let query = VersionQuery { key: &key, from: Timestamp::ZERO, to: Timestamp::MAX };
        let versions = self.look(|store| {
            let (mut versions, mut last): (Vec<Version>, Option<Version>) = (Vec::new(), None);
            while store.scan(query, Order::Forward, last.as_ref(), AT_ONCE, &mut versions)? == Scan::More {
                last = versions.last().cloned();
            }
            Ok(versions)
        })?;
        let ended = |version: &Version| {
            let Stamped { value, timestamp } = self.typed(version)?;
            Ok(VersionedRecord { value, timestamp, valid_to: version.valid_to })
        };
        versions.iter().map(ended).collect()
    }
}

impl<K, V> fmt::Debug for TestVersionedStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestVersionedStore({})", self.0.name)
    }
}
