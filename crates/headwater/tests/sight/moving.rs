//! On threads, with RocksDB, while tasks move between two instances: what each shows adds up to what was written.
#![allow(clippy::disallowed_methods, reason = "a test beside applications with threads waits for them")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::record::{Headers, Offset, Topic};
use headwater::runtime::{CloseOptions, Snapshot, SystemClock, TaskPhase, TaskRole};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_mins(2);
const PARTITIONS: i32 = 4;
const SOURCE: &str = "KSTREAM-SOURCE-0000000000";
const COUNT: &str = "KSTREAM-AGGREGATE-0000000001";

fn start(cluster: &Cluster, directory: &Path) -> KafkaStreams {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, i64>("numbers")
        .group_by_key()
        .count_with(Materialized::named("counts"))
        .to_stream()
        .to("out");
    let builder =
        KafkaStreams::builder(builder.build().unwrap()).application_id("seen").on(cluster).state_dir(directory);
    let builder = builder.set("commit.interval.ms", "50").set("poll.ms", "10").set("num.standby.replicas", "1");
    builder.threads(2).start().unwrap()
}

fn feed(cluster: &Cluster, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let (key, value) = (format!("k{}", number % 50), number.to_be_bytes());
        let (topic, time) = (Topic::from("numbers"), Timestamp::from_millis(number));
        cluster.produce(&topic, Some(key.as_bytes()), Some(&value), time, &Headers::new()).unwrap();
    }
}

fn tasks(snapshot: &Snapshot, role: TaskRole, phase: TaskPhase) -> Vec<String> {
    let tasks = snapshot.threads.iter().flat_map(|thread| &thread.tasks);
    let these = tasks.filter(|(_, task)| task.role == role && task.phase == phase);
    let mut names: Vec<_> = these.map(|(id, _)| id.to_string()).collect();
    names.sort();
    names
}

fn running(snapshot: &Snapshot) -> Vec<String> {
    tasks(snapshot, TaskRole::Active, TaskPhase::Running)
}

/// What its nodes took.
fn taken(snapshot: &Snapshot) -> BTreeMap<&str, u64> {
    let tasks = snapshot.threads.iter().flat_map(|thread| thread.tasks.values());
    tasks.flat_map(|task| &task.nodes).fold(BTreeMap::new(), |mut all, (name, node)| {
        *all.entry(&**name).or_default() += node.taken;
        all
    })
}

fn wait_for(what: &str, instances: &[&KafkaStreams], done: impl Fn(&[Snapshot]) -> bool) -> Vec<Snapshot> {
    let ends = Instant::now() + PATIENCE;
    loop {
        let snapshots: Vec<_> = instances.iter().map(|streams| streams.snapshot()).collect();
        if done(&snapshots) {
            return snapshots;
        }
        assert!(Instant::now() < ends, "it never came to this: {what}; {snapshots:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nothing is behind.
fn is_through(snapshot: &Snapshot, read: i64) -> bool {
    let inputs = snapshot.threads.iter().flat_map(|thread| thread.tasks.values()).flat_map(|task| task.inputs.values());
    inputs.filter_map(|input| input.committed).map(Offset::value).sum::<i64>() == read
}

#[test]
fn what_two_instances_show_adds_up_while_tasks_move() {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    for topic in ["numbers", "out"] {
        cluster.create_topic(topic, PARTITIONS).unwrap();
    }
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = start(&cluster, directories[0].path());
    feed(&cluster, 0..1_000);
    let seen = wait_for("all is counted", &[&first], |seen| is_through(&seen[0], 1_000));
    let [alone] = &seen[..] else { panic!("one instance") };
    assert_eq!(running(alone), ["0_0", "0_1", "0_2", "0_3"]);
    let counts = taken(alone);
    assert_eq!((counts[SOURCE], counts[COUNT]), (1_000, 1_000));
    let hits: u64 =
        alone.threads.iter().flat_map(|thread| thread.tasks.values()).map(|task| task.caches["counts"].hits).sum();
    assert_eq!(hits, 950, "each of 50 keys was missed once");

    let second = start(&cluster, directories[1].path());
    let both = [&first, &second];
    let shared = |seen: &[Snapshot]| seen.iter().all(|one| one.health.ready && running(one).len() == 2);
    let seen = wait_for("each has half of the tasks", &both, shared);
    let mut all = [running(&seen[0]), running(&seen[1])].concat();
    all.sort();
    assert_eq!(all, ["0_0", "0_1", "0_2", "0_3"]);
    wait_for("each follows the other's", &both, |seen| {
        let standbys = |one: &Snapshot| tasks(one, TaskRole::Standby, TaskPhase::Restoring);
        standbys(&seen[0]) == running(&seen[1]) && standbys(&seen[1]) == running(&seen[0])
    });
    let before: Vec<u64> =
        wait_for("it is told", &both, shared).iter().map(|one| taken(one).get(SOURCE).copied().unwrap_or(0)).collect();
    feed(&cluster, 1_000..3_000);
    let now =
        |seen: &[Snapshot]| seen.iter().map(|one| taken(one).get(SOURCE).copied().unwrap_or(0)).collect::<Vec<_>>();
    let seen =
        wait_for("both count", &both, |seen| now(seen).iter().sum::<u64>() == before.iter().sum::<u64>() + 2_000);
    assert!(now(&seen).iter().zip(&before).all(|(now, before)| now > before), "{before:?} {:?}", now(&seen));
    wait_for("their rebalances are over", &both, |seen| {
        let rebalances =
            |one: &Snapshot| one.threads.iter().flat_map(|thread| thread.rebalances.clone()).collect::<Vec<_>>();
        rebalances(&seen[0]).len() >= 3 && seen.iter().flat_map(rebalances).all(|one| one.ended.is_some())
    });

    first.close(CloseOptions::default()).unwrap();
    let seen = wait_for("the second has them all", &[&second], |seen| running(&seen[0]).len() == 4);
    assert!(seen[0].threads.iter().flat_map(|thread| thread.tasks.values()).all(|task| task.restore.is_none()));
    let closed = first.snapshot();
    assert!(!closed.health.live && !closed.health.ready && running(&closed).is_empty());
    second.close(CloseOptions::default()).unwrap();
}
