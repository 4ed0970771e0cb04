//! One store in its task's database: rows by key on disk, over them what was written lately, beside them the changelog offset.

mod commit;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use headwater_record::{Offset, Partition, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::{
    Committed, OpenContext, Row, RowBuf, RowFormat, RowRef, Store, StoreError, StoreSpec, StoreViews, View,
};
use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::RocksDbStores;
use crate::database::{Database, Family};
use crate::error::failed;
use crate::layout::{self, META, OFFSET_KEY, OFFSETS_PREFIX, SEQUENCE_KEY, TIME_KEY, TYPE_KEY, describe};
use crate::overlay::{Known, Overlay};
use crate::pace::Pace;
use crate::room::Share;
use crate::scan::{HalfOpen, Merged, OnDisk};
use crate::views::{Snapshot, Source, Views};

/// One store.
pub(crate) struct Table {
    name: String,
    format: RowFormat,
    database: Arc<Database>,
    /// The column family of its rows.
    rows: String,
    /// How rows are read: as they are, or as they were.
    read: ReadOptions,
    /// Of a view, the moment it is of.
    snapshot: Option<Arc<Snapshot>>,
    /// What views are made of; a view has none of its own.
    views: Option<Arc<Committed<Source>>>,
    overlay: Overlay,
    /// Memory for committed rows.
    share: Share,
    offset: Option<Offset>,
    /// Of the partitions of a global store's topic.
    offsets: BTreeMap<Partition, Offset>,
    /// Those that go with the next commit.
    new_offsets: BTreeMap<Partition, Offset>,
    /// As of the last commit.
    marks: Marks,
    /// Rows with lesser keys are to go with the next commit.
    forget_before: Option<Vec<u8>>,
    pace: Pace,
    /// Whether what is pending was restored, without a look at what was there.
    is_restored_unread: bool,
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

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.name).field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn open(make: &RocksDbStores, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Self, StoreError> {
        if let Some(directory) = context.task_directory
            && directory.join("rocksdb").join(&spec.name).join("CURRENT").exists()
        {
            let found = "a database of another program".to_owned();
            return Err(StoreError::TypeChanged { store: spec.name.clone(), expected: describe(spec), found });
        }
        let database = make.databases.of_task(&make.shared, spec, context)?;
        database.claim(&spec.name, &make.shared)?;
        database.drop_row_file(&spec.name);
        let mut table = Table::over(spec, Arc::clone(&database), Share::of(&make.shared.room));
        let source = Source { spec: spec.clone(), database, offset: None, marks: Marks::NONE, snapshot: None };
        table.views = Some(Arc::new(Committed::new(&spec.name, source)));
        table.check_type(spec)?;
        table.offset = table.read_number(OFFSET_KEY)?.map(Offset::new);
        table.offsets = table.read_offsets()?;
        table.marks = Marks {
            time: table.read_number(TIME_KEY)?.map_or(Timestamp::UNKNOWN, Timestamp::from_millis),
            sequence: table.read_number(SEQUENCE_KEY)?.and_then(|last| i32::try_from(last).ok()).unwrap_or(0),
        };
        table.overlay = Overlay::new(table.is_empty_on_disk()?);
        let opened = (table.offset, table.marks);
        table.publish(opened, |_| Ok(())).map_err(|error| table.failed("opening", &error))?;
        Ok(table)
    }

    fn over(spec: &StoreSpec, database: Arc<Database>, share: Share) -> Self {
        Table {
            name: spec.name.clone(),
            format: spec.format,
            database,
            rows: layout::rows(&spec.name),
            read: ReadOptions::default(),
            snapshot: None,
            views: None,
            overlay: Overlay::default(),
            share,
            offset: None,
            offsets: BTreeMap::new(),
            new_offsets: BTreeMap::new(),
            marks: Marks::NONE,
            forget_before: None,
            pace: Pace::default(),
            is_restored_unread: false,
        }
    }

    /// The store as its last commit left it, for reading.
    pub(crate) fn view(source: &mut Source) -> Self {
        let snapshot = source.snapshot();
        let mut table = Table::over(&source.spec, Arc::clone(&source.database), Share::none());
        snapshot.set(&mut table.read);
        table.snapshot = Some(snapshot);
        (table.offset, table.marks) = (source.offset, source.marks);
        table
    }

    /// The store as it is now, for one reader, who looks at no keys outside of `ranges`, which are in order. `None` once it is closed, and of
    /// what is such a copy itself.
    pub(crate) fn uncommitted(&self, ranges: &[HalfOpen]) -> Option<Self> {
        let mut table = self.views.as_ref()?.look(Table::view)?;
        self.overlay.pending_in(ranges, |key, row| {
            table.overlay.set(key, row.map(|row| move |bytes: &mut Vec<u8>| bytes.extend_from_slice(row)));
        });
        Some(table)
    }

    /// Gives `copy` to a reader, as `amend` leaves it.
    pub(crate) fn show(
        &self,
        mut copy: Store,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        let Some(views) = &self.views else { return Ok(None) };
        amend(&mut copy);
        views.hand_out(View::new(copy, self.offset)).map(Some)
    }

    pub(crate) fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.views.as_ref().map(|shared| Arc::new(Views(Arc::clone(shared))) as Arc<dyn StoreViews>)
    }

