//! Reading what lies on disk and what is not committed yet as one ordered whole.

use std::ops::Bound;

use headwater_store::bytes::Order;
use rocksdb::{DBRawIteratorWithThreadMode, DBWithThreadMode, MultiThreaded};

use crate::overlay::Entries;

/// Keys from `from` on and before `to`; `None` is open.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Option<Vec<u8>>,
}

impl HalfOpen {
    pub(crate) fn new(from: Bound<&[u8]>, to: Bound<&[u8]>) -> Self {
        HalfOpen {
            from: match from {
                Bound::Unbounded => Vec::new(),
                Bound::Included(from) => from.to_vec(),
                Bound::Excluded(from) => just_after(from),
            },
            to: match to {
                Bound::Unbounded => None,
                Bound::Included(to) => Some(just_after(to)),
                Bound::Excluded(to) => Some(to.to_vec()),
            },
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.from.as_slice() <= key && self.to.as_deref().is_none_or(|to| key < to)
    }

    /// The one key that lies in it, if there is but one.
    pub(crate) fn only(&self) -> Option<&[u8]> {
        let is_only = self.to.as_ref().is_some_and(|to| to.strip_prefix(self.from.as_slice()) == Some(&[0][..]));
        is_only.then_some(self.from.as_slice())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| to <= &self.from)
    }
}

/// The least key greater than `key`.
fn just_after(key: &[u8]) -> Vec<u8> {
    let mut after = Vec::with_capacity(key.len() + 1);
    after.extend_from_slice(key);
    after.push(0);
    after
}

type RowIterator<'a> = DBRawIteratorWithThreadMode<'a, DBWithThreadMode<MultiThreaded>>;

/// The rows on disk, placed at one of them.
pub(crate) struct OnDisk<'a> {
    iterator: RowIterator<'a>,
    order: Order,
}

impl<'a> OnDisk<'a> {
    /// Placed at the first row in `order`; the iterator has its bounds already.
    pub(crate) fn new(mut iterator: RowIterator<'a>, order: Order) -> Self {
        match order {
            Order::Forward => iterator.seek_to_first(),
            Order::Backward => iterator.seek_to_last(),
        }
        OnDisk { iterator, order }
    }

    fn item(&self) -> Option<(&[u8], &[u8])> {
        self.iterator.item()
    }

    fn advance(&mut self) {
        match self.order {
            Order::Forward => self.iterator.next(),
            Order::Backward => self.iterator.prev(),
        }
    }
}

/// Both, as one.
pub(crate) struct Merged<'a> {
    /// `None` where nothing is on disk.
    committed: Option<OnDisk<'a>>,
    pending: Entries<'a>,
    head: Option<(&'a [u8], Option<&'a [u8]>)>,
    order: Order,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(committed: Option<OnDisk<'a>>, mut pending: Entries<'a>, order: Order) -> Self {
        let head = pending.next();
        Merged { committed, pending, head, order }
    }

    /// Hands the rows in order to `take`, key and row, until it says no.
    ///
    /// # Errors
    /// What RocksDB says, or `take`.
    pub(crate) fn each<E: From<rocksdb::Error>>(
        mut self,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        loop {
            let committed = self.committed.as_ref().and_then(OnDisk::item);
            let which = match (committed, self.head) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((committed, _)), Some((pending, _))) => match self.order {
                    Order::Forward => committed.cmp(pending),
                    Order::Backward => pending.cmp(committed),
                },
            };
            let go_on = if which.is_lt() {
                committed.map_or(Ok(true), |(key, row)| take(key, row))?
            } else {
                // What is pending replaces what is committed.
                match self.head {
                    Some((key, Some(row))) => take(key, row)?,
                    _ => true,
                }
            };
            if !go_on {
                return Ok(());
            }
            if which.is_le()
                && let Some(committed) = &mut self.committed
            {
                committed.advance();
            }
            if which.is_ge() {
                self.head = self.pending.next();
            }
        }
        Ok(self.committed.map_or(Ok(()), |committed| committed.iterator.status())?)
    }
}
