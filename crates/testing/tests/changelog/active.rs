//! Active tasks are restored.

use headwater_client_memory::Tombstones;
use headwater_record::Offset;
use headwater_runtime::changelog::{Restoring, StandbyEnd, Updated};
use headwater_runtime::task::{ConfiguredStores, OpenError, StoreChoice, keeps_state};
use headwater_topology::TaskId;

use crate::disk_store::InMemory;
use crate::world::{World, changelog, keys};

#[test]
fn exactly_the_records_after_the_committed_offset_are_restored_and_counted() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 10);
    let stores = world.restored(&spec);
    assert_eq!(keys(&stores, world.store("a")).len(), 10);
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 0..10", "batch a 9 10", "end a 10"]);
    assert_eq!(stores.changelogs[0].offset, Some(Offset::new(9)));
    drop(stores);

    world.fill(&log, 10, 5);
    let stores = world.restored(&spec);
    assert_eq!(keys(&stores, world.store("a")).len(), 15);
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 10..15", "batch a 14 5", "end a 5"]);
}

#[test]
fn what_was_restored_comes_to_disk_at_once() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 10);
    let stores = world.restored(&spec);
    let synced = stores.claim.path().unwrap().join("a.synced");
    assert_eq!(std::fs::read_to_string(&synced).unwrap(), "9");
}

#[test]
fn a_store_in_memory_is_restored_from_the_beginning_each_time() {
    let mut world = World::new();
    world.configured = ConfiguredStores::InMemory;
    let spec = world.spec(0, &["a"]);
    world.fill(&changelog("a", 0), 0, 3);
    for _ in 0..2 {
        drop(world.restored(&spec));
        assert_eq!(world.heard.take().last().unwrap(), "end a 3");
    }
    assert!(world.directory.tasks_with_state().unwrap().is_empty(), "nothing was made on disk");
}

#[test]
fn a_task_is_given_back_when_all_its_stores_are_complete() {
    let mut world = World::new();
    world.poll_records = 2;
    world.fill(&changelog("a", 0), 0, 2);
    world.fill(&changelog("b", 0), 0, 5);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a", "b"]))));
    let mut remaining = Vec::new();
    let stores = loop {
        match world.turn(&mut updater).pop() {
            Some(Updated::Restored(stores)) => break stores,
            Some(failed @ Updated::Failed { .. }) => panic!("{failed:?}"),
            None => remaining.push(updater.progress()[&TaskId::new(0, 0)].remaining().unwrap()),
        }
    };
    assert_eq!(remaining, [5, 3, 1]);
    assert!(updater.is_idle());
    assert_eq!(keys(&stores, world.store("a")), ["k0", "k1"]);
    assert_eq!(keys(&stores, world.store("b")).len(), 5);
    let offsets: Vec<_> = stores.changelogs.iter().map(|changelog| changelog.offset.unwrap().value()).collect();
    assert_eq!(offsets, [1, 4]);
    assert_eq!(world.directory.noted_offset_sums().unwrap()[&TaskId::new(0, 0)], 5);
}

#[test]
fn changelogs_of_several_tasks_are_read_together() {
    let world = World::new();
    world.fill(&changelog("a", 0), 0, 3);
    world.fill(&changelog("a", 1), 0, 4);
    let mut updater = world.updater();
    for partition in [0, 1] {
        updater.restore(Restoring(world.open(&world.spec(partition, &["a"]))));
    }
    let done = world.turn(&mut updater);
    assert_eq!(done.len(), 2, "one turn for both: {done:?}");
    let mut ends = world.heard.take();
    ends.retain(|heard| heard.starts_with("end"));
    assert_eq!(ends, ["end a 3", "end a 4"]);
}

#[test]
fn an_empty_changelog_and_a_task_without_changelogs_are_complete_at_once() {
    let world = World::new();
    drop(world.restored(&world.spec(0, &["a"])));
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 0..0", "end a 0"]);
    let mut spec = world.spec(0, &["a"]);
    spec.stores[0].changelog = None;
    let stores = world.restored(&spec);
    assert!(stores.changelogs.is_empty());
    assert!(world.heard.take().is_empty());
}

#[test]
fn tombstones_delete_and_records_without_a_key_are_passed_over() {
    let world = World::new();
    let log = changelog("a", 0);
    world.delete(&log);
    world.create(&log, "delete");
    world.write(&log, Some("x"), Some("1"));
    world.write(&log, None, Some("lost"));
    world.write(&log, Some("y"), Some("2"));
    world.write(&log, Some("x"), None);
    let stores = world.restored(&world.spec(0, &["a"]));
    assert_eq!(keys(&stores, world.store("a")), ["y"]);
    assert_eq!(world.heard.take().last().unwrap(), "end a 3");
    assert_eq!(stores.changelogs[0].offset, Some(Offset::new(3)));
}

