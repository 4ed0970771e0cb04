//! What a left or outer join of streams keeps until its windows close: records that have found no partner yet.

use std::fmt;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{DefaultSerde, Encoded, RawHeaders, SharedSerde, Timestamp};
use headwater_store::bytes::{Entry, KeyRange, Order, Scan};
use headwater_store::join::{self, JoinKey, JoinSide, JoinValue};
use headwater_store::{Row, RowBuf, Store, StoreError};

use super::core::Core;
use super::{FlushStore, StoreHandle};
use crate::{ProcessError, StoreId, TaskContext, Wiring, WiringError};

/// Keys that are read at once while iterating.
const SCAN: usize = 256;

/// Records of both streams of a join that have found no partner yet, by time, side and key (Java's `ListValueStore`). Its bytes
/// are those of [`headwater_store::join`].
pub struct JoinState<K: 'static> {
    core: Core<K, Vec<u8>>,
}

/// Records of one key, time and side without partner.
#[derive(Clone, Copy, Debug)]
pub struct Unjoined<'a> {
    /// Their key, time and side.
    pub key: JoinKey<'a>,
    list: &'a [u8],
}

impl<'a> Unjoined<'a> {
    /// The values' bytes, in the order in which they came.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are none of a join.
    pub fn values(&self) -> Result<impl Iterator<Item = Result<&'a [u8], StoreError>>, StoreError> {
        let entries = join::entries(self.list)?;
        Ok(entries.map(|entry| JoinValue::decode(entry?).map(|value| value.value)))
    }
}

/// What becomes of records without partner that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They wait on.
    Wait,
    /// They are forgotten.
    Forget,
    /// They wait on, and those behind them are not looked at.
    Stop,
}

impl<K: 'static> JoinState<K> {
    /// The state over `store` in the task that is being wired: made once, then shared by both sides.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when it is of another kind, or was opened with another key before.
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, key: &SharedSerde<K>) -> Result<Rc<Self>, WiringError> {
        let make = |wiring: &mut Wiring<'_>| {
            let lists = StoreHandle::with(wiring.store_name(store), Arc::clone(key), Vec::default_serde());
            Ok(JoinState { core: Core::open(wiring, store, &lists, |store| matches!(store, Store::KeyValue(_)))? })
        };
        wiring.shared_state(store, make, |_| false)
    }

    /// Adds a value behind those of the same key, time and side.
    ///
    /// # Errors
    /// When key or value have no bytes, or the store cannot be read or written.
    pub fn add<V>(
        &self,
        cx: &mut TaskContext<'_>,
        (key, timestamp, side): (&K, Timestamp, JoinSide),
        value: &V,
        serde: &SharedSerde<V>,
    ) -> Result<(), ProcessError> {
        let mut bytes = Vec::new();
        if serde.serialize(&self.core.topic, value, &mut bytes)? == Encoded::Null {
            return Err(ProcessError::user(format!("store {}: a value cannot be null", self.core.name)));
        }
        let mut entry = Vec::with_capacity(bytes.len() + 1);
        JoinValue { side, value: &bytes }.encode(&mut entry);
        self.with_key((key, timestamp, side), |key| {
            let mut list = Vec::new();
            self.core.write_bytes(|store| {
                let before = store.get(key)?;
                join::append(before.as_ref().map(RowBuf::value), &entry, &mut list)?;
                store.put(key, Some(Row::plain(&list)))
            })?;
            self.core.log_raw(cx, key, Some(&list), timestamp, RawHeaders::NONE)
        })
    }

    /// Forgets all values of this key, time and side, which have found a partner that came at `now`. There may be none.
    ///
    /// # Errors
    /// When the key has no bytes, or the store cannot be read or written.
    pub fn forget(
        &self,
        cx: &mut TaskContext<'_>,
        (key, timestamp, side): (&K, Timestamp, JoinSide),
        now: Timestamp,
    ) -> Result<(), ProcessError> {
        self.with_key((key, timestamp, side), |key| {
            let found = self.core.read_bytes(|store| Ok(store.get(key)?.is_some()))?;
            if found { self.delete(cx, key, now) } else { Ok(()) }
        })
    }

    /// Goes through all there are, by time, then the right side before the left, then key; `decide` says what becomes of them. It
    /// may write to other stores, and hand records on. `now` is the time of the record that is being processed.
    ///
    /// # Errors
    /// Those of `decide`, and when the store cannot be read or written.
    pub fn review(
        &self,
        cx: &mut TaskContext<'_>,
        now: Timestamp,
        mut decide: impl FnMut(&mut TaskContext<'_>, Unjoined<'_>) -> Result<Fate, ProcessError>,
    ) -> Result<(), ProcessError> {
        let (mut page, mut last): (Vec<Entry>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let range = KeyRange { from, to: Bound::Unbounded };
            let scan = self.core.read_bytes(|store| store.scan(range, Order::Forward, SCAN, &mut page))?;
            last = page.last().filter(|_| scan == Scan::More).map(|entry| entry.key.clone());
            for entry in page.drain(..) {
                let unjoined = Unjoined { key: JoinKey::decode(&entry.key)?, list: entry.row.value() };
                match decide(cx, unjoined)? {
                    Fate::Wait => {}
                    Fate::Forget => self.delete(cx, &entry.key, now)?,
                    Fate::Stop => return Ok(()),
                }
            }
            if last.is_none() {
                return Ok(());
            }
        }
    }

    /// The time of the earliest record that waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn first_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut first: Vec<Entry> = Vec::new();
        self.core.read_bytes(|store| store.scan(KeyRange::ALL, Order::Forward, 1, &mut first).map(drop))?;
        first.first().map(|entry| Ok(JoinKey::decode(&entry.key)?.timestamp)).transpose()
    }

    /// How many keys and times there are at which records wait, about.
    pub fn approximate_len(&self) -> u64 {
        self.core.read_bytes(|store| Ok(store.approximate_len())).unwrap_or_default()
    }

    /// The key whose bytes these are.
    ///
    /// # Errors
    /// When they are none.
    pub fn key_of(&self, bytes: &[u8]) -> Result<K, ProcessError> {
        self.core.decode_key(bytes)
    }

    /// The value whose bytes these are.
    ///
    /// # Errors
    /// When they are none.
    pub fn value_of<V>(&self, bytes: &[u8], serde: &SharedSerde<V>) -> Result<V, ProcessError> {
        Ok(serde.deserialize(&self.core.topic, Some(bytes))?)
    }

    fn delete(&self, cx: &mut TaskContext<'_>, key: &[u8], now: Timestamp) -> Result<(), ProcessError> {
        self.core.write_bytes(|store| store.put(key, None))?;
        self.core.log_raw(cx, key, None, now, RawHeaders::NONE)
    }

    fn with_key<R>(
        &self,
        (key, timestamp, side): (&K, Timestamp, JoinSide),
        work: impl FnOnce(&[u8]) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.core.with_buffer(|bytes| {
            JoinKey { timestamp, side, key: &[] }.encode(bytes);
            self.core.encode_key(key, bytes)?;
            work(bytes)
        })
    }
}

impl<K: 'static> FlushStore for JoinState<K> {
    fn flush(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
    fn evict(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
    fn release(&self) {}
}

impl<K: 'static> fmt::Debug for JoinState<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinState").field("store", &self.core.name).finish_non_exhaustive()
    }
}
