//! A small key-value store that keeps its content in one file, written as a whole at each commit.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use headwater_record::{Offset, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{OpenContext, Row, RowBuf, RowFormat, StateStore, Store, StoreError, StoreSpec, StoreSupplier};

/// Keeps stores in files.
#[derive(Debug)]
pub(crate) struct OnDisk;

/// Keeps stores in files, and writes them when it is told to: what was committed since is lost in a crash.
#[derive(Debug)]
pub(crate) struct OnDiskWhenSynced;

/// Keeps stores nowhere.
#[derive(Debug)]
pub(crate) struct InMemory;

#[derive(Debug)]
struct Table {
    name: String,
    file: Option<PathBuf>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    offset: Option<Offset>,
    pending: usize,
    /// Whether a commit writes the file.
    durable: bool,
}

fn open_on_disk(spec: &StoreSpec, context: OpenContext<'_>, durable: bool) -> Store {
    let directory = context.task_directory.expect("a store on disk is opened in a directory");
    let file = directory.join(&spec.name);
    let (rows, offset) = load(&file);
    let name = spec.name.clone();
    Store::KeyValue(Box::new(Table { name, file: Some(file), rows, offset, pending: 0, durable }))
}

impl StoreSupplier for OnDiskWhenSynced {
    fn is_persistent(&self) -> bool {
        true
    }
    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError> {
        Ok(open_on_disk(spec, context, false))
    }
}

impl StoreSupplier for OnDisk {
    fn is_persistent(&self) -> bool {
        true
    }
    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError> {
        Ok(open_on_disk(spec, context, true))
    }
}

impl StoreSupplier for InMemory {
    fn is_persistent(&self) -> bool {
        false
    }
    fn open(&self, spec: &StoreSpec, _: OpenContext<'_>) -> Result<Store, StoreError> {
        let (name, rows) = (spec.name.clone(), BTreeMap::new());
        Ok(Store::KeyValue(Box::new(Table { name, file: None, rows, offset: None, pending: 0, durable: false })))
    }
}

/// One line of the offset, then lines of key and value.
fn load(file: &Path) -> (BTreeMap<Vec<u8>, Vec<u8>>, Option<Offset>) {
    let Ok(text) = fs::read_to_string(file) else { return (BTreeMap::new(), None) };
    let mut lines = text.lines();
    let offset = lines.next().and_then(|line| line.parse().ok()).map(Offset::new);
    let row = |line: &str| line.split_once(' ').map(|(key, value)| (key.into(), value.into()));
    (lines.filter_map(row).collect(), offset)
}

impl Table {
    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.pending += key.len() + value.map_or(0, <[u8]>::len);
        match value {
            Some(value) => self.rows.insert(key.to_vec(), value.to_vec()),
            None => self.rows.remove(key),
        };
    }
}

impl Table {
    fn write(&self) -> Result<(), StoreError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut text = self.offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        for (key, value) in &self.rows {
            let line = [b"\n", key.as_slice(), b" ", value].concat();
            text.push_str(std::str::from_utf8(&line).expect("tests write text"));
        }
        fs::write(file, text).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> StoreError {
        StoreError::Io { store: self.name.clone(), reason: error.to_string() }
    }
}

impl StateStore for Table {
    fn name(&self) -> &str {
        &self.name
    }
    fn is_persistent(&self) -> bool {
        self.file.is_some()
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.offset)
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.offset = changelog.or(self.offset);
        self.pending = 0;
        if self.durable { self.write() } else { Ok(()) }
    }
    /// Leaves a file that says which offset was brought to disk.
    fn sync(&mut self) -> Result<(), StoreError> {
        self.write()?;
        let (Some(file), Some(offset)) = (&self.file, self.offset) else { return Ok(()) };
        fs::write(file.with_extension("synced"), offset.to_string()).map_err(|error| self.failed(&error))
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        for record in records {
            self.set(record.key.expect("records without a key are skipped before"), record.value);
        }
        Ok(())
    }
    fn pending_bytes(&self) -> usize {
        self.pending
    }
}

impl KeyValueBytes for Table {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.rows.get(key).map(|value| RowFormat::Plain.decode(value.clone())).transpose()
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        self.set(key, row.map(|row| row.value));
        Ok(())
    }
    fn scan(&self, range: KeyRange<'_>, _: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        let bound = |bound: Bound<&[u8]>| bound.map(<[u8]>::to_vec);
        for (key, value) in self.rows.range((bound(range.from), bound(range.to))).take(limit) {
            into.push(Entry { key: key.clone(), row: RowFormat::Plain.decode(value.clone())? });
        }
        Ok(Scan::Done)
    }
    fn approximate_len(&self) -> u64 {
        self.rows.len() as u64
    }
}
