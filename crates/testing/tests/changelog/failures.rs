//! What goes wrong is borne, or told.

use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, ClientSupplier};
use headwater_client_memory::Api;
use headwater_record::{Deadline, Offset};
use headwater_runtime::changelog::{Restoring, Standby, UpdateFailure, Updated, Updater};
use headwater_runtime::task::TaskStores;
use headwater_runtime::{Error, ErrorKind};
use headwater_topology::TaskId;

use crate::world::{World, changelog, keys};

fn failed(mut outcome: Vec<Updated>) -> (TaskStores, UpdateFailure) {
    match outcome.pop() {
        Some(Updated::Failed { stores, failure }) if outcome.is_empty() => (stores, failure),
        other => panic!("{other:?} {outcome:?}"),
    }
}

#[test]
fn state_of_a_changelog_that_was_made_anew_is_corrupted_and_can_be_restored_anew() {
    let world = World::new();
    let (spec, log) = (world.spec(0, &["a", "b"]), changelog("a", 0));
    world.fill(&log, 0, 10);
    drop(world.restored(&spec));
    world.delete(&log);
    world.create(&log, "compact");
    world.fill(&log, 20, 2);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&spec)));
    let (stores, failure) = failed(world.turn(&mut updater));
    let UpdateFailure::Corrupted { stores: which, reason } = failure else { panic!("{failure:?}") };
    assert_eq!(which, [world.store("a")]);
    assert!(reason.contains("goes on at offset 10") && reason.contains("0 to 2"), "{reason}");
    drop(stores.wipe().unwrap());
    let stores = world.restored(&spec);
    assert_eq!(keys(&stores, world.store("a")), ["k20", "k21"]);
}

#[test]
fn a_changelog_that_loses_records_while_it_is_read_is_told_as_corrupted_state() {
    let mut world = World::new();
    world.poll_records = 2;
    let (spec, log) = (world.spec(0, &["a"]), changelog("a", 0));
    world.delete(&log);
    world.create(&log, "delete");
    world.fill(&log, 0, 10);
    let mut updater = world.updater();
    updater.follow(Standby(world.open(&spec)));
    assert!(world.turn(&mut updater).is_empty());
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    admin.delete_records(&[(log, Offset::new(6))], Deadline::NEVER).unwrap();
    let (stores, failure) = failed(world.turn(&mut updater));
    assert!(matches!(&failure, UpdateFailure::Corrupted { stores, .. } if *stores == [world.store("a")]), "{failure}");
    assert!(updater.is_idle());
    drop(stores.wipe().unwrap());
    let stores = world.restored(&spec);
    assert_eq!(keys(&stores, world.store("a")).len(), 4);
}

fn timed_out() -> ClientError {
    ClientError::TimedOut { request: "x".to_owned() }
}

#[test]
fn errors_that_pass_are_borne() {
    let world = World::new();
    let spec = world.spec(0, &["a"]);
    world.fill(&changelog("a", 0), 0, 5);
    world.cluster.faults().fail_next(Api::ListOffsets, 3, timed_out());
    world.cluster.faults().fail_next(Api::Fetch, 3, timed_out());
    let stores = world.restored(&spec);
    assert_eq!(keys(&stores, world.store("a")).len(), 5);
    assert_eq!(world.heard.take(), ["start a app-a-changelog-0 0..5", "batch a 4 5", "end a 5"]);
}

#[test]
fn a_failed_request_is_not_repeated_before_the_backoff_is_over() {
    let world = World::new();
    world.cluster.faults().fail_next(Api::ListOffsets, 1, timed_out());
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    for _ in 0..3 {
        assert!(world.turn(&mut updater).is_empty());
    }
    world.clock.advance(Duration::from_millis(100));
    assert_eq!(world.turn(&mut updater).len(), 1);
}

/// Turns for longer than `task.timeout.ms`.
fn turn_for_long(world: &World, updater: &mut Updater) -> Vec<Updated> {
    for _ in 0..10 {
        let outcome = world.turn(updater);
        if !outcome.is_empty() {
            return outcome;
        }
        world.clock.advance(world.settings.task_timeout / 4);
    }
    panic!("nothing happened: {updater:?}");
}

#[test]
fn errors_that_do_not_pass_fail_the_task_after_the_task_timeout() {
    let world = World::new();
    world.fill(&changelog("a", 0), 0, 5);
    for api in [Api::ListOffsets, Api::Fetch] {
        world.cluster.faults().fail_next(api, 100, timed_out());
        let mut updater = world.updater();
        updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
        let (_, failure) = failed(turn_for_long(&world, &mut updater));
        assert_eq!(failure, UpdateFailure::Client(timed_out()), "{api:?}");
        world.cluster.faults().clear();
    }
}

#[test]
fn a_missing_changelog_fails_its_own_task_only() {
    let world = World::new();
    world.fill(&changelog("b", 1), 0, 5);
    world.delete(&changelog("a", 0));
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    updater.restore(Restoring(world.open(&world.spec(1, &["b"]))));
    let other = world.until_restored(&mut updater);
    assert_eq!(other.id, TaskId::new(0, 1));
    let (stores, failure) = failed(turn_for_long(&world, &mut updater));
    assert_eq!(stores.id, TaskId::new(0, 0));
    assert_eq!(failure, UpdateFailure::MissingChangelog(changelog("a", 0).topic));
}

#[test]
fn a_changelog_that_nobody_makes_is_told_of_within_seconds() {
    let world = World::new();
    world.delete(&changelog("a", 0));
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    assert!(world.turn(&mut updater).is_empty());
    world.clock.advance(Duration::from_secs(9));
    assert!(world.turn(&mut updater).is_empty());
    world.clock.advance(Duration::from_secs(2));
    let (_, failure) = failed(world.turn(&mut updater));
    assert!(failure.to_string().contains("changelog topic app-a-changelog does not exist"), "{failure}");
    assert_eq!(Error::from(failure).kind(), ErrorKind::Topology);
}

#[test]
fn a_changelog_that_appears_late_is_restored() {
    let world = World::new();
    let log = changelog("a", 0);
    world.delete(&log);
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    assert!(world.turn(&mut updater).is_empty());
    world.create(&log, "compact");
    world.fill(&log, 0, 2);
    let stores = world.until_restored(&mut updater);
    assert_eq!(keys(&stores, world.store("a")).len(), 2);
}

#[test]
fn an_error_that_asking_again_does_not_help_against_fails_at_once() {
    let world = World::new();
    let refused = ClientError::NotAuthorised("read".to_owned());
    world.cluster.faults().fail_next(Api::ListOffsets, 1, refused.clone());
    let mut updater = world.updater();
    updater.restore(Restoring(world.open(&world.spec(0, &["a"]))));
    let (_, failure) = failed(world.turn(&mut updater));
    assert_eq!(failure, UpdateFailure::Client(refused));
}