    fn is_empty_on_disk(&self) -> Result<bool, StoreError> {
        let rows = self.family(&self.rows)?;
        let first = self.database.db.iterator_cf(&rows, IteratorMode::Start).next();
        first.transpose().map(|first| first.is_none()).map_err(|error| self.failed("opening", &error))
    }

    /// Compares what lies there with what is wanted; a new store is given its mark.
    fn check_type(&self, spec: &StoreSpec) -> Result<(), StoreError> {
        let expected = describe(spec);
        let found = match self.read_meta(TYPE_KEY)? {
            Some(found) if found == expected.as_bytes() => return Ok(()),
            Some(found) => String::from_utf8_lossy(&found).into_owned(),
            None => {
                let mut batch = WriteBatch::default();
                batch.put_cf(&self.family(META)?, layout::meta(&self.name, TYPE_KEY), expected.as_bytes());
                return self.database.write(batch).map_err(|error| self.failed("opening", &error));
            }
        };
        Err(StoreError::TypeChanged { store: self.name.clone(), expected, found })
    }

    fn family(&self, name: &str) -> Result<Family<'_>, StoreError> {
        self.database.family(&self.name, name)
    }

    fn read_meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.database.db.get_cf(&self.family(META)?, layout::meta(&self.name, key));
        found.map_err(|error| self.failed("opening", &error))
    }

    fn read_number(&self, key: &str) -> Result<Option<i64>, StoreError> {
        self.read_meta(key)?.map(|bytes| self.number(key.as_bytes(), &bytes)).transpose()
    }

    fn number(&self, key: &[u8], bytes: &[u8]) -> Result<i64, StoreError> {
        let number = <[u8; 8]>::try_from(bytes).map_err(|_| StoreError::Corrupt {
            reason: format!("store {}: {} has {} bytes", self.name, String::from_utf8_lossy(key), bytes.len()),
        })?;
        Ok(i64::from_be_bytes(number))
    }

    fn read_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        let mut offsets = BTreeMap::new();
        let prefix = layout::meta(&self.name, OFFSETS_PREFIX);
        let from = IteratorMode::From(&prefix, Direction::Forward);
        for entry in self.database.db.iterator_cf(&self.family(META)?, from) {
            let (key, value) = entry.map_err(|error| self.failed("opening", &error))?;
            let Some(partition) = key.strip_prefix(prefix.as_slice()) else { break };
            let Ok(partition) = <[u8; 4]>::try_from(partition) else { continue };
            offsets.insert(Partition::from_be_bytes(partition), Offset::new(self.number(&key, &value)?));
        }
        Ok(offsets)
    }

    fn failed(&self, doing: &str, error: &rocksdb::Error) -> StoreError {
        failed(&self.name, &self.database.path, doing, error)
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
        self.overlay.pending_bytes()
    }

    pub(crate) fn approximate_len(&self) -> u64 {
        let family = self.family(&self.rows).ok();
        let keys = family.map(|rows| self.database.db.property_int_value_cf(&rows, "rocksdb.estimate-num-keys"));
        keys.and_then(|keys| keys.ok().flatten()).unwrap_or(0) + self.overlay.pending_rows() as u64
    }

    /// Sets or deletes a row; a commit makes it durable.
    #[inline]
    pub(crate) fn put(&mut self, key: &[u8], row: Option<Row<'_>>) {
        let format = self.format;
        self.overlay.set(key, row.map(|row| move |bytes: &mut Vec<u8>| format.encode(row, bytes)));
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.with_bytes(key, |bytes| self.decode(bytes))
    }

    /// Hands the row of `key` to `look`, if there is one.
    pub(crate) fn look(&self, key: &[u8], look: &mut dyn FnMut(RowRef<'_>)) -> Result<(), StoreError> {
        self.with_bytes(key, |bytes| self.format.lend(bytes).map(look)).map(Option::unwrap_or_default)
    }

    #[inline]
    fn with_bytes<R>(
        &self,
        key: &[u8],
        work: impl FnOnce(&[u8]) -> Result<R, StoreError>,
    ) -> Result<Option<R>, StoreError> {
        match self.overlay.get(key) {
            Known::Row(bytes) => work(bytes).map(Some),
            Known::Absent => Ok(None),
            Known::Unknown => {
                let row = self.database.db.get_pinned_cf_opt(&self.family(&self.rows)?, key, &self.read);
                row.map_err(|error| self.failed("reading", &error))?.map(|bytes| work(&bytes)).transpose()
            }
        }
    }

    /// The row of `key`, of which nothing is on disk.
    pub(crate) fn get_pending(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        let Known::Row(bytes) = self.overlay.get(key) else { return Ok(None) };
        self.decode(bytes).map(Some)
    }

    /// The rows of `keys`; what must come from disk is read at once.
    pub(crate) fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<RowBuf>>, StoreError> {
        let known: Vec<Known<'_>> = keys.iter().map(|key| self.overlay.get(key)).collect();
        let unknown = keys.iter().zip(&known).filter(|(_, known)| matches!(known, Known::Unknown));
        let rows = self.family(&self.rows)?;
        let read = &self.read;
        let asked = unknown.map(|(key, _)| key);
        let mut committed = self.database.db.batched_multi_get_cf_opt(&rows, asked, false, read).into_iter();
        let row = |known| match known {
            Known::Row(bytes) => self.decode(bytes).map(Some),
            Known::Absent => Ok(None),
            Known::Unknown => match committed.next() {
                Some(Ok(found)) => found.map(|bytes| self.decode(&bytes)).transpose(),
                Some(Err(error)) => Err(self.failed("reading", &error)),
                None => Ok(None),
            },
        };
        known.into_iter().map(row).collect()
    }

    fn decode(&self, bytes: &[u8]) -> Result<RowBuf, StoreError> {
        self.format.decode(bytes.to_vec())
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
        let rows = may_be_on_disk.then(|| self.family(&self.rows)).transpose()?;
        let committed = rows.map(|rows| {
            let mut read = ReadOptions::default();
            if let Some(snapshot) = &self.snapshot {
                snapshot.set(&mut read);
            }
            read.set_iterate_lower_bound(range.from.clone());
            if let Some(to) = &range.to {
                read.set_iterate_upper_bound(to.clone());
            }
            OnDisk::new(self.database.db.raw_iterator_cf_opt(&rows, read), order)
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
}

impl Drop for Table {
    fn drop(&mut self) {
        if let Some(views) = &self.views {
            // Nobody reads below a store that somebody else may open.
            views.close();
            self.database.release(&self.name);
        }
    }
}
