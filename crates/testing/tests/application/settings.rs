//! Each setting that says it has an effect has one: two of its values make applications behave differently.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientError, NewTopic};
use headwater_client_memory::Api;
use headwater_record::{Headers, Timestamp, Topic};
use headwater_runtime::assignment::{AssignmentInfo, ConsumerAssignment, ConsumerSubscription};
use headwater_runtime::{CloseOptions, Driven, ErrorKind, KafkaStreams, NoDefault, State, StoreMakers};
use headwater_topology::node::SourceTopics;

use crate::disk_store::InMemory;
use crate::graph::word_count_of;
use crate::recorder::{Heard, Recorder};
use crate::world::{APPLICATION, World, memory_stores};

/// An instance with one setting.
fn with(world: &World, id: u128, key: &str, value: &str) -> Driven {
    world.builder(id).set(key, value).drive().unwrap()
}

/// What the clients of an application with one setting are asked until 2,000 lines are counted.
fn heard(key: &str, value: &str) -> Heard {
    let mut world = World::new();
    let recorder = Recorder::of(&world.cluster);
    let mut instances = vec![world.builder(1).on(&recorder).set(key, value).drive().unwrap()];
    world.feed(2_000);
    world.settle(&mut instances);
    world.run(&mut instances, 5);
    recorder.take()
}

/// Whether `what` becomes true within so much of virtual time.
fn within(world: &World, instances: &mut [Driven], time: Duration, what: impl Fn(&World, &[Driven]) -> bool) -> bool {
    (0..time.as_millis() / 20).any(|_| {
        world.run(instances, 1);
        what(world, instances)
    })
}

fn subscriptions(world: &World) -> Vec<ConsumerSubscription> {
    let members = world.cluster.group(APPLICATION).members;
    members.iter().map(|member| ConsumerSubscription::decode(&member.subscription).unwrap()).collect()
}

fn assignments(world: &World) -> Vec<AssignmentInfo> {
    let members = world.cluster.group(APPLICATION).members;
    let info = |bytes: &[u8]| ConsumerAssignment::decode(bytes).unwrap().user_data.unwrap();
    members.iter().map(|member| AssignmentInfo::decode(&info(&member.assignment)).unwrap()).collect()
}

#[test]
fn an_application_is_named_by_its_id() {
    let named = |id: &str| {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "application.id", id)];
        world.feed(10);
        world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
        let topics: BTreeSet<String> = world.cluster.topics().iter().map(ToString::to_string).collect();
        (world.cluster.groups(), topics)
    };
    for id in ["one", "another"] {
        let (groups, topics) = named(id);
        assert_eq!(groups, [id]);
        assert!(
            topics.contains(&format!("{id}-words-repartition")) && topics.contains(&format!("{id}-counts-changelog"))
        );
    }
}

#[test]
fn the_place_of_an_instance_is_told_to_all() {
    for (place, hosts) in [("", vec![]), ("here:7", vec!["here:7"])] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "application.server", place)];
        world.feed(10);
        world.settle(&mut instances);
        let told = assignments(&world).remove(0).partitions_by_host;
        let told: Vec<String> = told.keys().map(ToString::to_string).collect();
        assert_eq!(told, hosts);
    }
}

#[test]
fn each_thread_is_a_member() {
    for threads in ["1", "3"] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "num.stream.threads", threads)];
        world.feed(10);
        world.settle(&mut instances);
        assert_eq!(world.cluster.group(APPLICATION).members.len().to_string(), threads);
    }
}

#[test]
fn commits_come_at_their_interval() {
    for (interval, committed) in [("100", 50), ("60000", 0)] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "commit.interval.ms", interval)];
        world.feed(50);
        world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
        world.run(&mut instances, 50);
        assert_eq!(world.committed_lines(), committed, "{interval}");
    }
}

#[test]
fn a_thread_without_work_waits_for_records_as_long_as_it_is_told() {
    for wait in [7, 90] {
        let heard = heard("poll.ms", &wait.to_string());
        assert_eq!(heard.longest_poll, Duration::from_millis(wait));
    }
}

#[test]
fn a_partition_that_has_enough_is_paused() {
    assert_eq!(heard("buffered.records.per.partition", "1000").pauses, 0);
    assert!(heard("buffered.records.per.partition", "10").pauses > 0);
}

#[test]
fn answers_about_topics_are_waited_for_as_long_as_requests_may_take() {
    for wait in ["5000", "7000"] {
        let heard = heard("request.timeout.ms", wait);
        assert_eq!(heard.longest_question.as_millis().to_string(), wait);
    }
}

#[test]
fn internal_topics_have_as_many_replicas_as_they_are_told() {
    for replicas in ["-1", "1"] {
        let made = heard("replication.factor", replicas).made;
        assert_eq!(made.len(), 2);
        assert!(made.iter().all(|NewTopic { replication_factor, .. }| replication_factor.to_string() == replicas));
    }
}

