//! Rows that come to disk as a file of their own, past RocksDB's memtables.
//!
//! In a memtable each row looks for its place among all others, and is copied again when the memtable is flushed. What is in order
//! already need not pay for that.
//!
//! The rows of such a file are there before the changelog offset that goes with them: RocksDB takes one in by itself. A process that
//! ends in between finds rows later than its offset, and restores them once more. So this is for what is restored, and only where it is
//! no matter whether a row is restored twice.

use std::path::PathBuf;

use rocksdb::{Error, IngestExternalFileOptions, SstFileWriter};

use crate::database::{Database, Family};

/// Less is not worth a file.
pub(crate) const MUCH_BYTES: usize = 8 << 20;

/// A file of rows that the database does not know of yet. What is not taken in goes with it.
#[derive(Debug)]
pub(crate) struct RowFile(PathBuf);

impl Drop for RowFile {
    fn drop(&mut self) {
        // Once it is taken in, nothing is left under this name.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Database {
    /// Where a store makes its files. It makes one at a time.
    fn row_file(&self, store: &str) -> RowFile {
        RowFile(self.path.join(format!("{store}.restored")))
    }

    /// Drops what a process that was killed had begun.
    pub(crate) fn drop_row_file(&self, store: &str) {
        drop(self.row_file(store));
    }

    /// Makes a file of the rows that `fill` hands over, of which there are some, in the order of their keys.
    pub(crate) fn write_row_file(
        &self,
        store: &str,
        fill: impl FnOnce(&mut SstFileWriter<'_>) -> Result<(), Error>,
    ) -> Result<RowFile, Error> {
        let file = self.row_file(store);
        let mut writer = SstFileWriter::create(&self.row_files);
        writer.open(&file.0)?;
        fill(&mut writer)?;
        writer.finish()?;
        Ok(file)
    }

    /// Has the rows of `file` be later than all others of `rows`.
    pub(crate) fn take_in(&self, file: &RowFile, rows: &Family<'_>) -> Result<(), Error> {
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        self.db.ingest_external_file_cf_opts(rows, &options, vec![&file.0])
    }
}
