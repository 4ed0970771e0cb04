//! Where responses come back to the left side (Java's `ResponseJoinProcessorSupplier`).

use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::{DropReason, Inlet, Outlet, ProcessError, Stream, TaskContext};

use super::address::Told;
use super::hash::murmur3;
use super::rules::Rows;
use super::wire::{RESPONSE, Response};
use crate::view::{Lookup, View};

/// Joins a row with what its foreign key leads to.
pub(crate) type Join<V, V2, W> = Arc<dyn Fn(&V, Option<&V2>) -> Result<W, ProcessError> + Send + Sync>;

/// Joins a response with its row, unless the row has changed since it asked.
pub(super) struct Resolve<K: 'static, V, V2, W: 'static> {
    pub(super) rows: Rows,
    pub(super) table: Box<dyn View<K, V>>,
    pub(super) value: Told<V>,
    pub(super) join: Join<V, V2, W>,
    pub(super) out: Outlet<Stream<K, Option<W>>>,
}

impl<K: 'static, V: 'static, V2: 'static, W: 'static> Inlet<Stream<K, Response<V2>>> for Resolve<K, V, V2, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, Response<V2>>) -> Result<(), ProcessError> {
        let Response { version, hash, value } = record.value;
        if *version != RESPONSE {
            return Err(ProcessError::user("SubscriptionResponseWrapper is of an incompatible version."));
        }
        let mut joined = None;
        self.table.look(cx, Lookup::new(record.key, record.headers), &mut |found| {
            let row = found.map(|(row, _)| row);
            if row.map(|row| self.value.with_bytes(row, murmur3)).transpose()? == *hash {
                let row = row.filter(|_| value.is_some() || self.rows == Rows::Left);
                joined = Some(row.map(|row| (self.join)(row, value.as_ref())).transpose()?);
            }
            Ok(())
        })?;
        let Some(joined) = joined else {
            cx.drop_record(DropReason::Superseded);
            return Ok(());
        };
        self.out.push(cx, record.with_value(&joined))
    }
}