#[test]
fn a_task_that_cannot_be_restored_is_given_up_after_its_time_out() {
    for (time_out, gives_up) in [("1000", true), ("300000", false)] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "task.timeout.ms", time_out)];
        world.feed(50);
        world.settle(&mut instances);
        drop(instances);
        world.clock.advance(Duration::from_secs(46));
        let mut instances = vec![with(&world, 2, "task.timeout.ms", time_out)];
        let timed_out = ClientError::TimedOut { request: "ListOffsets".into() };
        world.cluster.faults().fail_next(Api::ListOffsets, 1_000_000, timed_out);
        let ended = |_: &World, instances: &[Driven]| instances[0].state() == State::Error;
        assert_eq!(within(&world, &mut instances, Duration::from_secs(20), ended), gives_up, "{time_out}");
    }
}

#[test]
fn consumed_repartition_records_are_deleted_at_their_interval() {
    for (interval, deleted) in [("1000", true), ("600000", false)] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "repartition.purge.interval.ms", interval)];
        for _ in 0..4 {
            world.feed(50);
            world.settle(&mut instances);
            world.run(&mut instances, 60);
        }
        let left = world.cluster.records(&Topic::from("word-count-words-repartition")).len();
        assert_eq!(left < 400, deleted, "{interval}: {left} are left");
    }
}

#[test]
fn stores_are_where_the_settings_say() {
    for key in ["dsl.store.suppliers.class", "default.dsl.store"] {
        let in_store = |store: &str| {
            let world = World::new();
            let topology = word_count_of(SourceTopics::Named(vec!["lines".to_owned()]), None);
            let builder = KafkaStreams::<NoDefault>::builder(topology).application_id(APPLICATION).on(&world.cluster);
            builder.stores(memory_stores()).set(key, store).drive().map(drop)
        };
        assert!(in_store("in_memory").is_ok(), "{key}");
        let error = in_store("rocksDB").unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains("feature `rocksdb`"), "{key}: {error}");
    }
}

#[test]
fn standbys_are_as_many_as_they_are_told() {
    for (replicas, standbys) in [("0", 0), ("1", 4)] {
        let mut world = World::new();
        let mut instances: Vec<Driven> = (1..=2).map(|id| with(&world, id, "num.standby.replicas", replicas)).collect();
        world.feed(50);
        world.settle(&mut instances);
        let told: usize = assignments(&world).iter().map(|info| info.standby.len()).sum();
        assert_eq!(told, standbys);
    }
}

#[test]
fn a_static_member_remains_when_it_closes() {
    for (key, value, remain) in [("group.instance.id", "me", 1), ("client.id", "me", 0)] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, key, value)];
        world.feed(10);
        world.settle(&mut instances);
        instances[0].begin_close(CloseOptions::default());
        world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
        assert_eq!(world.cluster.group(APPLICATION).members.len(), remain, "{key}");
    }
}

#[test]
fn clients_bear_the_name_that_they_are_given() {
    for name in ["me", "you"] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "client.id", name)];
        world.feed(10);
        world.settle(&mut instances);
        let member = world.cluster.group(APPLICATION).members.remove(0);
        assert_eq!(member.client_id, format!("{name}-StreamThread-1-consumer"));
    }
}

#[test]
fn the_dead_are_replaced_after_their_session() {
    for (session, replaced) in [("6000", true), ("45000", false)] {
        let mut world = World::new();
        let mut instances: Vec<Driven> = (1..=2).map(|id| with(&world, id, "session.timeout.ms", session)).collect();
        world.feed(50);
        world.settle(&mut instances);
        drop(instances.remove(0));
        world.feed(50);
        let counted = |world: &World, _: &[Driven]| world.counts() == world.expected;
        assert_eq!(within(&world, &mut instances, Duration::from_secs(10), counted), replaced, "{session}");
    }
}

#[test]
fn a_member_hears_of_a_rebalance_with_its_heartbeats() {
    for (interval, soon) in [("500", true), ("20000", false)] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "heartbeat.interval.ms", interval)];
        world.feed(50);
        world.settle(&mut instances);
        instances.push(world.instance(2));
        let both = |world: &World, _: &[Driven]| world.cluster.group(APPLICATION).members.len() == 2;
        assert!(within(&world, &mut instances, Duration::from_secs(5), both));
        let shared = |_: &World, instances: &[Driven]| instances.iter().all(|it| it.state() == State::Running);
        assert_eq!(within(&world, &mut instances, Duration::from_secs(5), shared), soon, "{interval}");
    }
}

