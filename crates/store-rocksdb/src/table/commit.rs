//! How what is pending becomes durable: in one batch with the offset and the marks, or in bulk.

use std::convert::Infallible;

use headwater_record::{Offset, Partition};
use headwater_store::StoreError;
use rocksdb::WriteBatch;

use super::{Marks, Table};
use crate::bulk::MUCH_BYTES;
use crate::database::{Database, Family};
use crate::layout::{self, META, OFFSET_KEY, OFFSETS_PREFIX, SEQUENCE_KEY, TIME_KEY};

impl Table {
    /// Begins to bring to disk what was committed, of the other stores of the task too.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.database.spare.clear();
        self.database.flush(false).map_err(|error| self.failed("writing", &error))
    }

    /// Writes what is pending, the offset and the marks in one batch; the rows before it, where many were restored.
    pub(crate) fn commit(&mut self, changelog: Option<Offset>, marks: Marks) -> Result<(), StoreError> {
        self.keep_pace()?;
        let is_restored_unread = std::mem::take(&mut self.is_restored_unread);
        let offset = changelog.or(self.offset);
        let is_known = |(partition, offset): (&Partition, &Offset)| self.offsets.get(partition) == Some(offset);
        let same_offsets = offset == self.offset && self.new_offsets.iter().all(is_known);
        if self.overlay.is_settled() && self.forget_before.is_none() && same_offsets && marks == self.marks {
            self.settle();
            return Ok(());
        }
        let in_bulk = is_restored_unread && self.overlay.pending_bytes() >= MUCH_BYTES;
        if in_bulk { self.write_in_bulk(offset, marks) } else { self.write(offset, marks) }?;
        self.settle();
        self.forget_before = None;
        self.offset = offset;
        self.offsets.append(&mut self.new_offsets);
        self.marks = marks;
        Ok(())
    }

    fn write(&self, offset: Option<Offset>, marks: Marks) -> Result<(), StoreError> {
        let rows = self.family(&self.rows)?;
        let mut batch = self.batch(&rows, offset, marks)?;
        let Ok(()) = self.overlay.each(|key, row| {
            match row {
                Some(row) => batch.put_cf(&rows, key, row),
                None => batch.delete_cf(&rows, key),
            }
            Ok::<_, Infallible>(())
        });
        self.publish((offset, marks), |database| database.write(batch)).map_err(|error| self.failed("writing", &error))
    }

    fn write_in_bulk(&self, offset: Option<Offset>, marks: Marks) -> Result<(), StoreError> {
        let rows = self.family(&self.rows)?;
        let batch = self.batch(&rows, offset, marks)?;
        let file = self.database.write_row_file(&self.name, |file| {
            self.overlay.each(|key, row| match row {
                Some(row) => file.put(key, row),
                None => file.delete(key),
            })
        });
        let published = file.and_then(|file| {
            self.publish((offset, marks), |database| {
                database.take_in(&file, &rows)?;
                database.write(batch)
            })
        });
        // No memtable fills up that would take the offset to disk.
        published.and_then(|()| self.database.flush(false)).map_err(|error| self.failed("writing", &error))
    }

    /// All that goes with a commit but the rows that are pending.
    fn batch(&self, rows: &Family<'_>, offset: Option<Offset>, marks: Marks) -> Result<WriteBatch, StoreError> {
        let meta = self.family(META)?;
        let mut batch = WriteBatch::default();
        if let Some(end) = &self.forget_before {
            batch.delete_range_cf(rows, &[][..], end.as_slice());
        }
        if let Some(offset) = offset {
            batch.put_cf(&meta, layout::meta(&self.name, OFFSET_KEY), offset.value().to_be_bytes());
        }
        for (partition, offset) in &self.new_offsets {
            let mut key = layout::meta(&self.name, OFFSETS_PREFIX);
            key.extend_from_slice(&partition.to_be_bytes());
            batch.put_cf(&meta, key, offset.value().to_be_bytes());
        }
        if marks != Marks::NONE {
            batch.put_cf(&meta, layout::meta(&self.name, TIME_KEY), marks.time.millis().to_be_bytes());
            let sequence = i64::from(marks.sequence).to_be_bytes();
            batch.put_cf(&meta, layout::meta(&self.name, SEQUENCE_KEY), sequence);
        }
        Ok(batch)
    }

    /// What was put since the last commit is restored.
    pub(crate) fn restored(&mut self) {
        self.pace.restored();
    }

    /// The same, and nothing was read meanwhile.
    pub(crate) fn restored_unread(&mut self) {
        self.pace.restored();
        self.overlay.expect_no_reads(|| self.database.spare.take());
        self.is_restored_unread = true;
    }

    fn keep_pace(&mut self) -> Result<(), StoreError> {
        let Some(settings) = self.pace.before_commit(self.overlay.pending_bytes()) else { return Ok(()) };
        self.database.spare.clear();
        let set = self.database.db.set_options_cf(&self.family(&self.rows)?, settings);
        set.map_err(|error| self.failed("writing", &error))
    }

    /// Has `commit` write what views see from now on.
    pub(super) fn publish(
        &self,
        (offset, marks): (Option<Offset>, Marks),
        commit: impl FnOnce(&Database) -> Result<(), rocksdb::Error>,
    ) -> Result<(), rocksdb::Error> {
        let Some(views) = &self.views else { return commit(&self.database) };
        let written = views.change(|source| {
            commit(&self.database)?;
            (source.offset, source.marks, source.snapshot) = (offset, marks, None);
            Ok(())
        });
        // It is closed with this table.
        written.unwrap_or(Ok(()))
    }

    /// Reads find in memory what was committed, as long as there is room.
    fn settle(&mut self) {
        let memory = self.overlay.settle(self.share.most());
        self.share.take(self.overlay.bytes());
        if self.pace.is_late() {
            self.database.spare.give(memory);
        }
    }
}
