//! The database of one store: rows by key on disk, over them what is not committed yet, beside them the changelog offset.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use headwater_record::{Offset, Partition, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::{OpenContext, Row, RowBuf, RowFormat, StoreError, StoreSpec};
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, Direction, IteratorMode, ReadOptions, WriteBatch, WriteOptions,
};

use crate::error::{failed, no_folder};
use crate::layout::{META, OFFSET_KEY, OFFSETS_PREFIX, ROWS, SEQUENCE_KEY, TIME_KEY, TYPE_KEY, describe};
use crate::options::{self, Shared};
use crate::overlay::{Overlay, Pending};
use crate::scan::{Committed, HalfOpen, Merged};

/// The database of one store.
#[derive(Debug)]
pub(crate) struct Table {
    name: String,
    path: PathBuf,
    format: RowFormat,
    database: Database,
    overlay: Overlay,
    offset: Option<Offset>,
    /// Of the partitions of a global store's topic.
    offsets: BTreeMap<Partition, Offset>,
    /// Those that go with the next commit.
    new_offsets: BTreeMap<Partition, Offset>,
    /// As of the last commit.
    marks: Marks,
    /// Rows with lesser keys are to go with the next commit.
    forget_before: Option<Vec<u8>>,
}

/// What a store that forgets must know again after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The store's time.
    pub(crate) time: Timestamp,
    /// The sequence number given last.
    pub(crate) sequence: i32,
}

impl Marks {
    pub(crate) const NONE: Marks = Marks { time: Timestamp::UNKNOWN, sequence: 0 };
}

