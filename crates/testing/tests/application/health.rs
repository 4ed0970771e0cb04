//! What an instance tells of its threads and tasks, and whether it is well.

use std::time::Duration;

use headwater_client::ClientError;
use headwater_client_memory::Api;
use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_runtime::application::{Health, TaskPhase, TaskRole, ThreadState};
use headwater_runtime::{CloseOptions, Driven, State, UncaughtResponse};

use crate::world::World;

fn is_well(health: &Health) -> bool {
    assert_eq!(health.reasons.is_empty(), health.ready, "{health:?}");
    health.live && health.ready
}

#[test]
fn threads_tell_how_far_their_tasks_are() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).threads(2).drive().unwrap()];
    assert!(instances[0].local_threads().is_empty());
    world.feed(40);
    world.settle(&mut instances);
    // What changes with each record is told within a second.
    world.run(&mut instances, 60);
    let threads = instances[0].local_threads();
    assert_eq!(threads.iter().map(|thread| thread.number).collect::<Vec<_>>(), [1, 2]);
    assert!(threads.iter().all(|thread| thread.state == ThreadState::Running));
    let tasks: Vec<_> = threads.iter().flat_map(|thread| thread.tasks.values()).collect();
    assert_eq!(tasks.len(), 8);
    assert!(tasks.iter().all(|task| task.role == TaskRole::Active && task.phase == TaskPhase::Running));
    let mut read = 0;
    for partition in 0..4 {
        let partition = TopicPartition::new("lines", partition);
        let of_partition = tasks.iter().find_map(|task| task.inputs.get(&partition)).unwrap();
        assert_eq!(of_partition.lag(), Some(0));
        assert_eq!((of_partition.committed, of_partition.buffered), (of_partition.position, 0));
        read += of_partition.position.unwrap_or(Offset::ZERO).value();
    }
    assert_eq!(read, 40);
    assert!(tasks.iter().any(|task| task.stream_time > Timestamp::UNKNOWN));
    assert!(instances[0].local_store_lags().is_empty(), "those of tasks that process lack nothing");
}

#[test]
fn standbys_tell_what_they_lack() {
    let mut world = World::new();
    let with_standby = |id| world.builder(id).set("num.standby.replicas", "1").drive().unwrap();
    let mut instances = vec![with_standby(1), with_standby(2)];
    world.feed(40);
    world.settle(&mut instances);
    world.run(&mut instances, 100);
    let lags: Vec<_> = instances.iter().filter_map(|instance| instance.local_store_lags().remove("counts")).collect();
    let partitions: Vec<i32> = lags.iter().flat_map(|of_store| of_store.keys().copied()).collect();
    assert_eq!(partitions.len(), 4, "each partition has one standby: {partitions:?}");
    assert!(lags.iter().flat_map(|of_store| of_store.values()).all(|lag| lag.offset_lag() == 0));
    assert!(lags.iter().flat_map(|of_store| of_store.values()).any(|lag| lag.end_offset.value() > 0));
}

#[test]
fn who_starts_is_live_and_not_ready() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    let health = instances[0].health();
    assert!(health.live && !health.ready, "{health:?}");
    assert_eq!(health.reasons, ["the application is REBALANCING"]);
    world.feed(10);
    world.settle(&mut instances);
    world.run(&mut instances, 60);
    assert!(is_well(&instances[0].health()));
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    let health = instances[0].health();
    assert!(!health.live && !health.ready, "{health:?}");
}

#[test]
fn a_rebalance_that_does_not_end_is_not_healthy() {
    let world = World::new();
    let mut instances: Vec<Driven> = vec![world.instance(1)];
    world.cluster.faults().unreachable_until(Timestamp::from_millis(i64::MAX));
    world.run(&mut instances, 50);
    assert!(instances[0].health().live);
    world.clock.advance(Duration::from_secs(299));
    world.run(&mut instances, 50);
    let health = instances[0].health();
    assert!(!health.live, "{health:?}");
    assert!(health.reasons.iter().any(|reason| reason.contains("the rebalance does not end")), "{health:?}");
}

#[test]
fn a_rebalance_that_does_not_end_is_not_healthy_though_tasks_that_stay_go_on() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(10);
    world.settle(&mut instances);
    world.run(&mut instances, 60);
    assert!(is_well(&instances[0].health()));
    // The second makes the group rebalance, and the first hears nothing of what comes of it.
    let client = format!("{}-consumer", instances[0].local_threads()[0].name);
    let silent = ClientError::TimedOut { request: "JoinGroup".to_owned() };
    world.cluster.faults().of_client(client).fail_next(Api::JoinGroup, u32::MAX, silent);
    instances.push(world.instance(2));
    let comes_round = |instances: &mut [Driven], seconds: usize| {
        for _ in 0..seconds {
            world.run(instances, 1);
            world.clock.advance(Duration::from_millis(980));
        }
        world.run(instances, 1);
    };
    comes_round(&mut instances, 200);
    assert_eq!(instances[0].thread_states(), [(1, ThreadState::Running)]);
    assert!(instances[0].health().live, "{:?}", instances[0].health());
    comes_round(&mut instances, 120);
    assert_eq!(instances[0].thread_states(), [(1, ThreadState::Running)], "it goes on with its tasks");
    let health = instances[0].health();
    assert!(!health.live && !health.ready, "{health:?}");
    let said = "(group is already rebalancing): the rebalance does not end";
    assert!(health.reasons.iter().any(|reason| reason.contains(said)), "{health:?}");
    world.cluster.faults().forget_rules();
    world.run_until(&mut instances, "both are well again", |instances| {
        instances.iter().all(|instance| is_well(&instance.health()))
    });
}

#[test]
fn a_thread_that_does_not_come_round_is_not_healthy() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(10);
    world.settle(&mut instances);
    world.clock.advance(Duration::from_secs(301));
    let health = instances[0].health();
    assert!(!health.live, "{health:?}");
    assert_eq!(health.reasons[0], "stream thread 1 has not come round for 301 s: it is busy with a record, or stuck");
}

#[test]
fn a_dead_thread_is_not_healthy() {
    let mut world = World::new();
    let builder = world.builder(1).threads(2);
    let mut instances = vec![builder.uncaught_error_handler(|_| UncaughtResponse::ShutdownClient).drive().unwrap()];
    world.feed_line("boom");
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state().is_final());
    let health = instances[0].health();
    assert!(!health.live && !health.ready);
    assert_eq!(health.reasons[0], "the application is ERROR");
}
