//! Instances come, go and die; no word is counted twice that need not be, and none is left out.

use std::time::Duration;

use headwater_client_memory::GroupState;
use headwater_runtime::{CloseOptions, State};

use crate::world::{APPLICATION, World};

#[test]
fn words_are_counted_once_while_instances_join_and_leave() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(100);
    world.settle(&mut instances);
    instances.push(world.instance(2));
    world.feed(100);
    world.settle(&mut instances);
    instances.push(world.instance(3));
    world.feed(100);
    world.settle(&mut instances);
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 3);
    instances[0].begin_close(CloseOptions::default());
    world.feed(100);
    world.run_until(&mut instances, "the first is closed", |instances| instances[0].state() == State::NotRunning);
    instances.remove(0);
    world.settle(&mut instances);
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 2);
}

#[test]
fn the_work_of_an_instance_that_died_is_taken_over_after_its_session() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1), world.instance(2)];
    world.feed(100);
    world.settle(&mut instances);
    // A crash right after a commit: nothing has to be done again, so that counts are exact.
    drop(instances.remove(0));
    world.feed(100);
    world.run(&mut instances, 20);
    assert_ne!(world.counts(), world.expected, "the dead one's partitions wait for its session to end");
    world.clock.advance(Duration::from_secs(45));
    world.settle(&mut instances);
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 1);
}

#[test]
fn a_crash_between_commits_loses_nothing() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).set("commit.interval.ms", "60000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    assert_eq!(world.committed_lines(), 0, "nothing was committed");
    drop(instances);
    world.clock.advance(Duration::from_secs(46));
    let mut instances = vec![world.instance(2)];
    world.run_until(&mut instances, "all is committed", |_| {
        world.committed_lines() == 100 && world.words_are_committed()
    });
    for (word, count) in &world.expected {
        let counted = world.counts()[word];
        // Lines were read again, and so were the words that they had become before.
        assert_eq!(counted, 3 * count, "{word}");
    }
}

#[test]
fn tasks_that_stay_go_on_during_a_rebalance() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1), world.instance(2)];
    world.feed(50);
    world.settle(&mut instances);
    // The second stands still, so that the rebalance that the third asks for cannot end.
    let mut second = instances.remove(1);
    instances.push(world.instance(3));
    world.run(&mut instances, 10);
    assert_eq!(world.cluster.group(APPLICATION).state, GroupState::PreparingRebalance);
    let before: i64 = world.counts().values().sum();
    world.feed(50);
    world.run(&mut instances[..1], 10);
    let during: i64 = world.counts().values().sum();
    assert!(during > before, "the first goes on with its tasks: {before} to {during}");
    assert_eq!(world.cluster.group(APPLICATION).state, GroupState::PreparingRebalance);
    second.turn();
    instances.insert(1, second);
    world.settle(&mut instances);
}

#[test]
fn the_same_turns_give_the_same_run() {
    let run = || {
        let mut world = World::new();
        let mut instances = vec![world.instance(1)];
        world.feed(50);
        world.run(&mut instances, 30);
        instances.push(world.instance(2));
        world.feed(50);
        world.run(&mut instances, 60);
        instances.push(world.instance(3));
        world.feed(50);
        world.run(&mut instances, 30);
        drop(instances.remove(0));
        world.clock.advance(Duration::from_secs(46));
        world.run(&mut instances, 60);
        (world.content(), world.cluster.group(APPLICATION))
    };
    assert_eq!(run(), run());
}
