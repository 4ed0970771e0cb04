//! Which instance gets which tasks: at once, or once their state is there.

use std::time::Duration;

use headwater_runtime::assignment::{AssignmentInfo, ConsumerAssignment, ConsumerSubscription, SubscriptionInfo};
use headwater_runtime::{Driven, State};
use uuid::Uuid;

use crate::graph::counts_of_each_partition;
use crate::world::{APPLICATION, World};

/// How often it is asked whether a copy has caught up, at the least.
const PROBING: Duration = Duration::from_mins(1);

/// How many tasks the instance `id` has, as active ones and as standbys.
fn tasks(world: &World, id: u128) -> (usize, usize) {
    let mut found = (0, 0);
    for member in world.cluster.group(APPLICATION).members {
        let subscription = ConsumerSubscription::decode(&member.subscription).unwrap();
        let info = SubscriptionInfo::decode(&subscription.user_data.unwrap()).unwrap();
        if info.process_id != Uuid::from_u128(id) {
            continue;
        }
        let assignment = ConsumerAssignment::decode(&member.assignment).unwrap();
        let info = AssignmentInfo::decode(&assignment.user_data.unwrap()).unwrap();
        found.0 += info.active.len();
        found.1 += info.standby.len();
    }
    found
}

fn settle(world: &World, instances: &mut [Driven]) {
    world.run_until(instances, "everything is committed", |instances| {
        instances.iter().all(|instance| instance.state() == State::Running)
            && world.committed_lines() == world.fed() as i64
    });
}

/// An instance that has counted what was fed, and one more with `settings`, as both are when all runs.
fn joined(settings: &[(&str, &str)]) -> (World, Vec<Driven>) {
    let mut world = World::new();
    let start = |world: &World, id| {
        let all = [("acceptable.recovery.lag", "5"), ("task.assignor.class", "HighAvailabilityTaskAssignor")];
        let mut builder = world
            .builder_of(counts_of_each_partition(), id)
            .set("probing.rebalance.interval.ms", PROBING.as_millis().to_string());
        for (key, value) in all.iter().chain(settings) {
            builder = builder.set(*key, *value);
        }
        builder.drive().unwrap()
    };
    let mut instances = vec![start(&world, 1)];
    world.feed(200);
    settle(&world, &mut instances);
    instances.push(start(&world, 2));
    // Members hear of a rebalance with their heartbeats, and of one that follows it.
    world.run(&mut instances, 600);
    (world, instances)
}

/// How long it takes until the newcomer has its half of the tasks.
fn moved_after(world: &mut World, instances: &mut [Driven]) -> Duration {
    let step = Duration::from_millis(20);
    let turns = (0..20_000).find(|_| {
        world.run(instances, 1);
        tasks(world, 2).0 == 2
    });
    world.feed(50);
    settle(world, instances);
    step * turns.expect("tasks move")
}

#[test]
fn a_newcomer_is_warmed_up_before_tasks_move_to_it() {
    let (world, _instances) = joined(&[("task.assignor.class", "StickyAssignor")]);
    assert_eq!(tasks(&world, 2), (2, 0), "they move at once");
    let (mut world, mut instances) = joined(&[]);
    assert_eq!(tasks(&world, 1), (4, 0));
    assert_eq!(tasks(&world, 2), (0, 2), "their state is restored where they will be");
    let took = moved_after(&mut world, &mut instances);
    assert!(took >= PROBING / 2, "not before it is looked again: {took:?}");
    assert_eq!(tasks(&world, 1), (2, 0), "nothing is warmed up any more");
}

#[test]
fn a_copy_is_caught_up_when_it_lags_no_more_than_is_acceptable() {
    for (acceptable, expected) in [("5", (0, 2)), ("10000", (2, 0))] {
        let (world, _instances) = joined(&[("acceptable.recovery.lag", acceptable)]);
        assert_eq!(tasks(&world, 2), expected, "{acceptable}");
    }
}

#[test]
fn so_many_tasks_are_warmed_up_at_once_as_are_told() {
    for (replicas, warmed_up) in [("1", 1), ("2", 2)] {
        let (mut world, mut instances) = joined(&[("max.warmup.replicas", replicas)]);
        assert_eq!(tasks(&world, 2), (0, warmed_up));
        moved_after(&mut world, &mut instances);
    }
}

#[test]
fn whether_copies_have_caught_up_is_asked_at_the_interval() {
    let after = |interval: &str| {
        let (mut world, mut instances) = joined(&[("probing.rebalance.interval.ms", interval)]);
        moved_after(&mut world, &mut instances)
    };
    let (one, three) = (after("60000"), after("180000"));
    assert!(one < 2 * PROBING && three > 2 * PROBING, "{one:?} and {three:?}");
}
