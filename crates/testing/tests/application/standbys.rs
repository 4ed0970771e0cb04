//! Standby tasks keep state warm elsewhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_record::{Offset, TopicPartition};
use headwater_runtime::changelog::{RestoreListener, StandbyEnd, StandbyUpdateListener};
use headwater_topology::TaskId;

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

/// Notes what it hears of standbys.
#[derive(Clone, Debug, Default)]
struct Followed(Arc<Mutex<Vec<&'static str>>>);

impl Followed {
    fn hear(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn count(&self, what: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|heard| **heard == what).count()
    }
}

impl StandbyUpdateListener for Followed {
    fn on_start(&self, _: &TopicPartition, _: &str, _: Offset) {
        self.hear("start");
    }

    fn on_batch(&self, _: &TopicPartition, _: &str, _: TaskId, _: Offset, _: u64, _: Option<Offset>) {
        self.hear("batch");
    }

    fn on_suspended(&self, _: &TopicPartition, _: &str, _: Offset, _: Option<Offset>, why: StandbyEnd) {
        self.hear(if why == StandbyEnd::Promoted { "promoted" } else { "migrated" });
    }
}

#[test]
fn an_application_tells_its_listener_how_standbys_follow() {
    let mut world = World::new();
    let followed = Followed::default();
    let standbys = |world: &World, id| world.builder(id).set("num.standby.replicas", "1");
    let mut instances = vec![
        standbys(&world, 1).drive().unwrap(),
        standbys(&world, 2).standby_update_listener(followed.clone()).drive().unwrap(),
    ];
    world.feed(200);
    world.settle(&mut instances);
    world.run(&mut instances, 20);
    let standbys = followed.count("start") - followed.count("promoted") - followed.count("migrated");
    assert!(standbys > 0 && followed.count("batch") > 0, "{followed:?}");
    let promoted = followed.count("promoted");
    drop(instances.remove(0));
    world.clock.advance(Duration::from_secs(46));
    world.feed(50);
    world.settle(&mut instances);
    assert_eq!(followed.count("promoted") - promoted, standbys, "{followed:?}");
}
