//! The state directory on a real file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_topology::TaskId;
use uuid::Uuid;

use super::{DirectoryError, StateDirectory};

/// A directory for one test, deleted at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("headwater-directory-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn open(&self) -> Result<StateDirectory, DirectoryError> {
        StateDirectory::open(&self.0, "app", true)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn with_state(directory: &StateDirectory, task: TaskId) {
    let claim = directory.claim(task).unwrap();
    let path = claim.prepare().unwrap().unwrap();
    fs::create_dir(path.join("rocksdb")).unwrap();
}

#[test]
fn a_process_keeps_its_id_over_restarts() {
    let scratch = Scratch::new();
    let first = scratch.open().unwrap().process_id();
    assert_eq!(scratch.open().unwrap().process_id(), first);
    let text = fs::read_to_string(scratch.0.join("app/kafka-streams-process-metadata")).unwrap();
    assert_eq!(text, format!("{{\"processId\":\"{first}\"}}"));
}

#[test]
fn a_process_file_with_unknown_fields_is_read_and_one_that_is_none_is_written_anew() {
    let scratch = Scratch::new();
    let file = scratch.0.join("app/kafka-streams-process-metadata");
    drop(scratch.open().unwrap());
    let id = Uuid::from_u128(7);
    fs::write(&file, format!("{{\"later\":1,\"processId\":\"{id}\"}}")).unwrap();
    assert_eq!(scratch.open().unwrap().process_id(), id);
    fs::write(&file, "not json").unwrap();
    let fresh = scratch.open().unwrap().process_id();
    assert_ne!(fresh, id);
    assert_eq!(scratch.open().unwrap().process_id(), fresh);
}

#[test]
fn a_second_process_is_told_what_to_do() {
    let scratch = Scratch::new();
    let first = scratch.open().unwrap();
    let error = scratch.open().unwrap_err();
    assert_eq!(error, DirectoryError::Locked { path: scratch.0.join("app") });
    assert!(error.to_string().contains("state.dir of its own"), "{error}");
    drop(first);
    assert!(scratch.open().is_ok());
}

#[test]
fn a_directory_that_cannot_be_made_names_path_and_cure() {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("file"), "").unwrap();
    let error = StateDirectory::open(&scratch.0.join("file"), "app", true).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DirectoryError::Unusable { .. }), "{error:?}");
    assert!(text.contains("file/app") && text.contains("set state.dir to"), "{text}");
    assert!(matches!(StateDirectory::open(&scratch.0, "../x", true), Err(DirectoryError::ApplicationId(_))));
}

#[test]
fn without_stores_on_disk_nothing_is_touched() {
    let scratch = Scratch::new();
    let first = StateDirectory::open(&scratch.0, "app", false).unwrap();
    let second = StateDirectory::open(&scratch.0, "app", false).unwrap();
    assert_ne!(first.process_id(), second.process_id());
    let claim = first.claim(TaskId::new(0, 0)).unwrap();
    assert_eq!(claim.prepare(), Ok(None));
    assert!(!scratch.0.join("app").exists());
}

#[test]
fn a_task_has_one_owner_at_a_time() {
    let scratch = Scratch::new();
    let directory = scratch.open().unwrap();
    let task = TaskId::new(0, 3);
    let claim = directory.claim(task).unwrap();
    assert!(directory.claim(task).is_none());
    assert_eq!(claim.path(), Some(scratch.0.join("app/0_3")));
    drop(claim);
    assert!(directory.claim(task).is_some());
}

#[cfg(unix)]
#[test]
fn directories_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let directory = scratch.open().unwrap();
    with_state(&directory, TaskId::new(0, 0));
    for path in ["app", "app/0_0"] {
        assert_eq!(fs::metadata(scratch.0.join(path)).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn noted_offsets_are_told_of_tasks_that_nobody_has_open() {
    let scratch = Scratch::new();
    let directory = scratch.open().unwrap();
    let (task, empty) = (TaskId::new(1, 0), TaskId::new(1, 1));
    with_state(&directory, task);
    let noted = BTreeMap::from([
        (TopicPartition::new("app-a-changelog", 0), Some(Offset::new(41))),
        (TopicPartition::new("app-b-changelog", 0), Some(Offset::new(1))),
        (TopicPartition::new("app-c-changelog", 0), None),
    ]);
    directory.claim(task).unwrap().note_offsets(&noted).unwrap();
    let without_state = directory.claim(empty).unwrap();
    without_state.prepare().unwrap();
    without_state.note_offsets(&noted).unwrap();
    assert_eq!(directory.tasks_with_state().unwrap(), BTreeSet::from([task]));
    assert_eq!(directory.noted_offsets(task).len(), 2);
    assert_eq!(directory.noted_offset_sums().unwrap(), BTreeMap::from([(task, 42)]));
}

#[test]
fn obsolete_state_is_deleted_unless_somebody_has_it() {
    let scratch = Scratch::new();
    let directory = scratch.open().unwrap();
    let (gone, here) = (TaskId::new(0, 0), TaskId::new(0, 1));
    with_state(&directory, gone);
    with_state(&directory, here);
    let claim = directory.claim(here).unwrap();
    let changed = fs::metadata(scratch.0.join("app/0_0")).unwrap().modified().unwrap();
    let changed = changed.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let delay = Duration::from_mins(10);
    let early = Timestamp::from_millis(changed).plus(delay);
    assert_eq!(directory.delete_obsolete(early, delay), Ok(Vec::new()));
    let late = early.plus(Duration::from_mins(1));
    assert_eq!(directory.delete_obsolete(late, delay), Ok(vec![gone]));
    assert_eq!(directory.tasks_with_state().unwrap(), BTreeSet::from([here]));
    drop(claim);
    assert_eq!(directory.delete_all(), Ok(vec![here]));
}
