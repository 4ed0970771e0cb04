//! The buffer of a suppression in a running task: typed changes in the order of their times, logged when the task commits.

mod buffer;
mod stamp;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Encoded, Header, RawHeaders, SharedSerde, Timestamp};
use headwater_store::suppress::{BufferedChange, OLD_HEADER, PRIOR_HEADER, VERSION_HEADER, VERSION_VALUE};
use headwater_store::{Logging, Store};

use self::buffer::{Buffer, Held, Kept, Part, PartBytes, Prior};
use self::stamp::Stamp;
use super::{FlushStore, Stamped, StoreHandle};
use crate::{Change, ProcessError, StoreId, TaskContext, Update, Wiring, WiringError};

/// Changes of a table that wait to be handed on (Java's `InMemoryTimeOrderedKeyValueChangeBuffer`).
///
/// A key has one place in the queue: where it was buffered first. Values lie there as they are where their serde can tell their
/// length ([`encoded_len`](headwater_record::Serde::encoded_len)), else as bytes: what the buffer weighs is counted in bytes at every change, by Java's formula.
///
/// Where stores keep headers, each value has a stamp: the time and the headers with which it came. Of a value that was there before
/// its key was buffered nobody knows them.
pub struct SuppressState<K: 'static, V: 'static> {
    id: StoreId,
    name: Arc<str>,
    topic: String,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    logged: bool,
    stamped: bool,
    buffer: RefCell<Buffer<V>>,
}

impl<K: 'static, V: Clone + 'static> SuppressState<K, V> {
    /// The buffer over `store` in the task that is being wired: made once, then shared. It takes over what was restored.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when the store is another one, or was opened with other types before.
    pub fn open(wiring: &mut Wiring<'_>, store: StoreId, handle: &StoreHandle<K, V>) -> Result<Rc<Self>, WiringError> {
        wiring.shared_state(store, |wiring| Self::make(wiring, store, handle), |state| state.logged)
    }

    fn make(wiring: &Wiring<'_>, id: StoreId, handle: &StoreHandle<K, V>) -> Result<Self, WiringError> {
        let name = wiring.store_name(id);
        let restored = wiring.store(id)?.write(|store| match store {
            Store::Suppress(bytes) => Ok(Some(bytes.take())),
            _ => Ok(None),
        })?;
        let restored = restored.ok_or_else(|| WiringError::StoreType { store: name.clone() })?;
        let spec = wiring.topology().store(id);
        let logged = spec.is_some_and(|node| matches!(node.spec.logging, Logging::Enabled(_)));
        let stamped = spec.is_some_and(|node| node.spec.format.has_headers());
        let value = Arc::clone(handle.value_serde());
        let topic = wiring.topology().serde_topic(id);
        let mut buffer = Buffer::new(logged);
        for (key, entry) in restored {
            buffer.restore(&PartBytes { serde: &value, topic: &topic, stamped }, key, entry);
        }
        Ok(SuppressState {
            id,
            topic,
            name: name.into(),
            key: Arc::clone(handle.key_serde()),
            value,
            logged,
            stamped,
            buffer: RefCell::new(buffer),
        })
    }

    /// Buffers a change. A key that waits already keeps its place; one that does not is queued at `time`.
    ///
    /// # Errors
    /// When the key or the values have no bytes; nothing is changed then.
    pub fn put(&self, cx: &mut TaskContext<'_>, time: Timestamp, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        let key = self.key_bytes(update.key)?;
        let serde = self.parts();
        let old = serde.kept(update.change.old.as_ref(), || self.stamp_of_newest(&key))?;
        let new = serde.kept(update.change.new.as_ref(), || Stamp::new(update.timestamp, update.headers))?;
        let context = cx.record_context(update.timestamp, update.headers);
        self.buffer.borrow_mut().put(&serde, &key, Held::new(time, context, old, new))
    }

    /// The stamp of the value that waits under `key`, which the next change makes the old one.
    fn stamp_of_newest(&self, key: &[u8]) -> Stamp {
        let stamp = self.buffer.borrow().held(key).map(|held| held.new.stamp.clone());
        stamp.filter(|stamp| stamp.bytes().is_some()).unwrap_or_else(|| Stamp::without_headers(Timestamp::UNKNOWN))
    }

