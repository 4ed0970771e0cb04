//! The right side: keeps the subscriptions and answers them, when they come and when a row changes.

use std::ops::ControlFlow;
use std::rc::Rc;

use headwater_record::{Headers, Record, Timestamp};
use headwater_store::bytes::Order;
use headwater_topology::state::{KeyValueState, Stamped};
use headwater_topology::{DropReason, Inlet, Outlet, ProcessError, Stream, Table, TaskContext, Update};

use super::address::{Address, Told};
use super::wire::{Instruction, Parcel, Received, SUBSCRIPTION, Subscription, put_prefix, put_response};
use crate::view::{Lookup, View};

/// The store of subscriptions: by the length and the bytes of the foreign key, and the bytes of the row's own.
pub(super) type Subscriptions = KeyValueState<Vec<u8>, Subscription>;

/// Keeps a subscription and hands it on (Java's `SubscriptionReceiveProcessorSupplier`).
pub(super) struct Receive<K: 'static, K2: 'static> {
    pub(super) foreign_key: Told<K2>,
    pub(super) subscriptions: Rc<Subscriptions>,
    pub(super) store_key: Vec<u8>,
    pub(super) out: Outlet<Stream<Option<K2>, Received<K>>>,
}

impl<K: 'static, K2: 'static> Inlet<Stream<Option<K2>, Received<K>>> for Receive<K, K2> {
    fn push(
        &mut self,
        cx: &mut TaskContext<'_>,
        record: Record<'_, Option<K2>, Received<K>>,
    ) -> Result<(), ProcessError> {
        let subscription = &record.value.subscription;
        if record.key.is_none() && subscription.instruction != Instruction::PropagateNullIfNoFkValAvailable {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        if subscription.version > SUBSCRIPTION {
            return Err(ProcessError::user("SubscriptionWrapper is of an incompatible version."));
        }
        if let Some(foreign_key) = record.key {
            self.store_key.clear();
            self.foreign_key.with_bytes(foreign_key, |bytes| put_prefix(bytes, &mut self.store_key))?;
            self.store_key.extend_from_slice(&subscription.primary_key);
            let kept = (!subscription.instruction.deletes()).then(|| subscription.clone());
            self.subscriptions.put(cx, &self.store_key, kept, record.timestamp, record.headers)?;
        }
        self.out.push(cx, record)
    }
}

/// Writes responses.
pub(super) struct Respond<K: 'static, V2> {
    pub(super) key: Told<K>,
    pub(super) value: Told<V2>,
    pub(super) address: Address<K>,
    pub(super) value_bytes: Vec<u8>,
    pub(super) parcel: Parcel,
    pub(super) out: Outlet<Stream<K, Parcel>>,
}

impl<K: 'static, V2> Respond<K, V2> {
    /// The responses that follow have this value to join with.
    fn with(&mut self, value: Option<&V2>) -> Result<(), ProcessError> {
        let into = &mut self.value_bytes;
        into.clear();
        value.map_or(Ok(()), |value| {
            self.value.with_bytes_if_any(value, |bytes| into.extend_from_slice(bytes.unwrap_or_default()))
        })
    }

    fn to(
        &mut self,
        cx: &mut TaskContext<'_>,
        (key, subscription): (&K, &Subscription),
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        self.parcel.to =
            if self.address.is_chosen() { self.address.choose(cx, key)? } else { subscription.primary_partition };
        self.parcel.bytes.clear();
        put_response(subscription.hash.as_ref(), &self.value_bytes, &mut self.parcel.bytes);
        self.out.push(cx, Record::new(key, &self.parcel, timestamp, headers))
    }
}

/// Answers a subscription when it comes (Java's `SubscriptionJoinProcessorSupplier`).
pub(super) struct Answer<K: 'static, K2, V2> {
    pub(super) table: Box<dyn View<K2, V2>>,
    pub(super) respond: Respond<K, V2>,
}

impl<K: 'static, K2: 'static, V2: 'static> Inlet<Stream<Option<K2>, Received<K>>> for Answer<K, K2, V2> {
    fn push(
        &mut self,
        cx: &mut TaskContext<'_>,
        record: Record<'_, Option<K2>, Received<K>>,
    ) -> Result<(), ProcessError> {
        let Received { subscription, key } = record.value;
        if subscription.instruction == Instruction::DeleteKeyNoPropagate {
            return Ok(());
        }
        let respond = &mut self.respond;
        let mut time = None;
        let mut answer = |found: Option<(&V2, Timestamp)>| {
            let value = match subscription.instruction {
                Instruction::PropagateOnlyIfFkValAvailable if found.is_none() => return Ok(()),
                Instruction::DeleteKeyAndPropagate => None,
                _ => found.map(|(value, _)| value),
            };
            time = Some(found.map_or(record.timestamp, |(_, at)| at.max(record.timestamp)));
            respond.with(value)
        };
        match record.key {
            Some(foreign_key) => self.table.look(cx, Lookup::new(foreign_key, record.headers), &mut answer)?,
            None => answer(None)?,
        }
        let Some(time) = time else { return Ok(()) };
        self.respond.to(cx, (key, subscription), time, record.headers)
    }
}

/// Answers all subscriptions to a row that changes (Java's `ForeignTableJoinProcessorSupplier`).
pub(super) struct Tell<K: 'static, K2, V2> {
    /// Whether its table has versions, of which only the latest counts.
    pub(super) latest_only: bool,
    pub(super) foreign_key: Told<K2>,
    pub(super) subscriptions: Rc<Subscriptions>,
    pub(super) prefix: Vec<u8>,
    pub(super) respond: Respond<K, V2>,
}

impl<K: 'static, K2: 'static, V2: 'static> Inlet<Table<K2, V2>> for Tell<K, K2, V2> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K2, V2>) -> Result<(), ProcessError> {
        let is_null = self.foreign_key.is_null(update.key);
        if is_null || self.latest_only && !update.change.is_latest {
            cx.drop_record(if is_null { DropReason::Null } else { DropReason::Superseded });
            return Ok(());
        }
        let Tell { foreign_key, subscriptions, prefix, respond, .. } = self;
        prefix.clear();
        foreign_key.with_bytes(update.key, |bytes| put_prefix(bytes, prefix))?;
        respond.with(update.change.new.as_ref())?;
        subscriptions.prefix(cx, prefix, Order::Forward, |cx, _, Stamped { value: subscription, .. }| {
            let key = respond.key.read(&subscription.primary_key)?;
            respond.to(cx, (&key, &subscription), update.timestamp, update.headers)?;
            Ok(ControlFlow::Continue(()))
        })
    }
}