#[test]
fn a_thread_that_is_busy_for_too_long_loses_its_tasks() {
    for (interval, lost) in [("5000", true), ("300000", false)] {
        let mut world = World::new();
        let settings =
            [("max.poll.interval.ms", interval), ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000")];
        let instance = |id| world.builder(id).set_all(settings);
        let mut instances: Vec<Driven> = (1..=2).map(|id| instance(id).drive().unwrap()).collect();
        world.feed(50);
        world.settle(&mut instances);
        // The first takes no more turns.
        world.feed(50);
        let counted = |world: &World, _: &[Driven]| world.counts() == world.expected;
        let taken_over = within(&world, &mut instances[1..], Duration::from_secs(20), counted);
        assert_eq!(taken_over, lost, "{interval}");
    }
}

#[test]
fn the_rack_of_an_instance_is_told_to_the_group() {
    for rack in ["left", "right"] {
        let mut world = World::new();
        let mut instances = vec![with(&world, 1, "client.rack", rack)];
        world.feed(10);
        world.settle(&mut instances);
        assert_eq!(subscriptions(&world)[0].rack.as_deref(), Some(rack));
    }
}

#[test]
fn what_was_there_before_is_read_or_left() {
    for (reset, read) in [("earliest", true), ("latest", false)] {
        let mut world = World::new();
        world.feed(50);
        let mut instances = vec![with(&world, 1, "auto.offset.reset", reset)];
        world.run(&mut instances, 100);
        assert_eq!(world.counts() == world.expected, read, "{reset}");
    }
}

#[test]
fn topics_are_looked_for_at_their_age() {
    for (age, found) in [("1000", true), ("300000", false)] {
        let world = World::new();
        let topology = word_count_of(SourceTopics::Pattern("line.*".to_owned()), None);
        let builder = KafkaStreams::<NoDefault>::builder(topology).application_id(APPLICATION).on(&world.cluster);
        let builder = builder.stores(memory_stores()).set("dsl.store.suppliers.class", "in_memory");
        let mut instances = vec![builder.set("metadata.max.age.ms", age).drive().unwrap()];
        world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
        let later = Topic::from("line-by-line");
        world.cluster.create_topic(later.clone(), 2).unwrap();
        world.cluster.produce(&later, None, Some(b"two"), Timestamp::UNKNOWN, &Headers::new()).unwrap();
        let read = |world: &World, _: &[Driven]| world.counts().contains_key("two");
        assert_eq!(within(&world, &mut instances, Duration::from_secs(10), read), found, "{age}");
    }
}

#[test]
fn what_a_topology_is_built_with_is_the_same_here() {
    for (key, same, other) in
        [("topology.optimization", "none", "all"), ("ensure.explicit.internal.resource.naming", "false", "true")]
    {
        let world = World::new();
        world.builder(1).set(key, same).drive().unwrap();
        let error = world.builder(1).set(key, other).drive().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(key) && error.to_string().contains("`build_with`"), "{error}");
    }
}

#[test]
fn a_task_waits_for_the_input_that_it_lacks() {
    for (idle, waits) in [("0", false), ("60000", true)] {
        let mut world = World::new();
        world.cluster.create_topic("letters", 4).unwrap();
        let topics = SourceTopics::Named(vec!["lines".to_owned(), "letters".to_owned()]);
        let builder = KafkaStreams::<NoDefault>::builder(word_count_of(topics, None)).application_id(APPLICATION);
        let builder = builder.on(&world.cluster).stores(memory_stores()).set("dsl.store.suppliers.class", "in_memory");
        let mut instances = vec![builder.set("max.task.idle.ms", idle).drive().unwrap()];
        world.feed(50);
        let counted = |world: &World, _: &[Driven]| world.counts() == world.expected;
        assert_eq!(within(&world, &mut instances, Duration::from_secs(10), counted), !waits, "{idle}");
    }
}

#[test]
fn what_failed_is_asked_again_after_the_pause() {
    for (pause, soon) in [("100", true), ("30000", false)] {
        let mut world = World::new();
        world.feed(50);
        let mut instances = vec![with(&world, 1, "retry.backoff.ms", pause)];
        let timed_out = ClientError::TimedOut { request: "OffsetFetch".into() };
        world.cluster.faults().fail_next(Api::OffsetFetch, 1, timed_out);
        let counted = |world: &World, _: &[Driven]| world.counts() == world.expected;
        assert_eq!(within(&world, &mut instances, Duration::from_secs(10), counted), soon, "{pause}");
    }
}

#[test]
fn stores_that_hold_much_commit_early() {
    for (most, early) in [("10", true), ("-1", false), ("67108864", false)] {
        let mut world = World::new();
        let builder = world.builder(1).set("commit.interval.ms", "60000").set("statestore.uncommitted.max.bytes", most);
        let stores = StoreMakers { in_memory: Arc::new(InMemory), persistent: None };
        let mut instances = vec![builder.stores(stores).drive().unwrap()];
        world.feed(50);
        world.run_until(&mut instances, "all is counted", |_| world.counts() == world.expected);
        world.run(&mut instances, 5);
        assert_eq!(world.committed_lines() > 0, early, "{most}");
    }
}
