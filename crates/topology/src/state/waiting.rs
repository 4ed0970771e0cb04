//! Records of a stream that wait to be joined with a table until nothing earlier comes any more.

use std::cell::Cell;
use std::fmt;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Headers, RawHeaders, Record, Timestamp};
use headwater_store::bytes::{Entry, KeyRange, Order, Scan};
use headwater_store::grace::{self, WaitingKey};
use headwater_store::{Row, Store, StoreError};

use super::core::Core;
use super::{FlushStore, StoreHandle};
use crate::caught::caught;
use crate::{Held, HoldKind, NodeId, ProcessError, StoreId, StreamTime, TaskContext, Wiring, WiringError};

/// Records that are read at once.
const SCAN: usize = 256;

/// Records of a stream that wait for a grace period (Java's `RocksDBTimeOrderedKeyValueBuffer`), in the order of their times.
///
/// Java restores a buffer by its changelog into wrong places, and numbers its records from 1 again. Here what waits is restored, and
/// goes on where it was.
pub struct WaitingState<K: 'static, V: 'static> {
    core: Core<K, V>,
    node: Arc<str>,
    grace_ms: i64,
    time: StreamTime,
    /// Nothing waits from before.
    earliest_ms: Cell<i64>,
    /// The number given last.
    number: Cell<i32>,
}

