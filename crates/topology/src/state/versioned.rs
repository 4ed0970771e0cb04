//! A typed versioned store of a running task.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use headwater_record::{Headers, RawHeaders, Timestamp};
use headwater_store::bytes::{Version, VersionedBytes, VersionedPut};
use headwater_store::{RecordContext, Store, StoreError};

use super::core::{Core, Write, wrong_kind};
use super::{FlushStore, FlushTo, Stamped, StoreHandle};
use crate::{Change, DropReason, ProcessError, StoreId, TaskContext, Update, Wiring, WiringError};

/// A versioned store with types: serdes and changelog around the bytes (Java's `VersionedKeyValueStore`, KIP-889). It has no
/// record cache.
///
/// ```
/// use std::time::Duration;
///
/// use headwater::prelude::*;
/// use headwater::processor::prelude::*;
///
/// /// Keeps prices, and hands on what the price was an hour before.
/// struct HourBefore(Rc<VersionedState<String, i64>>);
/// impl Processor<String, i64, String, i64> for HourBefore {
///     fn process(
///         &mut self,
///         cx: &mut ProcessorContext<'_, '_, String, i64>,
///         record: Record<'_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         let _ = self.0.put(cx.task(), record.key, Some(*record.value), record.timestamp)?;
///         let hour_before = record.timestamp.millis() - 3_600_000;
///         match self.0.get_as_of(record.key, hour_before.into())? {
///             Some(before) => cx.forward(record.with_value(&before.value)),
///             None => Ok(()),
///         }
///     }
/// }
///
/// let builder = TopologyBuilder::new();
/// let prices = SourceSpec::topics(["prices"], String::default_serde(), i64::default_serde());
/// let source = builder.add_source("source", prices);
/// let _: NodeRef<String, i64> = builder.add_processor(
///     "hour-before",
///     |stores| Ok(HourBefore(stores.versioned(&StoreHandle::named("prices"))?)),
///     &[&source],
/// );
/// builder.add_state_store(StoreSpec::versioned("prices", Duration::from_hours(2)), &["hour-before"]);
/// assert!(builder.build()?.describe().contains("Processor: hour-before (stores: [prices])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct VersionedState<K: 'static, V: 'static> {
    core: Core<K, V>,
    flush_to: RefCell<Option<FlushTo<K, V>>>,
}

