//! What RocksDB said, with what to do about it.

use std::fmt::Display;
use std::path::Path;

use headwater_store::StoreError;
use rocksdb::ErrorKind;

/// Of a database with a store or two: lock, log, manifest, and files of rows.
const FILES_OF_A_TASK: usize = 12;

/// A failure of the database at `path`, met by `store`.
pub(crate) fn failed(store: &str, path: &Path, doing: &str, error: &rocksdb::Error) -> StoreError {
    let said = error.to_string();
    let reason = format!("{doing} failed: {} (RocksDB says: {said})", advice(&path.display(), error.kind(), &said));
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt { reason: format!("store {store}: {reason}") },
        _ => StoreError::Io { store: store.to_owned(), reason },
    }
}

/// What to do. The cause comes before the file it was met at: a lock that cannot be made for want of room is no lock that is held.
fn advice(at: &dyn Display, kind: ErrorKind, said: &str) -> String {
    let says = |words: &str| said.contains(words);
    match kind {
        ErrorKind::Corruption => format!(
            "its files at {at} are damaged: delete that folder, and the stores in it are restored from their changelogs"
        ),
        ErrorKind::IOError if says("Permission denied") || says("Read-only file system") => {
            format!("{at} is not writable: give this user the right to write there, or set another state.dir")
        }
        ErrorKind::IOError if says("No space left") => {
            format!("the disk of {at} is full: make room, or set another state.dir")
        }
        ErrorKind::IOError if says("Too many open files") => format!(
            "too many files are open: raise the limit of this process (ulimit -n); a task with stores on disk has about \
             {FILES_OF_A_TASK} open, and more as they grow; this one lies at {at}"
        ),
        ErrorKind::IOError if says("lock hold by current process") || says("/LOCK") => format!(
            "{at} is open in another process or by another instance in this one: end that one, or give each its own \
             state.dir"
        ),
        _ => format!("it lies at {at}"),
    }
}

/// A folder that could not be made.
pub(crate) fn no_folder(store: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Io {
        store: store.to_owned(),
        reason: format!(
            "the folder {} could not be made ({error}): give this user the right to write there, or set another state.dir",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_and_not_the_file_it_was_met_at() {
        let advice = |said: &str| advice(&"/s/rocksdb", ErrorKind::IOError, said);
        let while_locking = "IO error: While open a file for lock: /s/rocksdb/LOCK: ";
        assert!(advice(&format!("{while_locking}Too many open files")).contains("ulimit -n"));
        assert!(advice(&format!("{while_locking}No space left on device")).contains("make room"));
        assert!(advice(&format!("{while_locking}Read-only file system")).contains("not writable"));
        assert!(advice(&format!("{while_locking}Permission denied")).contains("not writable"));
        let held = "IO error: While lock file: /s/rocksdb/LOCK: Resource temporarily unavailable";
        assert!(advice(held).contains("in another process"));
        assert!(advice("IO error: lock hold by current process, acquire time 1").contains("in another process"));
    }
}
