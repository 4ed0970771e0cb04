//! Typed reads of a topology's stores. The driver commits after each record, so that caches hold nothing back.

mod versioned;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use headwater_record::{SerdeError, SharedSerde, Timestamp};
use headwater_store::Store;
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_topology::SharedStore;
use headwater_topology::state::{SeenEntry, Stamped, StoreHandle};
use headwater_window::{Window, Windowed};

use crate::driver::Live;
use crate::{DriverError, TopologyTestDriver};

pub use self::versioned::{TestVersionedStore, VersionedRecord};

const AT_ONCE: usize = 1024;

/// A store with its serdes.
struct Typed<K, V> {
    name: String,
    store: SharedStore,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
}

impl<K, V> Typed<K, V> {
    fn open(
        driver: &TopologyTestDriver,
        handle: &StoreHandle<K, V>,
        wanted: &'static str,
        is_it: impl Fn(&Store) -> bool,
    ) -> Result<Self, DriverError> {
        let (name, live) = (handle.name(), driver.live.borrow());
        let store = live.store(name)?;
        if !store.read(|store| Ok(is_it(store)))? {
            let (store, kind) = (name.to_owned(), live.kind_of(name));
            return Err(DriverError::StoreKind { store, kind, wanted });
        }
        let (key, value) = (handle.key_serde().clone(), handle.value_serde().clone());
        Ok(Typed { name: handle.name().to_owned(), store, key, value })
    }

    fn key_bytes(&self, key: &K) -> Result<Vec<u8>, SerdeError> {
        let mut bytes = Vec::new();
        let _ = self.key.serialize(&self.name, key, &mut bytes)?;
        Ok(bytes)
    }

    fn key(&self, bytes: &[u8]) -> Result<K, SerdeError> {
        self.key.deserialize(&self.name, Some(bytes))
    }

    fn value(&self, bytes: &[u8]) -> Result<V, SerdeError> {
        self.value.deserialize(&self.name, Some(bytes))
    }
}

/// A key-value store of a topology under test; see [`TopologyTestDriver::key_value_store`].
pub struct TestKeyValueStore<K, V>(Typed<K, V>);

impl<K, V> TestKeyValueStore<K, V> {
    pub(crate) fn open(driver: &TopologyTestDriver, handle: &StoreHandle<K, V>) -> Result<Self, DriverError> {
        Typed::open(driver, handle, "key-value", |store| matches!(store, Store::KeyValue(_))).map(Self)
    }

    fn look<R>(&self, look: impl FnOnce(&dyn KeyValueBytes) -> R) -> Result<R, DriverError> {
        let found = self.0.store.read(|store| match store {
            Store::KeyValue(store) => Ok(Some(look(store.as_ref()))),
            _ => Ok(None),
        })?;
        found.ok_or_else(|| DriverError::NoSuchStore(self.0.name.clone()))
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// [`DriverError::Serde`], [`DriverError::Store`].
    pub fn get(&self, key: &K) -> Result<Option<V>, DriverError> {
        Ok(self.get_with_timestamp(key)?.map(|(value, _)| value))
    }

    /// The value of `key` with its timestamp, -1 in a store that keeps none.
    ///
    /// # Errors
    /// As [`TestKeyValueStore::get`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, Timestamp)>, DriverError> {
        let key = self.0.key_bytes(key)?;
        let row = self.look(|store| store.get(&key))??;
        row.map(|row| Ok((self.0.value(row.value())?, row.timestamp()))).transpose()
    }

    /// All entries, in the order of the store.
    ///
    /// # Errors
    /// As [`TestKeyValueStore::get`].
    pub fn all(&self) -> Result<Vec<(K, V)>, DriverError> {
        let mut entries: Vec<Entry> = Vec::new();
        self.look(|store| {
            let mut last: Option<Vec<u8>> = None;
            loop {
                let range = last.as_deref().map_or(KeyRange::ALL, |last| KeyRange::ALL.after(last, Order::Forward));
                if store.scan(range, Order::Forward, AT_ONCE, &mut entries)? == Scan::Done {
                    return Ok::<(), headwater_store::StoreError>(());
                }
                last = entries.last().map(|entry| entry.key.clone());
            }
        })??;
        entries.iter().map(|entry| Ok((self.0.key(&entry.key)?, self.0.value(entry.row.value())?))).collect()
    }

    /// About how many entries there are.
    ///
    /// # Errors
    /// As [`TestKeyValueStore::get`].
    pub fn approximate_len(&self) -> Result<u64, DriverError> {
        self.look(|store| store.approximate_len())
    }
}

impl<K, V> fmt::Debug for TestKeyValueStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestKeyValueStore({})", self.0.name)
    }
}

/// A window or session store with its serdes, read through its record cache as Java's driver does: entries that the store has
/// forgotten may still lie there.
struct Timed<K, V> {
    name: String,
    live: Rc<RefCell<Live>>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
}

