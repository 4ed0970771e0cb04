//! A disk that loses, when the process dies, what was written last: of each store some of the last commits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_record::{Header, Offset, OwnedRecord, Partition, RawRecord, Timestamp};
use headwater_store::StoreError;

use super::dice::Dice;

/// The journal of an open store.
#[derive(Debug)]
struct Open {
    process: String,
    /// Where each commit ends in the file.
    ends: Vec<u64>,
    /// So many commits are on disk for good.
    durable: usize,
}

/// All journals that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<BTreeMap<PathBuf, Open>>>);

impl Disk {
    fn open(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process dies: each of its stores keeps what is on disk for good, and perhaps some of what followed. Gives how many commits
    /// were lost.
    pub(crate) fn crash(&self, process: &str, dice: &mut Dice) -> usize {
        let mut open = self.open();
        let mut lost = 0;
        for (path, journal) in open.iter().filter(|(_, journal)| journal.process == process) {
            let commits = journal.ends.len();
            // One time in two all of it was on its way to the disk already.
            let kept =
                if dice.one_in(2) { commits } else { journal.durable + dice.index(commits - journal.durable + 1) };
            lost += commits - kept;
            let length = kept.checked_sub(1).and_then(|last| journal.ends.get(last)).copied().unwrap_or(0);
            // A file that was deleted meanwhile has nothing to lose.
            if let Ok(file) = File::options().write(true).open(path) {
                let _ = file.set_len(length);
            }
        }
        open.retain(|_, journal| journal.process != process);
        lost
    }
}

/// What a store has of its changelogs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contained {
    pub(crate) offset: Option<Offset>,
    pub(crate) of_partitions: BTreeMap<Partition, Offset>,
}

/// What one store writes: commits one behind the other, each with what it changed and the offset that it reached.
#[derive(Debug)]
pub(crate) struct Journal {
    disk: Disk,
    process: String,
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
    pub(crate) contained: Contained,
}

impl Journal {
    /// Opens the journal at `path`; what it holds goes to `replay`.
    pub(crate) fn open(
        disk: &Disk,
        process: &str,
        path: &Path,
        replay: impl FnMut(&OwnedRecord) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| io(path, &error);
        let mut file = File::options().create(true).append(true).read(true).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (contained, ends) = read(&bytes, replay)?;
        let open = Open { process: process.to_owned(), durable: ends.len(), ends };
        disk.open().insert(path.to_owned(), open);
        let (disk, process, path) = (disk.clone(), process.to_owned(), path.to_owned());
        Ok(Journal { disk, process, path, file, pending: Vec::new(), contained })
    }

    /// A change, not committed yet.
    pub(crate) fn change(&mut self, record: &RawRecord<'_>) {
        let into = &mut self.pending;
        into.push(b'R');
        put(into, record.key);
        put(into, record.value);
        into.extend_from_slice(&record.timestamp.millis().to_le_bytes());
        let headers = record.headers.to_headers().to_vec();
        into.extend_from_slice(&(headers.len() as u32).to_le_bytes());
        for header in headers {
            put(into, Some(header.name.as_bytes()));
            put(into, header.value.as_deref());
        }
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Commits what was changed with what the store contains now.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        let into = &mut self.pending;
        into.push(b'C');
        into.extend_from_slice(&self.contained.offset.map_or(-1, Offset::value).to_le_bytes());
        into.extend_from_slice(&(self.contained.of_partitions.len() as u32).to_le_bytes());
        for (partition, offset) in &self.contained.of_partitions {
            into.extend_from_slice(&partition.to_le_bytes());
            into.extend_from_slice(&offset.value().to_le_bytes());
        }
        self.file.write_all(into).map_err(|error| io(&self.path, &error))?;
        if let Some(journal) = self.disk.open().get_mut(&self.path) {
            let before = journal.ends.last().copied().unwrap_or(0);
            journal.ends.push(before + into.len() as u64);
        }
        into.clear();
        Ok(())
    }

    /// What was committed is on disk for good.
    pub(crate) fn sync(&mut self) {
        if let Some(journal) = self.disk.open().get_mut(&self.path) {
            journal.durable = journal.ends.len();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut open = self.disk.open();
        if open.get(&self.path).is_some_and(|journal| journal.process == self.process) {
            open.remove(&self.path);
        }
    }
}

fn io(path: &Path, error: &std::io::Error) -> StoreError {
    let store = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    StoreError::Io { store, reason: error.to_string() }
}

fn put(into: &mut Vec<u8>, bytes: Option<&[u8]>) {
    into.extend_from_slice(&bytes.map_or(-1, |bytes| bytes.len() as i32).to_le_bytes());
    into.extend_from_slice(bytes.unwrap_or_default());
}

fn read(
    bytes: &[u8],
    mut replay: impl FnMut(&OwnedRecord) -> Result<(), StoreError>,
) -> Result<(Contained, Vec<u64>), StoreError> {
    let cut = || StoreError::Corrupt { reason: "the journal ends in the middle of a commit".to_owned() };
    let (mut left, mut contained, mut ends) = (bytes, Contained::default(), Vec::new());
    while let Some(tag) = left.split_off_first() {
        if *tag == b'R' {
            replay(&record(&mut left).ok_or_else(cut)?)?;
        } else {
            commit(&mut left, &mut contained).ok_or_else(cut)?;
            ends.push((bytes.len() - left.len()) as u64);
        }
    }
    Ok((contained, ends))
}

fn number<const N: usize>(left: &mut &[u8]) -> Option<[u8; N]> {
    let (number, rest) = left.split_first_chunk::<N>()?;
    *left = rest;
    Some(*number)
}

/// It ends too early.
struct Cut;

/// Bytes, which may be none.
fn text<'a>(left: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Cut> {
    match usize::try_from(i32::from_le_bytes(number(left).ok_or(Cut)?)) {
        Ok(length) => left.split_off(..length).map(Some).ok_or(Cut),
        Err(_) => Ok(None),
    }
}

fn record(left: &mut &[u8]) -> Option<OwnedRecord> {
    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec).map(Into::into);
    let (key, value) = (bytes(text(left).ok()?), bytes(text(left).ok()?));
    let timestamp = Timestamp::from_millis(i64::from_le_bytes(number(left)?));
    let mut headers = Vec::new();
    for _ in 0..u32::from_le_bytes(number(left)?) {
        let name = std::str::from_utf8(text(left).ok()??).ok()?.into();
        headers.push(Header { name, value: bytes(text(left).ok()?) });
    }
    Some(OwnedRecord { offset: Offset::UNKNOWN, timestamp, key, value, headers })
}

fn commit(left: &mut &[u8], contained: &mut Contained) -> Option<()> {
    let offset = i64::from_le_bytes(number(left)?);
    contained.offset = (offset >= 0).then(|| Offset::new(offset));
    for _ in 0..u32::from_le_bytes(number(left)?) {
        let partition = i32::from_le_bytes(number(left)?);
        contained.of_partitions.insert(partition, Offset::new(i64::from_le_bytes(number(left)?)));
    }
    Some(())
}
