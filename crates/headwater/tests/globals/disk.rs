//! Stores on disk: what a restart has to read again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater::client::ClientError;
use headwater::memory::Api;
use headwater::runtime::Driven;

use crate::world::{Heard, Restored, World, all_run, capitals, cities};

/// A directory that is there as long as this.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        Directory(std::env::temp_dir().join(format!("headwater-globals-{}-{number}", std::process::id())))
    }

    fn global(&self) -> PathBuf {
        self.0.join("shopping/global")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn instance(world: &World, directory: &Path, restored: &Restored) -> Driven {
    let builder = world.builder(cities(), 1).set("dsl.store.suppliers.class", "rocksDB").state_dir(directory);
    builder.restore_listener(restored.clone()).drive().expect("an application")
}

fn with_shops(count: usize) -> World {
    let world = World::new();
    (0..count).for_each(|number| world.shop(&format!("shop{number}"), Some("Rome")));
    world
}

#[test]
fn a_restart_goes_on_from_what_was_committed() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 30);
    assert!(directory.global().join("rocksdb").is_dir(), "Java's place");
    world.close(instances);
    world.shop("late", Some("Oslo"));
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 1, "only what was not there before");
    assert_eq!(world.city_of(&mut instances, "shop29"), "Rome");
    assert_eq!(world.city_of(&mut instances, "late"), "Oslo");
}

#[test]
fn after_a_crash_what_was_not_committed_is_read_again() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 30);
    world.shop("late", Some("Oslo"));
    instances[0].turn();
    drop(instances);
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 1);
    assert_eq!(world.city_of(&mut instances, "late"), "Oslo");
}

#[test]
fn wiped_state_is_filled_from_the_beginning() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    world.close(instances);
    restored.take("shops");
    std::fs::remove_dir_all(directory.global()).unwrap();
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 30);
    assert_eq!(world.city_of(&mut instances, "shop29"), "Rome");
}

// KAFKA-21034: Java dies of a checkpoint that the log does not reach, at every start again.
#[test]
fn a_topic_made_anew_between_two_runs_is_no_crash_loop() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    world.close(instances);
    restored.take("shops");
    world.delete("shops");
    world.cluster.create_topic("shops", 2).unwrap();
    world.shop("shop1", Some("Oslo"));
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 1);
    assert_eq!(world.city_of(&mut instances, "shop1"), "Oslo");
    assert_eq!(world.city_of(&mut instances, "shop2"), "?", "it is not in the new topic");
}

// KAFKA-21034: local state that is damaged is no reason to end, since all of it lies in the topic.
#[test]
fn a_damaged_store_is_filled_anew() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    world.close(instances);
    restored.take("shops");
    let store = directory.global().join("rocksdb");
    for file in std::fs::read_dir(store).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("MANIFEST") {
            std::fs::write(file, "this is no manifest").unwrap();
        }
    }
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 30);
    assert_eq!(world.city_of(&mut instances, "shop29"), "Rome");
}

#[test]
fn a_topic_truncated_between_two_runs_is_no_crash_loop() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    world.close(instances);
    (30..90).for_each(|number| world.shop(&format!("shop{number}"), Some("Oslo")));
    world.truncate(25);
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(world.city_of(&mut instances, "shop1"), "?", "it is in the topic no longer");
    assert_eq!(world.city_of(&mut instances, "shop89"), "Oslo");
}

#[test]
fn stores_filled_anew_beside_those_that_are_read_take_their_place_for_good() {
    let (world, directory, restored) = (with_shops(30), Directory::new(), Restored::default());
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    let consumer = "shopping-00000000-0000-0000-0000-000000000001-global-consumer";
    let late = ClientError::TimedOut { request: "Fetch".to_owned() };
    world.cluster.faults().of_client(consumer).fail_next(Api::Fetch, 30, late);
    (30..90).for_each(|number| world.shop(&format!("shop{number}"), Some("Oslo")));
    world.truncate(25);
    world.run(&mut instances, 60);
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "shop1"), "?");
    assert_eq!(world.city_of(&mut instances, "shop89"), "Oslo");
    assert!(all_run(&instances));
    world.close(instances);
    restored.take("shops");
    let mut instances = vec![instance(&world, &directory.0, &restored)];
    world.run_until_running(&mut instances);
    assert_eq!(restored.take("shops"), 0, "they were committed with their marks");
    assert_eq!(world.city_of(&mut instances, "shop89"), "Oslo");
}

#[test]
fn a_processor_goes_on_after_the_last_record_that_was_committed() {
    let (world, directory, heard) = (World::new(), Directory::new(), Heard::default());
    let instance = || {
        let builder = world.builder(capitals(&heard), 1).set("dsl.store.suppliers.class", "rocksDB");
        vec![builder.state_dir(&directory.0).drive().expect("an application")]
    };
    world.shop("a", Some("rome"));
    let mut instances = instance();
    world.run_until_running(&mut instances);
    world.close(instances);
    assert_eq!(heard.take(), ["init", "a=rome", "close"]);
    world.shop("b", Some("oslo"));
    let mut instances = instance();
    world.run_until_running(&mut instances);
    assert_eq!(heard.take(), ["init", "b=oslo"]);
    assert_eq!(world.city_of(&mut instances, "a"), "ROME");
}