impl<K: 'static, V: 'static> WaitingState<K, V> {
    /// The buffer of `node` over `store`, in the task that is being wired.
    ///
    /// # Errors
    /// [`WiringError::StoreType`] when it is of another kind, or was opened with other types before, [`WiringError::Store`].
    pub fn open(
        wiring: &mut Wiring<'_>,
        node: NodeId,
        (store, handle): (StoreId, &StoreHandle<K, V>),
        grace_ms: i64,
    ) -> Result<Rc<Self>, WiringError> {
        let make = |wiring: &mut Wiring<'_>| {
            let mut core = Core::open(wiring, store, handle, |store| matches!(store, Store::KeyValue(_)))?;
            let node = wiring.name(node);
            core.topic = node.to_string();
            let (time, earliest_ms) = (wiring.stream_time(store), Cell::new(i64::MAX));
            let state = WaitingState { core, node, grace_ms, time, earliest_ms, number: Cell::new(0) };
            state.take_over()?;
            Ok(state)
        };
        wiring.shared_state(store, make, |_| false)
    }

    /// Learns from what waits already.
    fn take_over(&self) -> Result<(), StoreError> {
        let (mut page, mut after): (Vec<Entry>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let rest = after.as_deref().map_or(KeyRange::ALL, |last| KeyRange::ALL.after(last, Order::Forward));
            let scan = self.core.read_bytes(|store| store.scan(rest, Order::Forward, SCAN, &mut page))?;
            for entry in &page {
                let key = WaitingKey::decode(&entry.key)?;
                self.note(key.timestamp);
                self.number.set(self.number.get().max(key.number));
            }
            after = page.last().map(|entry| entry.key.clone());
            page.clear();
            if scan == Scan::Done {
                return Ok(());
            }
        }
    }

    fn note(&self, time: Timestamp) {
        self.time.observe(time);
        self.earliest_ms.set(self.earliest_ms.get().min(time.millis()));
    }

    /// What waits, and until when.
    pub fn held(&self) -> Held {
        let records = self.core.read_bytes(|store| Ok(store.approximate_len())).unwrap_or_default();
        let due = self.earliest_ms.get().saturating_add(self.grace_ms);
        Held {
            kind: HoldKind::TableJoin,
            stream_time: self.time.now(),
            wait_ms: self.grace_ms,
            due: (records > 0).then(|| Timestamp::from_millis(due)),
            records: Some(records),
            bytes: None,
            idle: None,
        }
    }

    /// Until when, included, what waits is due.
    fn due_ms(&self) -> i64 {
        self.time.millis().saturating_sub(self.grace_ms)
    }

    /// Lets `record` wait. One that is later than the grace period does not: it is to be joined at once, and `false` is returned.
    ///
    /// # Errors
    /// When the key is null, or key or value have no bytes.
    pub fn put(&self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<bool, ProcessError> {
        if self.core.key_is_null(record.key) {
            return Err(ProcessError::user("key cannot be null"));
        }
        if self.due_ms() > record.timestamp.millis() {
            return Ok(false);
        }
        let number = self.number.get().wrapping_add(1) & i32::MAX;
        self.number.set(number);
        let context = cx.record_context(record.timestamp, record.headers);
        let written = self.core.with_key(record.key, |key| {
            let (mut waiting, mut bytes, mut value) = (Vec::new(), Vec::new(), Vec::new());
            WaitingKey { timestamp: record.timestamp, key, number }.encode(&mut waiting);
            let present = self.core.encode_value(record.value, &mut bytes)?;
            grace::encode(&context, present.then_some(&bytes), &mut value);
            self.core.write_bytes(|store| store.put(&waiting, Some(Row::plain(&value))))?;
            // As Java's, these records leave their time to the producer.
            self.core.log_raw(cx, &waiting, Some(&value), Timestamp::UNKNOWN, RawHeaders::NONE)
        });
        written?;
        self.note(record.timestamp);
        Ok(true)
    }

    /// Hands on what is due, by time and key, and forgets it. `came` is when, and with which headers, the record came that makes it so.
    ///
    /// One that fails is the processing exception handler's, as if it had come just now, and the next one's turn comes if that lets it pass.
    /// (In Java it stays, and fails again with every record that comes.)
    ///
    /// # Errors
    /// What no handler let pass.
    pub fn release_due(
        &self,
        cx: &mut TaskContext<'_>,
        came: (Timestamp, &Headers),
        mut hand_on: impl FnMut(&mut TaskContext<'_>, Record<'_, K, V>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let due_ms = self.due_ms();
        if due_ms < self.earliest_ms.get() {
            return Ok(());
        }
        let end = WaitingKey::first_of(Timestamp::from_millis(due_ms.saturating_add(1)));
        loop {
            let first = WaitingKey::first_of(Timestamp::from_millis(self.earliest_ms.get()));
            let due = KeyRange { from: Bound::Included(&first), to: Bound::Excluded(&end) };
            let mut page = Vec::new();
            let scan = self.core.read_bytes(|store| store.scan(due, Order::Forward, SCAN, &mut page))?;
            for entry in page {
                self.release(cx, &entry, came, &mut hand_on)?;
            }
            if scan == Scan::Done {
                self.earliest_ms.set(due_ms.saturating_add(1));
                return Ok(());
            }
        }
    }

    fn release(
        &self,
        cx: &mut TaskContext<'_>,
        entry: &Entry,
        (timestamp, headers): (Timestamp, &Headers),
        hand_on: &mut impl FnMut(&mut TaskContext<'_>, Record<'_, K, V>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let key = WaitingKey::decode(&entry.key)?;
        let (context, value) = grace::decode(entry.row.value())?;
        let (at, with) = (context.timestamp, context.headers.clone());
        let handed_on = cx.within(context, |cx| {
            caught(|| {
                let typed = self.core.decode_key(key.key)?;
                let value = self.core.value.deserialize(&self.core.topic, value.as_deref())?;
                hand_on(cx, Record::new(&typed, &value, at, &with))
            })
        });
        handed_on.or_else(|error| cx.node_failed(&self.node, timestamp, headers, error))?;
        self.core.write_bytes(|store| store.put(&entry.key, None))?;
        self.core.log_raw(cx, &entry.key, None, Timestamp::UNKNOWN, RawHeaders::NONE)?;
        self.earliest_ms.set(key.timestamp.millis());
        Ok(())
    }
}

impl<K: 'static, V: 'static> FlushStore for WaitingState<K, V> {
    fn release(&self) {}
    fn flush(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
    fn evict(&self, _cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
}

impl<K: 'static, V: 'static> fmt::Debug for WaitingState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitingState").field("store", &self.core.name).finish_non_exhaustive()
    }
}
