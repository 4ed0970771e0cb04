//! State on disk: what a restart has to read again, and what a directory is good for.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_client::{ClientConfig, ClientSupplier};
use headwater_record::{Clock as _, Deadline, TopicPartition};
use headwater_runtime::assignment::{LATEST_OFFSET, Subscriber};
use headwater_runtime::changelog::RestoreListener;
use headwater_runtime::{Builder, CloseOptions, Driven, ErrorKind, NoDefault, State, StoreMakers, SystemClock};

use crate::disk_store::{InMemory, OnDisk};
use crate::world::{APPLICATION, World};

/// A directory that is there as long as this.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        Directory(std::env::temp_dir().join(format!("headwater-application-{}-{number}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many records were restored.
#[derive(Clone, Debug, Default)]
struct Restored(Arc<Mutex<u64>>);

impl RestoreListener for Restored {
    fn on_end(&self, _changelog: &TopicPartition, _store: &str, total: u64) {
        *self.0.lock().unwrap() += total;
    }
}

impl Restored {
    fn take(&self) -> u64 {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn builder(world: &World, directory: &Path, restored: &Restored) -> Builder<NoDefault> {
    let stores = StoreMakers { in_memory: Arc::new(InMemory), persistent: Some(Arc::new(OnDisk)) };
    let builder = world.builder(1).stores(stores).set("dsl.store.suppliers.class", "rocksDB");
    builder.state_dir(directory).restore_listener(restored.clone())
}

fn close(world: &World, mut instances: Vec<Driven>) {
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
}

#[test]
fn a_restart_reads_nothing_again() {
    let (mut world, directory, restored) = (World::new(), Directory::new(), Restored::default());
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed(100);
    world.settle(&mut instances);
    close(&world, instances);
    restored.take();
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed(10);
    world.settle(&mut instances);
    assert_eq!(restored.take(), 0);
}

#[test]
fn after_a_crash_only_what_followed_the_last_commit_is_read_again() {
    let (mut world, directory, restored) = (World::new(), Directory::new(), Restored::default());
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed(100);
    world.settle(&mut instances);
    drop(instances);
    world.clock.advance(Duration::from_secs(46));
    restored.take();
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed(10);
    world.settle(&mut instances);
    assert_eq!(restored.take(), 0, "it was committed when it crashed");
}

#[test]
fn a_lost_directory_is_restored_from_the_changelog() {
    let (mut world, directory, restored) = (World::new(), Directory::new(), Restored::default());
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed(100);
    world.settle(&mut instances);
    close(&world, instances);
    let elsewhere = Directory::new();
    restored.take();
    let mut instances = vec![builder(&world, &elsewhere.0, &restored).drive().unwrap()];
    world.feed(10);
    world.settle(&mut instances);
    assert_eq!(restored.take(), 200, "each of the 200 words was a change");
}

#[test]
fn state_that_does_not_go_with_its_changelog_is_deleted_and_restored() {
    let (mut world, directory, restored) = (World::new(), Directory::new(), Restored::default());
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed(100);
    world.settle(&mut instances);
    close(&world, instances);
    // The changelog is gone, and with it the counts; the directory still has them.
    let changelog = headwater_record::Topic::from("word-count-counts-changelog");
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    for deleted in admin.delete_topics(&[changelog], Deadline::NOW).unwrap() {
        deleted.unwrap();
    }
    let mut instances = vec![builder(&world, &directory.0, &restored).drive().unwrap()];
    world.feed_line("anew");
    world.run_until(&mut instances, "it counts", |_| world.counts().get("anew") == Some(&1));
    world.feed_line("w0");
    world.run_until(&mut instances, "what Kafka has not is not counted", |_| world.counts().get("w0") == Some(&1));
}

/// As in Java, where a thread tells what lies in directories that it can lock. A thread that told of another's open state was given what
/// the other ran, and so in turn: the group came to no rest.
#[test]
fn a_thread_tells_the_group_nothing_of_what_another_has_open() {
    let (mut world, directory, restored) = (World::new(), Directory::new(), Restored::default());
    let mut instances = vec![builder(&world, &directory.0, &restored).threads(2).drive().unwrap()];
    world.feed(50);
    world.settle(&mut instances);
    // All tell anew.
    instances.push(world.instance(2));
    world.feed(50);
    world.settle(&mut instances);
    let group = world.cluster.group(APPLICATION);
    let told = group.members.iter().filter(|member| member.client_id.contains("-000000000001-"));
    let told: Vec<_> = told
        .map(|member| {
            Subscriber::decode(member.member_id.clone(), None, &member.subscription).unwrap().info.offset_sums
        })
        .collect();
    assert_eq!(told.len(), 2);
    for (one, other) in [(&told[0], &told[1]), (&told[1], &told[0])] {
        let mut running = one.iter().filter(|(_, sum)| **sum == LATEST_OFFSET).peekable();
        assert!(running.peek().is_some(), "{told:?}");
        assert!(running.all(|(task, _)| !other.contains_key(task)), "{told:?}");
    }
}

#[test]
fn a_directory_belongs_to_one_instance() {
    let (world, directory, restored) = (World::new(), Directory::new(), Restored::default());
    let first = builder(&world, &directory.0, &restored).drive().unwrap();
    let error = builder(&world, &directory.0, &restored).drive().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("state.dir"), "{error}");
    let elsewhere = Directory::new();
    builder(&world, &elsewhere.0, &restored).drive().unwrap();
    drop(first);
    builder(&world, &directory.0, &restored).drive().unwrap();
}

#[test]
fn state_of_tasks_that_went_elsewhere_is_deleted_after_a_while() {
    for (delay, left) in [("1000", 2), ("600000", 4)] {
        let (mut world, directory, restored) = (World::new(), Directory::new(), Restored::default());
        // Directories are as old as the system says.
        world.clock.set(SystemClock.now());
        let first = builder(&world, &directory.0, &restored).set("state.cleanup.delay.ms", delay);
        let mut instances = vec![first.drive().unwrap()];
        world.feed(50);
        world.settle(&mut instances);
        instances.push(world.instance(2));
        world.feed(50);
        world.settle(&mut instances);
        world.run(&mut instances, 150);
        let of_application = std::fs::read_dir(directory.0.join("word-count")).unwrap();
        let is_task = |name: &str| name.starts_with("1_");
        let tasks = of_application.filter(|entry| is_task(&entry.as_ref().unwrap().file_name().to_string_lossy()));
        assert_eq!(tasks.count(), left, "{delay}");
    }
}

#[test]
fn a_store_on_disk_needs_a_build_that_has_one() {
    let world = World::new();
    let error = world.builder(1).set("dsl.store.suppliers.class", "rocksDB").drive().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("feature `rocksdb`"), "{error}");
}