impl<K, V> Timed<K, V> {
    fn open(
        driver: &TopologyTestDriver,
        handle: &StoreHandle<K, V>,
        kind: &'static str,
        is_it: impl Fn(&Store) -> bool,
    ) -> Result<Self, DriverError> {
        // Says whether there is such a store.
        Typed::open(driver, handle, kind, is_it)?;
        let (key, value) = (handle.key_serde().clone(), handle.value_serde().clone());
        Ok(Timed { name: handle.name().to_owned(), live: Rc::clone(&driver.live), key, value })
    }

    fn entries(&self) -> Result<Vec<(Windowed<K>, Stamped<V>)>, DriverError> {
        let entries = self.live.borrow().entries(&self.name)?;
        entries.into_iter().map(|entry| self.typed(entry)).collect()
    }

    fn typed(&self, entry: SeenEntry) -> Result<(Windowed<K>, Stamped<V>), DriverError> {
        let key = self.key.deserialize(&self.name, Some(&entry.key))?;
        let value = self.value.deserialize(&self.name, Some(&entry.value))?;
        Ok((Windowed::new(key, entry.window), Stamped { value, timestamp: entry.timestamp }))
    }

    fn find(&self, key: &K, is_it: impl Fn(Window) -> bool) -> Result<Option<V>, DriverError> {
        let mut bytes = Vec::new();
        let _ = self.key.serialize(&self.name, key, &mut bytes)?;
        let entries = self.live.borrow().entries(&self.name)?;
        let found = entries.into_iter().find(|entry| entry.key == bytes && is_it(entry.window));
        found.map(|entry| self.typed(entry).map(|(_, stamped)| stamped.value)).transpose()
    }
}

/// A window store of a topology under test; see [`TopologyTestDriver::window_store`].
pub struct TestWindowStore<K, V>(Timed<K, V>);

impl<K, V> TestWindowStore<K, V> {
    pub(crate) fn open(driver: &TopologyTestDriver, handle: &StoreHandle<K, V>) -> Result<Self, DriverError> {
        Timed::open(driver, handle, "window", |store| matches!(store, Store::Window(_))).map(Self)
    }

    /// The value of `key` in the window that starts at `start`.
    ///
    /// # Errors
    /// [`DriverError::Serde`], [`DriverError::Store`].
    pub fn get(&self, key: &K, start: impl Into<Timestamp>) -> Result<Option<V>, DriverError> {
        let start = start.into();
        self.0.find(key, |window| window.start == start)
    }

    /// All entries with their window starts, in the order of the store.
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn all(&self) -> Result<Vec<(K, Timestamp, V)>, DriverError> {
        let entries = self.entries()?.into_iter();
        Ok(entries.map(|(windowed, stamped)| (windowed.key, windowed.window.start, stamped.value)).collect())
    }

    /// All entries with their windows and times (-1 in a store that keeps none), in the order of the store.
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn entries(&self) -> Result<Vec<(Windowed<K>, Stamped<V>)>, DriverError> {
        self.0.entries()
    }
}

impl<K, V> fmt::Debug for TestWindowStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestWindowStore({})", self.0.name)
    }
}

/// A session store of a topology under test; see [`TopologyTestDriver::session_store`].
pub struct TestSessionStore<K, V>(Timed<K, V>);

impl<K, V> TestSessionStore<K, V> {
    pub(crate) fn open(driver: &TopologyTestDriver, handle: &StoreHandle<K, V>) -> Result<Self, DriverError> {
        Timed::open(driver, handle, "session", |store| matches!(store, Store::Session(_))).map(Self)
    }

    /// The value of `key` in the session from `start` to `end`.
    ///
    /// # Errors
    /// [`DriverError::Serde`], [`DriverError::Store`].
    pub fn get(
        &self,
        key: &K,
        start: impl Into<Timestamp>,
        end: impl Into<Timestamp>,
    ) -> Result<Option<V>, DriverError> {
        let session = Window::new(start.into(), end.into());
        self.0.find(key, |window| window == session)
    }

    /// All entries with the starts and ends of their sessions, in the order of the store.
    ///
    /// # Errors
    /// As [`TestSessionStore::get`].
    pub fn all(&self) -> Result<Vec<(K, Timestamp, Timestamp, V)>, DriverError> {
        let entries = self.entries()?.into_iter();
        let parts = entries.map(|(windowed, value)| (windowed.key, windowed.window.start, windowed.window.end, value));
        Ok(parts.collect())
    }

    /// All entries with their sessions, in the order of the store.
    ///
    /// # Errors
    /// As [`TestSessionStore::get`].
    pub fn entries(&self) -> Result<Vec<(Windowed<K>, V)>, DriverError> {
        Ok(self.0.entries()?.into_iter().map(|(windowed, stamped)| (windowed, stamped.value)).collect())
    }
}

impl<K, V> fmt::Debug for TestSessionStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestSessionStore({})", self.0.name)
    }
}