    /// The time of the first change in the queue.
    pub fn first_time(&self) -> Option<Timestamp> {
        self.buffer.borrow().first_time()
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.buffer.borrow().len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the buffer weighs, in bytes: keys, values, contexts and times.
    pub fn bytes(&self) -> usize {
        self.buffer.borrow().bytes()
    }

    /// Hands the first change on and forgets it. It stays visible to [`SuppressState::prior_or_else`] until it is handed on, and for good
    /// when that fails.
    ///
    /// # Errors
    /// When the key or the values cannot be read, and those of `hand_on`.
    pub fn release_first(
        &self,
        cx: &mut TaskContext<'_>,
        hand_on: impl FnOnce(&mut TaskContext<'_>, Update<'_, K, V>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let Some((key, held)) = self.buffer.borrow().first() else { return Ok(()) };
        let typed = self.key.deserialize(&self.topic, Some(&key))?;
        let (mut read_new, mut read_old) = (None, None);
        let (new, old) = (&held.new.part, &held.old.part);
        let change = Change::new(self.value_of(new, &mut read_new)?, self.value_of(old, &mut read_old)?);
        let mut context = held.context.clone();
        if let Some(stamp) = held.new.stamp.read()? {
            context.headers = stamp.headers().clone();
        }
        let context = &context;
        cx.within(context.clone(), |cx| {
            hand_on(cx, Update { key: &typed, change, timestamp: context.timestamp, headers: &context.headers })
        })?;
        self.buffer.borrow_mut().remove(&key);
        Ok(())
    }

    /// For a key that waits, the value that was handed on last, as far as the buffer knows it: what the key had when it was buffered
    /// first, with its time where that is kept. For others, what `otherwise` finds.
    ///
    /// # Errors
    /// When the key has no bytes or the value cannot be read, and those of `otherwise`.
    pub fn prior_or_else<F: From<Stamped<V>>>(
        &self,
        key: &K,
        otherwise: impl FnOnce() -> Result<Option<F>, ProcessError>,
    ) -> Result<Option<F>, ProcessError> {
        let Some(held) = self.buffer.borrow().held(&self.key_bytes(key)?) else { return otherwise() };
        let mut read = None;
        let prior = held.prior();
        let value = self.value_of(&prior.part, &mut read)?.clone();
        let timestamp = prior.stamp.read()?.map_or(Timestamp::UNKNOWN, |stamp| stamp.timestamp());
        Ok(value.map(|value| Stamped { value, timestamp }.into()))
    }

    fn value_of<'a>(&self, part: &'a Part<V>, read: &'a mut Option<V>) -> Result<&'a Option<V>, ProcessError> {
        match part {
            Part::Typed(value) => Ok(value),
            Part::Bytes(bytes) => {
                *read = Some(self.value.deserialize(&self.topic, Some(bytes))?);
                Ok(read)
            }
        }
    }

    fn key_bytes(&self, key: &K) -> Result<Vec<u8>, ProcessError> {
        let mut bytes = Vec::new();
        match self.key.serialize(&self.topic, key, &mut bytes)? {
            Encoded::Bytes => Ok(bytes),
            Encoded::Null => Err(ProcessError::user(format!("store {}: a key cannot be null", self.name))),
        }
    }

    fn parts(&self) -> PartBytes<'_, V> {
        PartBytes { serde: &self.value, topic: &self.topic, stamped: self.stamped }
    }

    fn log_change(&self, cx: &mut TaskContext<'_>, key: &[u8], held: &Held<V>) -> Result<(), ProcessError> {
        let serde = self.parts();
        let (mut prior, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
        let old = serde.bytes(&held.old.part, &mut old)?;
        let change = BufferedChange {
            time: held.time,
            context: &held.context,
            prior: match &held.prior {
                Prior::AsOld => old,
                Prior::Other(kept) => serde.bytes(&kept.part, &mut prior)?,
            },
            old,
            new: serde.bytes(&held.new.part, &mut new)?,
        };
        let mut value = Vec::new();
        change.encode(&mut value);
        // As Java's, these records leave their time to the producer.
        cx.log(self.id, key, Some(&value), Timestamp::UNKNOWN, RawHeaders::of(&headers_of(held)))
    }
}

/// The headers of a change in the changelog: how it lies, and the stamps that its value has no place for.
fn headers_of<V>(held: &Held<V>) -> Vec<Header> {
    let stamp = |name: &str, kept: &Kept<V>| {
        let value = kept.stamp.bytes()?;
        Some(Header { name: name.into(), value: Some(value.to_vec().into()) })
    };
    let prior = match &held.prior {
        Prior::AsOld => None,
        Prior::Other(kept) => stamp(PRIOR_HEADER, kept),
    };
    let version = Header { name: VERSION_HEADER.into(), value: Some(VERSION_VALUE.into()) };
    [Some(version), prior, stamp(OLD_HEADER, &held.old)].into_iter().flatten().collect()
}

impl<K: 'static, V: Clone + 'static> FlushStore for SuppressState<K, V> {
    fn release(&self) {}
    /// Logs what has changed since the last time: what waits now, and tombstones for what does no longer.
    fn flush(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        let changed = self.buffer.borrow_mut().take_changed();
        for key in changed {
            let held = self.buffer.borrow().held(&key);
            match held {
                Some(held) => self.log_change(cx, &key, &held)?,
                None => cx.log(self.id, &key, None, Timestamp::UNKNOWN, RawHeaders::NONE)?,
            }
        }
        Ok(())
    }

    fn evict(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
}

impl<K: 'static, V: 'static> fmt::Debug for SuppressState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuppressState").field("store", &self.name).finish_non_exhaustive()
    }
}