#[test]
fn gaps_that_compaction_left_are_passed_and_not_counted() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    for value in ["1", "2", "3"] {
        world.write(&log, Some("x"), Some(value));
    }
    world.write(&log, Some("y"), Some("1"));
    world.cluster.compact(&log.topic, Tombstones::Keep).unwrap();
    drop(world.restored(&spec));
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 0..4", "batch a 3 2", "end a 2"]);
    world.write(&log, Some("z"), Some("1"));
    world.write(&log, Some("z"), None);
    world.cluster.compact(&log.topic, Tombstones::Remove).unwrap();
    let stores = world.restored(&spec);
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 4..6", "end a 0"], "nothing is left of z");
    assert_eq!(stores.changelogs[0].offset, Some(Offset::new(5)));
}

#[test]
fn records_written_after_the_restore_began_are_left_to_those_who_wrote_them() {
    let mut world = World::new();
    world.poll_records = 2;
    let log = changelog("a", 0);
    world.fill(&log, 0, 5);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    assert!(world.turn(&mut updater).is_empty());
    world.fill(&log, 5, 5);
    let stores = world.until_restored(&mut updater);
    assert_eq!(keys(&stores, world.store("a")).len(), 5);
    assert_eq!(stores.changelogs[0].offset, Some(Offset::new(4)));
}

#[test]
fn a_task_that_is_taken_away_keeps_what_it_has_restored() {
    let mut world = World::new();
    world.poll_records = 2;
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 5);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&spec)));
    assert!(world.turn(&mut updater).is_empty());
    let (stores, committed) = updater.remove(spec.id, StandbyEnd::Migrated).unwrap();
    assert_eq!(committed, Ok(()));
    assert!(updater.remove(spec.id, StandbyEnd::Migrated).is_none());
    drop(stores);
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 0..5", "batch a 1 2", "suspended a 2"]);
    drop(world.restored(&spec));
    assert_eq!(world.heard.take().first().unwrap(), "start a app-a-changelog-0 2..5");
}

#[test]
fn what_was_not_committed_before_a_crash_is_restored_again() {
    let mut world = World::new();
    world.poll_records = 2;
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 6);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&spec)));
    assert!(world.turn(&mut updater).is_empty());
    world.clock.advance(world.settings.commit_interval);
    assert!(world.turn(&mut updater).is_empty(), "commits four records");
    drop(updater);
    world.heard.take();
    let stores = world.restored(&spec);
    assert_eq!(world.heard.take().first().unwrap(), "start a app-a-changelog-0 4..6");
    assert_eq!(keys(&stores, world.store("a")).len(), 6);
}

#[test]
fn a_store_that_holds_much_in_memory_is_committed_out_of_turn() {
    let mut world = World::new();
    world.poll_records = 2;
    world.settings.pending_bytes = 3;
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.fill(&log, 0, 3);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&spec)));
    assert!(world.turn(&mut updater).is_empty());
    drop(updater);
    assert_eq!(world.directory.noted_offset_sums().unwrap()[&spec.id], 1);
}

#[test]
fn a_source_topic_is_restored_as_far_as_the_application_has_read_it() {
    let world = World::new();
    let (mut spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    spec.stores[0].source_changelog = true;
    world.fill(&log, 0, 10);
    let stores = world.restored(&spec);
    assert!(keys(&stores, world.store("a")).is_empty(), "nothing was read yet");
    assert_eq!(stores.changelogs[0].offset, None);
    drop(stores);
    world.heard.take();
    world.commit_offset(&log, 7);
    let stores = world.restored(&spec);
    assert_eq!(keys(&stores, world.store("a")).len(), 7);
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 0..7", "batch a 6 7", "end a 7"]);
}

#[test]
fn a_store_without_its_make_is_an_error_that_names_the_feature() {
    let world = World::new();
    let choice = StoreChoice { in_memory: &InMemory, persistent: None, configured: ConfiguredStores::RocksDb };
    let error = keeps_state(&world.topology, &choice).unwrap_err();
    assert_eq!(error, OpenError::NoRocksDb { store: "a".to_owned() });
    let text = error.to_string();
    assert!(text.contains("feature `rocksdb`") && text.contains("dsl.store.suppliers.class=in_memory"), "{text}");
    let in_memory = StoreChoice { configured: ConfiguredStores::InMemory, ..choice };
    assert_eq!(keeps_state(&world.topology, &in_memory), Ok(false));
    assert_eq!(keeps_state(&world.topology, &world.choice()), Ok(true));
}