struct Database {
    db: DB,
    read: ReadOptions,
    write: WriteOptions,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

/// Why a scan ended early: RocksDB, or a row.
enum Broken {
    Database(rocksdb::Error),
    Store(StoreError),
}

impl From<rocksdb::Error> for Broken {
    fn from(error: rocksdb::Error) -> Self {
        Broken::Database(error)
    }
}

impl Table {
    pub(crate) fn open(shared: &Shared, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Self, StoreError> {
        let directory = context.task_directory.ok_or_else(|| StoreError::Io {
            store: spec.name.clone(),
            reason: "it is kept on disk, and there is no state directory: set state.dir, or make it an in-memory store"
                .to_owned(),
        })?;
        let path = directory.join("rocksdb").join(&spec.name);
        std::fs::create_dir_all(&path).map_err(|error| no_folder(&spec.name, &path, &error))?;
        let db = open_database(shared, spec, &path)?;
        let mut table = Table {
            name: spec.name.clone(),
            path,
            format: spec.format,
            database: Database { db, read: ReadOptions::default(), write: options::write() },
            overlay: Overlay::default(),
            offset: None,
            offsets: BTreeMap::new(),
            new_offsets: BTreeMap::new(),
            marks: Marks::NONE,
            forget_before: None,
        };
        table.check_type(spec)?;
        table.offset = table.read_number(OFFSET_KEY)?.map(Offset::new);
        table.offsets = table.read_offsets()?;
        table.marks = Marks {
            time: table.read_number(TIME_KEY)?.map_or(Timestamp::UNKNOWN, Timestamp::from_millis),
            sequence: table.read_number(SEQUENCE_KEY)?.and_then(|last| i32::try_from(last).ok()).unwrap_or(0),
        };
        Ok(table)
    }

    /// Compares what lies there with what is wanted; a new database is given its mark.
    fn check_type(&self, spec: &StoreSpec) -> Result<(), StoreError> {
        let expected = describe(spec);
        let db = &self.database.db;
        let found = db.get_cf(self.family(META)?, TYPE_KEY).map_err(|error| self.failed("opening", &error))?;
        let found = match found {
            Some(found) if found == expected.as_bytes() => return Ok(()),
            Some(found) => String::from_utf8_lossy(&found).into_owned(),
            None if db.iterator(IteratorMode::Start).next().is_some() => foreign(&[]),
            None => {
                let mut batch = WriteBatch::default();
                batch.put_cf(self.family(META)?, TYPE_KEY, expected.as_bytes());
                let marked = db.write_opt(batch, &self.database.write);
                marked.map_err(|error| self.failed("opening", &error))?;
                return self.flush().map_err(|error| self.failed("opening", &error));
            }
        };
        Err(StoreError::TypeChanged { store: self.name.clone(), expected, found })
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, StoreError> {
        self.database.db.cf_handle(name).ok_or_else(|| StoreError::Io {
            store: self.name.clone(),
            reason: format!("its database at {} has no column family {name}: delete that folder", self.path.display()),
        })
    }

    fn read_number(&self, key: &[u8]) -> Result<Option<i64>, StoreError> {
        let bytes = self.database.db.get_cf(self.family(META)?, key);
        let Some(bytes) = bytes.map_err(|error| self.failed("opening", &error))? else { return Ok(None) };
        self.number(key, &bytes).map(Some)
    }

    fn number(&self, key: &[u8], bytes: &[u8]) -> Result<i64, StoreError> {
        let number = <[u8; 8]>::try_from(bytes).map_err(|_| StoreError::Corrupt {
            reason: format!("store {}: {} has {} bytes", self.name, String::from_utf8_lossy(key), bytes.len()),
        })?;
        Ok(i64::from_be_bytes(number))
    }

    fn read_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        let mut offsets = BTreeMap::new();
        let from = IteratorMode::From(OFFSETS_PREFIX, Direction::Forward);
        for entry in self.database.db.iterator_cf(self.family(META)?, from) {
            let (key, value) = entry.map_err(|error| self.failed("opening", &error))?;
            let Some(partition) = key.strip_prefix(OFFSETS_PREFIX) else { break };
            let Ok(partition) = <[u8; 4]>::try_from(partition) else { continue };
            offsets.insert(Partition::from_be_bytes(partition), Offset::new(self.number(&key, &value)?));
        }
        Ok(offsets)
    }

    fn flush(&self) -> Result<(), rocksdb::Error> {
        let families: Vec<&ColumnFamily> =
            [ROWS, META].iter().filter_map(|name| self.database.db.cf_handle(name)).collect();
        self.database.db.flush_cfs_opt(&families.iter().collect::<Vec<_>>(), &options::flush())
    }

    fn failed(&self, doing: &str, error: &rocksdb::Error) -> StoreError {
        failed(&self.name, &self.path, doing, error)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn offset(&self) -> Option<Offset> {
        self.offset
    }

    pub(crate) fn offsets(&self) -> BTreeMap<Partition, Offset> {
        self.offsets.clone()
    }

    /// These go with the next commit.
    pub(crate) fn note_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) {
        self.new_offsets.extend(offsets);
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.overlay.bytes()
    }

    pub(crate) fn approximate_len(&self) -> u64 {
        let keys = self.database.db.property_int_value("rocksdb.estimate-num-keys");
        keys.ok().flatten().unwrap_or(0) + self.overlay.rows() as u64
    }

    /// Sets or deletes a row; a commit makes it durable.
    #[inline]
    pub(crate) fn put(&mut self, key: &[u8], row: Option<Row<'_>>) {
        let format = self.format;
        self.overlay.set(key, row.map(|row| move |bytes: &mut Vec<u8>| format.encode(row, bytes)));
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        if let Some(pending) = self.overlay.get(key) {
            return self.decode_pending(pending);
        }
        let row = self.database.db.get_pinned_opt(key, &self.database.read);
        row.map_err(|error| self.failed("reading", &error))?.map(|bytes| self.decode(&bytes)).transpose()
    }

    /// The row of `key`, of which nothing is on disk.
    pub(crate) fn get_pending(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.overlay.get(key).map_or(Ok(None), |pending| self.decode_pending(pending))
    }

    /// The rows of `keys`; what must come from disk is read at once.
    pub(crate) fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<RowBuf>>, StoreError> {
        let asked: Vec<&[u8]> = keys.iter().copied().filter(|key| self.overlay.get(key).is_none()).collect();
        let rows = self.family(ROWS)?;
        let read = &self.database.read;
        let mut committed = self.database.db.batched_multi_get_cf_opt(rows, asked, false, read).into_iter();
        let row = |key: &&[u8]| match self.overlay.get(key) {
            Some(pending) => self.decode_pending(pending),
            None => match committed.next() {
                Some(Ok(found)) => found.map(|bytes| self.decode(&bytes)).transpose(),
                Some(Err(error)) => Err(self.failed("reading", &error)),
                None => Ok(None),
            },
        };
        keys.iter().map(row).collect()
    }

    fn decode(&self, bytes: &[u8]) -> Result<RowBuf, StoreError> {
        self.format.decode(bytes.to_vec())
    }

    fn decode_pending(&self, pending: Pending<'_>) -> Result<Option<RowBuf>, StoreError> {
        match pending {
            Pending::Deleted => Ok(None),
            Pending::Row(bytes) => self.decode(bytes).map(Some),
        }
    }

    /// Hands the rows between the bounds to `take`, in `order`, until it says no. The row is decoded by the function that `take`
    /// is handed, when it wants it. What is on disk is left out unless some of it `may_be_on_disk`.
    pub(crate) fn scan(
        &self,
        (from, to): (Bound<&[u8]>, Bound<&[u8]>),
        may_be_on_disk: bool,
        order: Order,
        mut take: impl FnMut(&[u8], &dyn Fn() -> Result<RowBuf, StoreError>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let range = HalfOpen::new(from, to);
        if range.is_empty() {
            return Ok(());
        }
        let committed = may_be_on_disk.then(|| {
            let mut read = ReadOptions::default();
            read.set_iterate_lower_bound(range.from.clone());
            if let Some(to) = &range.to {
                read.set_iterate_upper_bound(to.clone());
            }
            Committed::new(self.database.db.raw_iterator_opt(read), order)
        });
        let merged = Merged::new(committed, self.overlay.range(&range, order), order);
        merged.each(|key, row| take(key, &|| self.decode(row)).map_err(Broken::Store)).map_err(|broken| match broken {
            Broken::Database(error) => self.failed("reading", &error),
            Broken::Store(error) => error,
        })
    }

    /// What the last commit said.
    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    /// Drops the rows whose keys are less than `end`, those on disk with the next commit. Nobody may read them any more.
    pub(crate) fn forget_before(&mut self, end: &[u8]) {
        self.overlay.forget_before(end);
        self.forget_before = Some(end.to_vec());
    }

    /// Writes what is pending, the offset and the marks in one batch.
    pub(crate) fn commit(&mut self, changelog: Option<Offset>, marks: Marks) -> Result<(), StoreError> {
        let offset = changelog.or(self.offset);
        let forget_before = self.forget_before.as_ref();
        let is_known = |(partition, offset): (&Partition, &Offset)| self.offsets.get(partition) == Some(offset);
        let same_offsets = offset == self.offset && self.new_offsets.iter().all(is_known);
        if self.overlay.is_empty() && forget_before.is_none() && same_offsets && marks == self.marks {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        if let Some(end) = forget_before {
            batch.delete_range(&[][..], end.as_slice());
        }
        self.overlay.each(|key, row| match row {
            Some(row) => batch.put(key, row),
            None => batch.delete(key),
        });
        let meta = self.family(META)?;
        if let Some(offset) = offset {
            batch.put_cf(meta, OFFSET_KEY, offset.value().to_be_bytes());
        }
        for (partition, offset) in &self.new_offsets {
            let key = [OFFSETS_PREFIX, &partition.to_be_bytes()].concat();
            batch.put_cf(meta, key, offset.value().to_be_bytes());
        }
        if marks != Marks::NONE {
            batch.put_cf(meta, TIME_KEY, marks.time.millis().to_be_bytes());
            batch.put_cf(meta, SEQUENCE_KEY, i64::from(marks.sequence).to_be_bytes());
        }
        if let Err(error) = self.database.db.write_opt(batch, &self.database.write) {
            return Err(self.failed("writing", &error));
        }
        self.overlay.clear();
        self.forget_before = None;
        self.offset = offset;
        self.offsets.append(&mut self.new_offsets);
        self.marks = marks;
        Ok(())
    }
}

// A clean close: the next start needs no restoring. Had the process been killed instead, an earlier commit would be found.
impl Drop for Table {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            let error = self.failed("closing", &error);
            tracing::warn!(store = self.name, %error, "what was committed last will be restored from the changelog");
        }
    }
}

fn open_database(shared: &Shared, spec: &StoreSpec, path: &Path) -> Result<DB, StoreError> {
    let options = shared.database();
    if path.join("CURRENT").exists() {
        let families = DB::list_cf(&options, path).map_err(|error| failed(&spec.name, path, "opening", &error))?;
        let others: Vec<String> = families.into_iter().filter(|name| name != ROWS && name != META).collect();
        if !others.is_empty() {
            let (expected, found) = (describe(spec), foreign(&others));
            return Err(StoreError::TypeChanged { store: spec.name.clone(), expected, found });
        }
    }
    let families = [ColumnFamilyDescriptor::new(ROWS, shared.rows()), ColumnFamilyDescriptor::new(META, shared.meta())];
    DB::open_cf_descriptors(&options, path, families).map_err(|error| failed(&spec.name, path, "opening", &error))
}

/// A database that another program wrote, Java Kafka Streams perhaps.
fn foreign(families: &[String]) -> String {
    if families.is_empty() {
        "a database of another program".to_owned()
    } else {
        format!("a database of another program, with the column families {}", families.join(", "))
    }
}
