//! The left side: tells the right one which of its rows it wants to hear of (Java's `SubscriptionSendProcessorSupplier`).

use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::{Change, DropReason, Inlet, Outlet, ProcessError, Stream, Table, TaskContext, Update};

use super::address::{Address, Told};
use super::hash::{Hash, murmur3};
use super::rules::{Before, Now, Rows};
use super::wire::{Instruction, Parcel, SUBSCRIPTION, Subscription};

/// What foreign key a row has, if any.
pub(crate) type Extract<K, V, K2> = Arc<dyn Fn(&K, &V) -> Result<Option<K2>, ProcessError> + Send + Sync>;

pub(super) struct Subscribe<K: 'static, V: 'static, K2: 'static> {
    pub(super) rows: Rows,
    /// Whether its table has versions, of which only the latest counts.
    pub(super) latest_only: bool,
    pub(super) extract: Extract<K, V, K2>,
    pub(super) key: Told<K>,
    pub(super) value: Told<V>,
    pub(super) foreign_key: Told<K2>,
    pub(super) address: Address<Option<K2>>,
    pub(super) parcel: Parcel,
    pub(super) out: Outlet<Stream<Option<K2>, Parcel>>,
}

impl<K: 'static, V: 'static, K2: 'static> Subscribe<K, V, K2> {
    fn foreign_key(&self, key: &K, row: Option<&V>) -> Result<Option<K2>, ProcessError> {
        let Some(row) = row else { return Ok(None) };
        Ok((self.extract)(key, row)?.filter(|key| !self.foreign_key.is_null(key)))
    }

    fn hash(&self, row: Option<&V>) -> Result<Option<Hash>, ProcessError> {
        row.map(|row| self.value.with_bytes(row, murmur3)).transpose()
    }

    /// Foreign keys are equal when their bytes are.
    fn same(&self, one: &K2, other: &K2) -> Result<bool, ProcessError> {
        self.foreign_key
            .with_bytes(one, |one| self.foreign_key.with_bytes(other, |other| one == other))
            .and_then(|same| same)
    }

    fn forward(
        &mut self,
        cx: &mut TaskContext<'_>,
        update: &Update<'_, K, V>,
        foreign_key: Option<K2>,
        (hash, instruction): (Option<Hash>, Instruction),
    ) -> Result<(), ProcessError> {
        let subscription = Subscription {
            version: SUBSCRIPTION,
            hash,
            instruction,
            primary_key: self.key.with_bytes(update.key, <[u8]>::to_vec)?,
            primary_partition: Some(cx.task().partition),
        };
        self.parcel.bytes.clear();
        subscription.encode(&mut self.parcel.bytes);
        self.parcel.to = self.address.choose(cx, &foreign_key)?;
        self.out.push(cx, Record::new(&foreign_key, &self.parcel, update.timestamp, update.headers))
    }
}

impl<K: 'static, V: 'static, K2: 'static> Inlet<Table<K, V>> for Subscribe<K, V, K2> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        let Change { new, old, is_latest } = update.change;
        if self.latest_only && !is_latest {
            cx.drop_record(DropReason::Superseded);
            return Ok(());
        }
        let old_key = self.foreign_key(update.key, old.as_ref())?;
        let new_key = self.foreign_key(update.key, new.as_ref())?;
        let before = match (old, &old_key) {
            (None, _) => Before::NoRow,
            (Some(_), None) => Before::NoKey,
            (Some(_), Some(_)) => Before::Key,
        };
        let now = match (new, &new_key, &old_key) {
            (None, ..) => Now::NoRow,
            (Some(_), None, _) => Now::NoKey,
            (Some(_), Some(new), Some(old)) if self.same(new, old)? => Now::SameKey,
            (Some(_), Some(_), _) => Now::NewKey,
        };
        let sent = self.rows.send(before, now);
        if sent.dropped {
            cx.drop_record(DropReason::Null);
        }
        let both = [(old_key, sent.to_old), (new_key, sent.to_new)];
        let mut hash = None;
        for (foreign_key, instruction) in both {
            let Some(instruction) = instruction else { continue };
            let hash = match hash {
                Some(hash) => hash,
                None => *hash.insert(self.hash(new.as_ref())?),
            };
            self.forward(cx, &update, foreign_key, (hash, instruction))?;
        }
        Ok(())
    }
}