impl<K: 'static, V: 'static> VersionedState<K, V> {
    /// The state over `store` in the task that is being wired: made once, then shared.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when it is of another kind, or was opened with other types before, [`WiringError::Store`].
    #[doc(hidden)]
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, handle: &StoreHandle<K, V>) -> Result<Rc<Self>, WiringError> {
        let make = |wiring: &mut Wiring<'_>| {
            let core = Core::open(wiring, store, handle, |store| matches!(store, Store::Versioned(_)))?;
            Ok(VersionedState { core, flush_to: RefCell::new(None) })
        };
        wiring.shared_state(store, make, |_| false)
    }

    /// Says who hears of changes: the children of the node that owns the store.
    #[doc(hidden)]
    pub fn flush_to(&self, to: FlushTo<K, V>) {
        *self.flush_to.borrow_mut() = Some(to);
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The latest version of `key`, with the time from which it is valid; `None` when there is none, or it says that the key was deleted.
    ///
    /// # Errors
    /// When the key or the value cannot be encoded or decoded, or the store cannot be read.
    pub fn get(&self, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        self.look_up(key, |store, key| store.get(key))
    }

    /// The version of `key` that was valid at `as_of`, milliseconds since 1970. Further back than the history is retained, only
    /// the latest version is found, where it was valid then already.
    ///
    /// # Errors
    /// As [`VersionedState::get`].
    pub fn get_as_of(&self, key: &K, as_of: Timestamp) -> Result<Option<Stamped<V>>, ProcessError> {
        self.look_up(key, |store, key| store.get_as_of(key, as_of))
    }

    /// Adds a version of `key` that is valid from `timestamp` on, or with `None` says that it was deleted then. What is older than
    /// the history that is retained is not put, and counts as a dropped record; as in Java, the changelog has it all the same.
    ///
    /// # Errors
    /// As [`VersionedState::get`].
    pub fn put(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        value: Option<V>,
        timestamp: Timestamp,
    ) -> Result<VersionedPut, ProcessError> {
        self.core.with_key(key, |bytes| self.write(cx, bytes, value.as_ref(), timestamp))
    }

    /// Says that `key` was deleted at `timestamp`; returns the version that was valid then. As with [`VersionedState::put`], what is
    /// too old does nothing but count.
    ///
    /// # Errors
    /// As [`VersionedState::get`].
    pub fn delete(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        timestamp: Timestamp,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        self.core.with_key(key, |bytes| {
            let before = self.read_bytes(|store| store.get_as_of(bytes, timestamp))?;
            let put = self.write(cx, bytes, None, timestamp)?;
            let before = before.filter(|_| put != VersionedPut::Expired);
            before.map(|before| self.core.decode(&before.row)).transpose()
        })
    }

    /// Makes a new version of the latest one, and hands the change to the owner's children unless it was too old to be put.
    ///
    /// `change` may take the latest value out, and returns the new one with its time, which is also that of the change. `absent`
    /// makes what counts as the old value where there was none.
    ///
    /// # Errors
    /// Those of `change`, and as [`VersionedState::get`].
    #[doc(hidden)]
    pub fn update(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        headers: &Headers,
        absent: Option<&dyn Fn() -> Option<V>>,
        change: impl FnOnce(&mut Option<Stamped<V>>) -> Result<Stamped<Option<V>>, ProcessError>,
    ) -> Result<(), ProcessError> {
        self.core.with_key(key, |bytes| {
            let row = self.read_bytes(|store| store.get(bytes))?.map(|latest| latest.row);
            let mut slot = row.as_ref().map(|row| self.core.decode(row)).transpose()?;
            let new = change(&mut slot)?;
            let put = self.write(cx, bytes, new.value.as_ref(), new.timestamp)?;
            let Some(to) = self.flush_to.borrow().clone().filter(|_| put != VersionedPut::Expired) else {
                return Ok(());
            };
            let absent = || absent.and_then(|absent| absent());
            let old = if to.send_old { self.core.old_value(slot, row.as_ref(), absent)? } else { None };
            let change = Change { is_latest: put == VersionedPut::Latest, ..Change::new(&new.value, &old) };
            to.push(cx, Update { key, change, timestamp: new.timestamp, headers })
        })
    }

    fn look_up(
        &self,
        key: &K,
        find: impl FnOnce(&dyn VersionedBytes, &[u8]) -> Result<Option<Version>, StoreError>,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        let found = self.core.with_key(key, |bytes| Ok(self.read_bytes(|store| find(store, bytes))?))?;
        found.map(|found| self.core.decode(&found.row)).transpose()
    }

    fn read_bytes<R>(&self, look: impl FnOnce(&dyn VersionedBytes) -> Result<R, StoreError>) -> Result<R, StoreError> {
        self.core.store.read(|store| match store {
            Store::Versioned(store) => look(store.as_ref()),
            other => Err(wrong_kind(other, "a versioned store")),
        })
    }

    fn write_bytes<R>(
        &self,
        work: impl FnOnce(&mut dyn VersionedBytes) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.core.store.write(|store| match store {
            Store::Versioned(store) => work(store.as_mut()),
            other => Err(wrong_kind(other, "a versioned store")),
        })
    }

    /// Writes a version, or a tombstone, to store and changelog.
    fn write(
        &self,
        cx: &mut TaskContext<'_>,
        key: &[u8],
        value: Option<&V>,
        timestamp: Timestamp,
    ) -> Result<VersionedPut, ProcessError> {
        let mut put = VersionedPut::Expired;
        self.core.write(Write::new(value, timestamp), &RecordContext::none(), |row| {
            let value = row.map(|row| row.value);
            put = self.write_bytes(|store| store.put(key, value, timestamp))?;
            if put == VersionedPut::Expired {
                cx.drop_record(DropReason::Late);
            }
            self.core.log_raw(cx, key, value, timestamp, RawHeaders::NONE)
        })?;
        Ok(put)
    }
}

impl<K: 'static, V: 'static> FlushStore for VersionedState<K, V> {
    fn release(&self) {
        self.flush_to.replace(None);
    }
    fn flush(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
    fn evict(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
}

impl<K: 'static, V: 'static> fmt::Debug for VersionedState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionedState").field("store", &self.core.name).finish_non_exhaustive()
    }
}
