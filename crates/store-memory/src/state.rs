//! What every store in memory has: a name, a row format, and the offset it was told.

use std::sync::Arc;

use headwater_record::{Offset, RawRecord, Timestamp};
use headwater_store::{Row, RowBuf, RowFormat, Store, StoreError, StoreSpec, StoreViews, View};

use crate::views::Views;

/// A store's name, the format of its rows, and the offset of the last changelog record it contains.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) format: RowFormat,
    pub(crate) offset: Option<Offset>,
    /// A view has none.
    views: Option<Views>,
}

impl State {
    pub(crate) fn new(spec: &StoreSpec) -> Self {
        State { name: spec.name.clone(), format: spec.format, offset: None, views: Some(Views::of(&spec.name)) }
    }

    /// Of a view.
    pub(crate) fn of_view(&self) -> Self {
        State { name: self.name.clone(), format: self.format, offset: self.offset, views: None }
    }

    pub(crate) fn is_view(&self) -> bool {
        self.views.is_none()
    }

    pub(crate) fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.views.as_ref().map(Views::share)
    }

    /// Remembers the offset; there is nothing to write. Whether those who read elsewhere want a copy of the store.
    #[must_use]
    pub(crate) fn commit(&mut self, changelog: Option<Offset>) -> bool {
        self.offset = changelog.or(self.offset);
        self.views.as_ref().is_some_and(Views::are_wanted)
    }

    /// Shows `copy` to them.
    pub(crate) fn show(&self, copy: Store) {
        if let Some(views) = &self.views {
            views.committed(copy, self.offset);
        }
    }

    /// Shows `copy` to one of them, as `amend` leaves it.
    pub(crate) fn show_to_one(
        &self,
        mut copy: Store,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let Some(views) = &self.views else { return Ok(None) };
        amend(&mut copy);
        views.hand_out(copy, self.offset).map(Some)
    }

    /// Writes `row` over `bytes`, which keep their allocation.
    #[inline]
    pub(crate) fn overwrite(&self, row: Row<'_>, bytes: &mut Vec<u8>) {
        bytes.clear();
        self.format.encode(row, bytes);
    }

    /// The bytes of a new row.
    #[inline]
    pub(crate) fn encoded(&self, row: Row<'_>) -> Vec<u8> {
        let timestamp = if self.format.has_timestamp() { size_of::<Timestamp>() } else { 0 };
        let mut bytes = Vec::with_capacity(row.value.len() + timestamp);
        self.format.encode(row, &mut bytes);
        bytes
    }

    #[inline]
    pub(crate) fn decoded(&self, bytes: &[u8]) -> Result<RowBuf, StoreError> {
        self.format.decode(bytes.to_vec())
    }
}

// Where the store goes, its views end.
impl Drop for State {
    fn drop(&mut self) {
        if let Some(views) = &self.views {
            views.close();
        }
    }
}

/// The row of a changelog record; `None` for a tombstone.
pub(crate) fn row_of<'a>(record: &RawRecord<'a>) -> Option<Row<'a>> {
    record.value.map(|value| Row { value, timestamp: record.timestamp, headers: record.headers })
}

/// A changelog record's key. A record without one was written by nobody who keeps a store.
pub(crate) fn key_of<'a>(record: &RawRecord<'a>) -> Result<&'a [u8], StoreError> {
    record.key.ok_or_else(|| StoreError::Corrupt { reason: "a changelog record has no key".to_owned() })
}
