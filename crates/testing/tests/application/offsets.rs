//! Where input is read from, and what is done with topics.

use headwater_client::{ClientConfig, ClientError, ClientSupplier};
use headwater_client_memory::Api;
use headwater_record::{Deadline, Headers, Offset, Timestamp, Topic, TopicPartition};
use headwater_runtime::{KafkaStreams, NoDefault};
use headwater_topology::node::{OffsetReset, SourceTopics};

use crate::graph::word_count_of;
use crate::world::{APPLICATION, World, memory_stores};

#[test]
fn what_was_there_before_is_read_by_default_and_not_with_latest() {
    let mut world = World::new();
    world.feed_line("old old");
    let mut instances = vec![world.builder(1).set("auto.offset.reset", "latest").drive().unwrap()];
    world.run(&mut instances, 20);
    assert!(world.counts().is_empty());
    world.expected.clear();
    for _ in 0..4 {
        world.feed_line("new");
    }
    world.run_until(&mut instances, "the new lines are counted", |_| world.counts() == world.expected);
}

#[test]
fn a_source_may_say_itself_from_where_it_is_read() {
    let mut world = World::new();
    world.feed_line("old");
    let topology = word_count_of(SourceTopics::Named(vec!["lines".to_owned()]), Some(OffsetReset::Earliest));
    let builder = KafkaStreams::<NoDefault>::builder(topology).application_id(APPLICATION).on(&world.cluster);
    let builder = builder.stores(memory_stores()).set("dsl.store.suppliers.class", "in_memory");
    let mut instances = vec![builder.set("auto.offset.reset", "latest").drive().unwrap()];
    world.run_until(&mut instances, "the old line is counted", |_| world.counts() == world.expected);
}

#[test]
fn a_position_that_was_deleted_is_left_for_the_earliest() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(40);
    world.settle(&mut instances);
    drop(instances);
    world.clock.advance(std::time::Duration::from_secs(46));
    world.feed(40);
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    let lines = Topic::from("lines");
    let ends = world.cluster.topic(&lines).unwrap().partitions;
    let before: Vec<(TopicPartition, Offset)> =
        (0..4).map(|partition| (TopicPartition::new("lines", partition), ends[partition as usize].high)).collect();
    admin.delete_records(&before, Deadline::NOW).unwrap();
    let counted = world.counts();
    let mut instances = vec![world.instance(2)];
    world.run(&mut instances, 20);
    for _ in 0..4 {
        world.cluster.produce(&lines, None, Some(b"after"), Timestamp::UNKNOWN, &Headers::new()).unwrap();
    }
    world.run_until(&mut instances, "what came after is counted", |_| world.counts().get("after") == Some(&4));
    let mut now = world.counts();
    now.remove("after");
    assert_eq!(now, counted, "what was deleted is not counted");
}

#[test]
fn a_place_in_time_that_the_cluster_does_not_tell_at_once_is_asked_for_again() {
    let mut world = World::new();
    let lines = Topic::from("lines");
    let since = OffsetReset::ByDuration(std::time::Duration::from_hours(1));
    let topology = word_count_of(SourceTopics::Named(vec!["lines".to_owned()]), Some(since));
    let builder = KafkaStreams::<NoDefault>::builder(topology).application_id(APPLICATION).on(&world.cluster);
    let builder = builder.stores(memory_stores()).set("dsl.store.suppliers.class", "in_memory");
    world.feed(4);
    let first = builder.set("commit.interval.ms", "100").process_id(1).drive().unwrap();
    let mut instances = vec![first];
    world.settle(&mut instances);
    drop(instances);
    world.clock.advance(std::time::Duration::from_secs(46));
    // What was committed is deleted before anybody reads on.
    world.feed(40);
    let ends = world.cluster.topic(&lines).unwrap().partitions;
    let before: Vec<(TopicPartition, Offset)> =
        (0..4).map(|partition| (TopicPartition::new("lines", partition), ends[partition as usize].high)).collect();
    world.cluster.admin(&ClientConfig::new()).unwrap().delete_records(&before, Deadline::NOW).unwrap();
    let silent = ClientError::TimedOut { request: "ListOffsets".to_owned() };
    let topology = word_count_of(SourceTopics::Named(vec!["lines".to_owned()]), Some(since));
    let builder = KafkaStreams::<NoDefault>::builder(topology).application_id(APPLICATION).on(&world.cluster);
    let builder = builder.stores(memory_stores()).set("dsl.store.suppliers.class", "in_memory").process_id(2);
    let mut instances = vec![builder.set("client.id", "late").drive().unwrap()];
    world.cluster.faults().of_client("late-StreamThread-1-admin").fail_next(Api::ListOffsets, 12, silent);
    for _ in 0..8 {
        world.cluster.produce(&lines, None, Some(b"after"), Timestamp::UNKNOWN, &Headers::new()).unwrap();
    }
    world.run_until(&mut instances, "what came after is counted", |_| world.counts().get("after") == Some(&8));
}

#[test]
fn topics_are_found_by_their_pattern_also_when_they_come_later() {
    let mut world = World::new();
    let topology = word_count_of(SourceTopics::Pattern("line.*".to_owned()), None);
    let builder = KafkaStreams::<NoDefault>::builder(topology).application_id(APPLICATION).on(&world.cluster);
    let builder = builder.stores(memory_stores()).set("dsl.store.suppliers.class", "in_memory");
    let mut instances = vec![builder.set("metadata.max.age.ms", "1000").drive().unwrap()];
    world.feed_line("one");
    world.run_until(&mut instances, "the line is counted", |_| world.counts() == world.expected);
    world.cluster.create_topic("line-by-line", 2).unwrap();
    let later = Topic::from("line-by-line");
    world.cluster.produce(&later, None, Some(b"two"), Timestamp::UNKNOWN, &Headers::new()).unwrap();
    world.run_until(&mut instances, "the new topic is read", |_| world.counts().contains_key("two"));
}

#[test]
fn new_partitions_of_a_source_without_state_get_tasks() {
    let mut world = World::new();
    world.feed(10);
    let mut instances = vec![world.instance(1)];
    world.settle(&mut instances);
    let repartition = world.cluster.topic(&Topic::from("word-count-words-repartition")).unwrap();
    assert_eq!(repartition.partitions.len(), 4);
    let changelog = world.cluster.topic(&Topic::from("word-count-counts-changelog")).unwrap();
    assert_eq!(changelog.configs.get("cleanup.policy").map(String::as_str), Some("compact"));
}

#[test]
fn consumed_repartition_records_are_deleted() {
    let mut world = World::new();
    let mut instances = vec![world.builder(1).set("repartition.purge.interval.ms", "1000").drive().unwrap()];
    world.feed(100);
    world.settle(&mut instances);
    let words = Topic::from("word-count-words-repartition");
    let left = |world: &World| world.cluster.records(&words).len();
    assert!(left(&world) > 0);
    world.run(&mut instances, 60);
    // Only a commit after the interval deletes.
    world.feed(1);
    world.settle(&mut instances);
    world.run(&mut instances, 60);
    world.feed(1);
    world.settle(&mut instances);
    assert!(left(&world) < 100, "{} are left", left(&world));
}
