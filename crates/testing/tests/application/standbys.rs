//! Standby tasks keep state warm elsewhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_record::{Offset, TopicPartition};
use headwater_runtime::changelog::RestoreListener;

use crate::world::World;

/// Notes how many records each restoration applied.
#[derive(Clone, Debug, Default)]
struct Applied(Arc<Mutex<Vec<u64>>>);

impl RestoreListener for Applied {
    fn on_start(&self, _changelog: &TopicPartition, _store: &str, _from: Offset, _to: Offset) {}

    fn on_end(&self, _changelog: &TopicPartition, _store: &str, total: u64) {
        self.0.lock().unwrap().push(total);
    }
}

#[test]
fn a_standby_takes_over_without_reading_its_changelog_again() {
    let mut world = World::new();
    let applied = Applied::default();
    let standbys = |world: &World, id| world.builder(id).set("num.standby.replicas", "1");
    let mut instances = vec![
        standbys(&world, 1).drive().unwrap(),
        standbys(&world, 2).restore_listener(applied.clone()).drive().unwrap(),
    ];
    world.feed(200);
    world.settle(&mut instances);
    // So that the standbys have read what was committed last.
    world.run(&mut instances, 20);
    applied.0.lock().unwrap().clear();
    drop(instances.remove(0));
    world.clock.advance(Duration::from_secs(46));
    world.feed(50);
    world.settle(&mut instances);
    let applied = applied.0.lock().unwrap().clone();
    assert!(!applied.is_empty(), "it took tasks over");
    assert_eq!(applied.iter().sum::<u64>(), 0, "their standbys had it all: {applied:?}");
}

#[test]
fn without_a_standby_the_changelog_is_read() {
    let mut world = World::new();
    let applied = Applied::default();
    let mut instances = vec![world.instance(1), world.builder(2).restore_listener(applied.clone()).drive().unwrap()];
    world.feed(200);
    world.settle(&mut instances);
    applied.0.lock().unwrap().clear();
    drop(instances.remove(0));
    world.clock.advance(Duration::from_secs(46));
    world.feed(50);
    world.settle(&mut instances);
    assert!(applied.0.lock().unwrap().iter().sum::<u64>() > 0);
}
