//! Closing: what is committed then, and who stays in the group.

use headwater_client::ClientError;
use headwater_client_memory::Api;
use headwater_runtime::{CloseOptions, State};

use crate::world::{APPLICATION, World};

#[test]
fn closing_commits_everything_and_leaves_the_group() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).set("commit.interval.ms", "3600000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state().is_final());
    assert_eq!(instances[0].state(), State::NotRunning);
    assert_eq!(world.committed_lines(), 100);
    assert!(world.cluster.group(APPLICATION).members.is_empty());
    let mut instances = vec![world.instance(2)];
    world.feed(10);
    world.settle(&mut instances);
}

#[test]
fn a_static_member_remains_in_the_group_for_a_quick_return() {
    let mut world = World::new();
    let of_instance = |world: &World| world.builder(1).set("group.instance.id", "one").drive().unwrap();
    let mut instances = vec![of_instance(&world)];
    world.feed(20);
    world.settle(&mut instances);
    let generation = world.cluster.group(APPLICATION).generation;
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 1, "it is still a member");
    let mut instances = vec![of_instance(&world)];
    world.feed(20);
    world.settle(&mut instances);
    assert_eq!(world.cluster.group(APPLICATION).generation, generation, "nobody had to rebalance");
    instances[0].begin_close(CloseOptions::default().leave_group());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert!(world.cluster.group(APPLICATION).members.is_empty(), "asked to, it leaves");
}

#[test]
fn any_other_member_may_remain_when_asked() {
    let world = World::new();
    let mut instances = vec![world.instance(1)];
    world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
    instances[0].begin_close(CloseOptions::default().remain_in_group());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 1, "it is still a member");
}

#[test]
fn an_instance_closes_before_it_has_any_task() {
    let world = World::new();
    let mut instances = vec![world.instance(1)];
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert!(instances[0].outcome().is_ok());
    assert!(world.cluster.group(APPLICATION).members.is_empty());
}

#[test]
fn instances_that_all_close_during_a_rebalance_leave_nothing_uncommitted() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1), world.instance(2)];
    world.feed(50);
    world.settle(&mut instances);
    instances.push(world.instance(3));
    world.feed(50);
    world.run(&mut instances, 1);
    for instance in &instances {
        instance.begin_close(CloseOptions::default());
    }
    world.run_until(&mut instances, "all are closed", |instances| instances.iter().all(|i| i.state().is_final()));
    assert!(instances.iter().all(|instance| instance.state() == State::NotRunning));
    assert!(world.cluster.group(APPLICATION).members.is_empty());
    let mut instances = vec![world.instance(4)];
    world.feed(50);
    world.settle(&mut instances);
}

#[test]
fn the_last_commit_outlasts_a_coordinator_that_does_not_answer_for_a_while() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).set("commit.interval.ms", "3600000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    let silent = ClientError::TimedOut { request: "OffsetCommit".to_owned() };
    world.cluster.faults().fail_next(Api::OffsetCommit, 50, silent);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state().is_final());
    assert_eq!(world.committed_lines(), 100);
}

#[test]
fn an_instance_closes_when_its_last_commit_never_succeeds() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).set("commit.interval.ms", "3600000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    let silent = ClientError::TimedOut { request: "OffsetCommit".to_owned() };
    world.cluster.faults().fail_next(Api::OffsetCommit, u32::MAX, silent);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state().is_final());
    assert_eq!(instances[0].state(), State::NotRunning);
    assert_eq!(world.committed_lines(), 0);
    assert!(world.cluster.group(APPLICATION).members.is_empty());
}
