//! What RocksDB said, with what to do about it.

use std::path::Path;

use headwater_store::StoreError;
use rocksdb::ErrorKind;

/// A failure of the database of `store`, which lies at `path`.
pub(crate) fn failed(store: &str, path: &Path, doing: &str, error: &rocksdb::Error) -> StoreError {
    let said = error.to_string();
    let at = path.display();
    let advice = match error.kind() {
        ErrorKind::Corruption => {
            format!("its files at {at} are damaged: delete that folder, and the store is restored from its changelog")
        }
        ErrorKind::IOError if is_locked(&said) => {
            format!(
                "{at} is open in another process or by another instance in this one: end that one, or give each \
                 its own state.dir"
            )
        }
        ErrorKind::IOError if said.contains("Permission denied") || said.contains("Read-only file system") => {
            format!("{at} is not writable: give this user the right to write there, or set another state.dir")
        }
        ErrorKind::IOError if said.contains("No space left") => {
            format!("the disk of {at} is full: make room, or set another state.dir")
        }
        ErrorKind::IOError if said.contains("Too many open files") => {
            format!("too many files are open: raise the limit of this process (ulimit -n); the store lies at {at}")
        }
        _ => format!("it lies at {at}"),
    };
    let reason = format!("{doing} failed: {advice} (RocksDB says: {said})");
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt { reason: format!("store {store}: {reason}") },
        _ => StoreError::Io { store: store.to_owned(), reason },
    }
}

fn is_locked(said: &str) -> bool {
    said.contains("lock hold by current process") || (said.contains("/LOCK") && !said.contains("Permission denied"))
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
