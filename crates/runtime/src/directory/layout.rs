//! Which file lies where.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use headwater_topology::TaskId;

use super::DirectoryError;

/// The lock file's name.
pub(super) const LOCK: &str = ".lock";
/// The name of the index of changelog offsets. Not Java's `.checkpoint`: an instance of Java that comes to the directory would take
/// them for the offsets of stores of its own, which are not there.
pub(super) const CHECKPOINT: &str = ".headwater-checkpoint";
/// The directory of global stores.
pub(super) const GLOBAL: &str = "global";
/// Where global stores are filled anew.
pub(super) const GLOBAL_BESIDE: &str = "global.new";
/// The process file's name.
pub(super) const PROCESS: &str = "kafka-streams-process-metadata";

/// The application's directory below `root`.
pub(super) fn application(root: &Path, application_id: &str) -> Result<PathBuf, DirectoryError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if application_id.is_empty() || application_id.chars().all(|c| c == '.') || !application_id.bytes().all(plain) {
        return Err(DirectoryError::ApplicationId(application_id.to_owned()));
    }
    Ok(root.join(application_id))
}

/// The directory of a task below the application's.
pub(super) fn task(application: &Path, task: TaskId) -> PathBuf {
    application.join(task.to_string())
}

/// Makes `path` and what leads to it, for this user only. That it is there already is fine.
pub(super) fn make(path: &Path) -> Result<(), DirectoryError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| DirectoryError::unusable(path, "made", &error))
}

/// The directories of tasks below the application's.
pub(super) fn tasks(application: &Path) -> Result<Vec<(TaskId, PathBuf)>, DirectoryError> {
    let unreadable = |error: &std::io::Error| DirectoryError::unusable(application, "read", error);
    let mut tasks = Vec::new();
    for entry in fs::read_dir(application).map_err(|error| unreadable(&error))? {
        let entry = entry.map_err(|error| unreadable(&error))?;
        let id = entry.file_name().to_str().and_then(|name| name.parse::<TaskId>().ok());
        if let Some(id) = id
            && entry.path().is_dir()
        {
            tasks.push((id, entry.path()));
        }
    }
    tasks.sort_by_key(|(id, _)| *id);
    Ok(tasks)
}

/// Whether a task's directory holds more than the files that say something about it.
pub(super) fn holds_state(task: &Path) -> bool {
    let Ok(entries) = fs::read_dir(task) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        name != LOCK && name != CHECKPOINT
    })
}

/// Deletes a directory and all in it. That it is not there is fine.
pub(super) fn delete(path: &Path) -> Result<(), DirectoryError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(DirectoryError::unusable(path, "deleted", &error)),
        _ => Ok(()),
    }
}

/// Writes a file so that a reader finds either the old or the new content; with `durable` also after a crash of the machine.
pub(super) fn replace(path: &Path, content: &str, durable: bool) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut file = fs::File::create(&temporary)?;
    file.write_all(content.as_bytes())?;
    if durable {
        file.sync_all()?;
    }
    fs::rename(&temporary, path)
}
