//! Closing: what is committed then, and who stays in the group.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, ClientSupplier as _};
use headwater_client_memory::Api;
use headwater_record::{Clock as _, Deadline};
use headwater_runtime::{CloseOptions, State};

use crate::graph::word_count_with;
use crate::threads::{self, Counts, PATIENCE};
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
    let error = instances[0].outcome().unwrap_err();
    assert!(error.to_string().starts_with("the last commit did not come about"), "{error}");
}

#[test]
fn who_closes_hears_of_a_transaction_that_came_to_nothing() {
    let mut world = World::new();
    let of_instance = world.builder(1).set("processing.guarantee", "exactly_once_v2");
    let mut instances = vec![of_instance.set("commit.interval.ms", "9000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    world.cluster.faults().fail_next(Api::EndTxn, 1, ClientError::TransactionAborted("by the coordinator".into()));
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state().is_final());
    let error = instances[0].outcome().unwrap_err();
    assert!(error.to_string().starts_with("the last commit did not come about"), "{error}");
}

#[test]
fn who_closes_when_its_tasks_are_another_s_already_has_closed_well() {
    let mut world = World::new();
    let of_instance = world.builder(1).set("processing.guarantee", "exactly_once_v2");
    let mut instances = vec![of_instance.set("commit.interval.ms", "9000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    world.cluster.faults().fail_next(Api::EndTxn, u32::MAX, ClientError::Fenced("by who came after".into()));
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state().is_final());
    assert!(instances[0].outcome().is_ok(), "{:?}", instances[0].outcome());
}

#[test]
fn who_closes_hears_that_an_output_topic_has_gone() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).set("commit.interval.ms", "3600000").drive().unwrap()];
    world.feed(100);
    world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    assert!(admin.delete_topics(&["counts".into()], Deadline::NOW).unwrap().iter().all(Result::is_ok));
    world.feed(1);
    world.run(&mut instances, 20);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state().is_final());
    let error = instances[0].outcome().unwrap_err();
    assert!(error.to_string().contains("topic counts does not exist"), "{error}");
    assert_eq!(world.committed_lines(), 0);
}

#[test]
fn a_coordinator_that_does_not_answer_keeps_no_instance_from_closing_in_time() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(20);
    world.settle(&mut instances);
    world.cluster.faults().delay_answers(&world.clock, Duration::from_hours(1));
    let (timeout, began) = (Duration::from_secs(8), world.clock.now());
    instances[0].begin_close(CloseOptions::default().timeout(timeout));
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert!(world.clock.now().since(began) < timeout, "in virtual time");
    assert!(instances[0].outcome().is_ok(), "there was nothing to commit");
}

#[test]
fn a_commit_that_waits_for_a_broker_does_not_keep_an_instance_from_closing_in_time() {
    let cluster = threads::cluster();
    let (seen, sees) = channel();
    let seen = Mutex::new(seen);
    let topology = word_count_with(move |line| {
        let _ = seen.lock().unwrap().send(line.to_owned());
    });
    let application = threads::builder_of(topology, &cluster).start().unwrap();
    threads::feed(&cluster, "before");
    Counts::of(&cluster).wait_until(|counts| !counts.is_empty());
    cluster.faults().lose_requests(Api::Produce, u32::MAX);
    threads::feed(&cluster, "meanwhile");
    while sees.recv_timeout(PATIENCE).unwrap() != "meanwhile" {}
    // Until the commit that is due has begun.
    let _ = sees.recv_timeout(Duration::from_millis(500));
    let error = application.close(CloseOptions::default().timeout(Duration::from_secs(8))).unwrap_err();
    assert_eq!(application.state(), State::NotRunning);
    assert!(error.to_string().starts_with("the last commit did not come about"), "{error}");
}
