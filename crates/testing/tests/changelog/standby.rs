//! Standbys follow.

use std::sync::Arc;
use std::time::Duration;

use headwater_record::Offset;
use headwater_runtime::changelog::{Restoring, Standby, StandbyEnd, StandbyUpdateListener, Updated};
use headwater_runtime::task::{StoreChoice, TaskStores};
use headwater_topology::TaskId;

use crate::disk_store::OnDiskWhenSynced;
use crate::world::{World, changelog, keys};

#[test]
fn a_standby_follows_the_changelog_and_goes_on_as_active_without_reading_anything_again() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 3);
    let mut updater = world.followed(&spec);
    world.fill(&log, 3, 4);
    assert!(world.turn(&mut updater).is_empty());
    let progress = &updater.progress()[&spec.id];
    assert_eq!((progress.active, progress.remaining(), progress.offset_sum), (false, Some(0), 6));
    let (stores, committed) = updater.remove(spec.id, StandbyEnd::Migrated).unwrap();
    assert_eq!(committed, Ok(()));
    assert_eq!(keys(&stores, world.store("a")).len(), 7);
    assert!(world.heard.take().is_empty(), "a standby is not restored");
    updater.restore(Restoring(stores));
    drop(world.until_restored(&mut updater));
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 7..7", "end a 0"]);
}

#[test]
fn a_standby_is_committed_now_and_then() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 3);
    let mut updater = world.followed(&spec);
    assert_eq!(world.directory.noted_offset_sums().unwrap().get(&spec.id), None);
    world.clock.advance(world.settings.commit_interval);
    assert!(world.turn(&mut updater).is_empty());
    assert_eq!(world.directory.noted_offset_sums().unwrap()[&spec.id], 2);
    drop(updater);
    assert_eq!(world.open(&spec).changelogs[0].offset, Some(Offset::new(2)));
}

#[test]
fn a_standby_comes_to_disk_by_age() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 3);
    let choice = StoreChoice { persistent: Some(&OnDiskWhenSynced), ..world.choice() };
    let open = || {
        let claim = world.directory.claim(spec.id).unwrap();
        TaskStores::open(&world.topology, &spec, &choice, claim).unwrap()
    };
    let mut updater = world.updater();
    updater.follow(Standby(open()));
    let step = world.settings.commit_interval;
    for _ in 0..2 + world.settings.sync_interval.as_secs() / step.as_secs() {
        world.clock.advance(step);
        assert!(world.turn(&mut updater).is_empty());
    }
    world.fill(&log, 3, 4);
    world.clock.advance(step);
    world.turn(&mut updater);
    drop(updater);
    assert_eq!(open().changelogs[0].offset, Some(Offset::new(2)), "what came last was committed only");
}

#[test]
fn standbys_wait_while_an_active_task_is_restored() {
    let mut world = World::new();
    world.poll_records = 2;
    world.fill(&changelog("a", 0), 0, 6);
    world.fill(&changelog("a", 1), 0, 6);
    let standby = TaskId::new(0, 1);
    let mut updater = world.updater();
    updater.follow(Standby(world.open(&world.spec(1, &["a"]))));
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    let applied = |updater: &headwater_runtime::changelog::Updater| updater.progress()[&standby].stores[0].applied;
    loop {
        let done = world.turn(&mut updater);
        assert_eq!(applied(&updater), 0);
        if let [Updated::Restored(stores)] = done.as_slice() {
            assert_eq!(stores.id, TaskId::new(0, 0));
            break;
        }
    }
    for expected in [2, 4, 6] {
        assert!(world.turn(&mut updater).is_empty());
        assert_eq!(applied(&updater), expected);
    }
}

#[test]
fn a_standby_of_a_source_topic_does_not_overtake_the_application() {
    let world = World::new();
    let (mut spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    spec.stores[0].source_changelog = true;
    world.fill(&log, 0, 6);
    world.commit_offset(&log, 2);
    let mut updater = world.followed(&spec);
    let applied = |updater: &headwater_runtime::changelog::Updater| updater.progress()[&spec.id].stores[0].applied;
    assert_eq!(applied(&updater), 2);
    world.commit_offset(&log, 5);
    world.fill(&log, 6, 2);
    assert!(world.turn(&mut updater).is_empty());
    assert_eq!(applied(&updater), 2, "it asks only now and then");
    world.clock.advance(world.settings.commit_interval);
    assert!(world.turn(&mut updater).is_empty());
    assert_eq!(applied(&updater), 5);
    world.commit_offset(&log, 8);
    for _ in 0..2 {
        world.clock.advance(world.settings.commit_interval);
        assert!(world.turn(&mut updater).is_empty());
    }
    assert_eq!(applied(&updater), 8);
    let (stores, _) = updater.remove(spec.id, StandbyEnd::Migrated).unwrap();
    assert_eq!(stores.changelogs[0].offset, Some(Offset::new(7)));
}

#[test]
fn a_standby_of_a_source_topic_that_is_taken_away_claims_nothing_it_has_only_read() {
    let world = World::new();
    let (mut spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    spec.stores[0].source_changelog = true;
    world.fill(&log, 0, 6);
    world.commit_offset(&log, 2);
    let mut updater = world.followed(&spec);
    let (stores, _) = updater.remove(spec.id, StandbyEnd::Migrated).unwrap();
    assert_eq!(stores.changelogs[0].offset, Some(Offset::new(1)));
    world.commit_offset(&log, 6);
    updater.follow(Standby(stores));
    world.clock.advance(Duration::from_millis(1));
    assert!(world.turn(&mut updater).is_empty());
    let (stores, _) = updater.remove(spec.id, StandbyEnd::Migrated).unwrap();
    assert_eq!(keys(&stores, world.store("a")).len(), 6);
}

#[test]
fn a_standby_that_is_promoted_keeps_what_it_has_and_is_restored_from_there() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 3);
    let mut updater =
        world.updater().with_standby_update_listener(Arc::clone(&world.heard) as Arc<dyn StandbyUpdateListener>);
    updater.follow(Standby(world.open(&spec)));
    assert!(world.turn(&mut updater).is_empty());
    let expected = ["follow a app-a-changelog-0 0", "loaded a 0_0 2 3 of Some(3)"];
    assert_eq!(world.heard.take(), expected);
    world.fill(&log, 3, 2);
    let (stores, committed) = updater.remove(spec.id, StandbyEnd::Promoted).unwrap();
    committed.unwrap();
    updater.restore(Restoring(stores));
    let stores = world.until_restored(&mut updater);
    assert_eq!(keys(&stores, world.store("a")).len(), 5);
    let expected = ["left a 3 of Some(3) Promoted", "start a app-a-changelog-0 3..5", "batch a 4 2", "end a 2"];
    assert_eq!(world.heard.take(), expected);
    updater.follow(Standby(stores));
    assert!(world.turn(&mut updater).is_empty());
    assert!(updater.remove(spec.id, StandbyEnd::Migrated).is_some());
    assert_eq!(world.heard.take(), ["follow a app-a-changelog-0 5", "left a 5 of Some(5) Migrated"]);
}

#[test]
fn an_updater_and_what_it_gives_back_may_go_to_another_thread() {
    fn may_go<T: Send>(_: &T) {}
    let world = World::new();
    let mut updater = world.updater();
    may_go(&updater);
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    may_go(&world.turn(&mut updater));
}
