//! Which record is next, and when a task waits (`max.task.idle.ms`).

use std::time::Duration;

use headwater_record::{Headers, Timestamp, TopicPartition};
use headwater_runtime::intake::Readiness;
use headwater_runtime::task::{Running, Taken, TaskError};
use headwater_topology::node::SourceTopics;
use headwater_topology::node::source::TimestampExtractor;
use headwater_topology::{TaskId, Topology};

use crate::graph::Graph;
use crate::world::World;

const TASK: TaskId = TaskId::new(0, 0);
const TOPICS: [(&str, i32); 3] = [("left", 1), ("right", 1), ("out", 1)];

fn two_topics(extractor: TimestampExtractor<Option<String>, String>) -> Topology {
    let graph = Graph::default();
    let topics = SourceTopics::Named(vec!["left".to_owned(), "right".to_owned()]);
    let source = graph.source_of("source", topics, extractor);
    graph.sink("sink", &source, "out");
    graph.freeze()
}

fn world() -> (World, Running) {
    let mut world = World::new(two_topics(TimestampExtractor::FailOnInvalid), &TOPICS);
    let task = world.start(TASK);
    (world, task)
}

fn written(world: &mut World) -> Vec<String> {
    world.output.flush(crate::world::FAR).unwrap();
    world.values("out").into_iter().map(|(_, value)| value).collect()
}

#[test]
fn the_earliest_head_is_next_and_each_partition_stays_in_order() {
    let (mut world, mut task) = world();
    for (value, at) in [("l1", 1), ("l9", 9), ("l3", 3)] {
        world.write("left", 0, None, value, at);
    }
    for (value, at) in [("r2", 2), ("r8", 8), ("r10", 10)] {
        world.write("right", 0, None, value, at);
    }
    world.process(&mut task).unwrap();
    assert_eq!(written(&mut world), ["l1", "r2", "r8", "l9", "l3", "r10"]);
    assert_eq!(task.stream_time(), Timestamp::from_millis(10));
    let left = task.intake().queue(&TopicPartition::new("left", 0)).unwrap();
    assert_eq!(
        left.partition_time(),
        Timestamp::from_millis(9),
        "a late record does not turn the partition's time back"
    );
}

#[test]
fn a_task_waits_for_a_partition_that_has_records_in_the_log() {
    let (mut world, mut task) = world();
    world.write("left", 0, None, "l", 1);
    world.fetch(&mut task);
    world.write("right", 0, None, "r", 0);
    let (low, high) = (headwater_record::Offset::ZERO, headwater_record::Offset::new(1));
    let marks = headwater_client::Watermarks { low, high };
    task.heard(&TopicPartition::new("right", 0), Some(low), Some(marks));
    assert_eq!(task.readiness(Timestamp::from_millis(1_000_000)), Readiness::Waiting(None));
    world.process(&mut task).unwrap();
    assert_eq!(written(&mut world), ["r", "l"]);
}

#[test]
fn a_task_waits_while_it_does_not_know_what_a_partition_holds() {
    let (mut world, mut task) = world();
    world.write("left", 0, None, "l", 1);
    world.fetch(&mut task);
    task.heard(&TopicPartition::new("right", 0), None, None);
    assert_eq!(task.readiness(Timestamp::ZERO), Readiness::Waiting(None));
    assert_eq!(task.process(&mut world.output, Timestamp::ZERO).unwrap(), None);
}

#[test]
fn a_caught_up_partition_is_waited_for_as_long_as_the_setting_says() {
    let mut world = World::new(two_topics(TimestampExtractor::FailOnInvalid), &TOPICS);
    world.max_task_idle = Some(Duration::from_millis(100));
    let mut task = world.start(TASK);
    let at = Timestamp::from_millis;
    world.write("left", 0, None, "l", 1);
    world.fetch(&mut task);
    assert_eq!(task.readiness(at(50)), Readiness::Waiting(Some(at(150))));
    assert_eq!(task.readiness(at(149)), Readiness::Waiting(Some(at(150))));
    assert_eq!(task.readiness(at(150)), Readiness::Enforced);
    world.write("right", 0, None, "r", 0);
    world.fetch(&mut task);
    assert_eq!(task.readiness(at(150)), Readiness::Ready);
    assert_eq!(task.process(&mut world.output, at(150)).unwrap(), Some(Taken::Processed));
    assert_eq!(task.readiness(at(160)), Readiness::Waiting(Some(at(260))), "the time begins anew");
}

#[test]
fn with_minus_one_a_task_never_waits() {
    let mut world = World::new(two_topics(TimestampExtractor::FailOnInvalid), &TOPICS);
    world.max_task_idle = None;
    let mut task = world.start(TASK);
    assert_eq!(task.readiness(Timestamp::ZERO), Readiness::Empty);
    world.write("left", 0, None, "l", 1);
    world.fetch(&mut task);
    task.heard(&TopicPartition::new("right", 0), None, None);
    assert_eq!(task.readiness(Timestamp::ZERO), Readiness::Ready);
}

#[test]
fn what_waits_is_counted_in_records_and_bytes() {
    let (mut world, mut task) = world();
    for n in 0..5 {
        world.write("left", 0, None, "some text", n);
    }
    world.fetch(&mut task);
    assert_eq!(task.intake().buffered(), 5);
    assert!(task.intake().held_bytes() >= 5 * "some text".len());
    assert_eq!(world.process_up_to(&mut task, 2).unwrap(), 2);
    assert_eq!(task.intake().buffered(), 3);
    assert_eq!(world.process_up_to(&mut task, 10).unwrap(), 3);
    assert_eq!((task.intake().buffered(), task.intake().held_bytes()), (0, 0));
}

#[test]
fn a_skipped_record_is_counted_and_its_offset_committed() {
    let skip = TimestampExtractor::Custom(std::sync::Arc::new(
        |record: &headwater_topology::node::source::ConsumedRecord<'_, Option<String>, String>, _: Timestamp| {
            Ok(Timestamp::from_millis(if record.value == "skip" { -1 } else { 5 }))
        },
    ));
    let mut world = World::new(two_topics(skip), &TOPICS);
    let mut task = world.start(TASK);
    for value in ["skip", "a", "skip", "skip"] {
        world.write("left", 0, None, value, 1);
    }
    assert_eq!(world.process(&mut task).unwrap(), 1);
    assert_eq!(task.dropped_records(&world.output), 3);
    let offsets = world.commit(&mut task).unwrap();
    let offsets: Vec<(String, i64)> =
        offsets.iter().map(|(partition, offset)| (partition.to_string(), offset.offset.value())).collect();
    assert_eq!(offsets, [("left-0".to_owned(), 4)]);
    assert_eq!(written(&mut world), ["a"]);
}

#[test]
fn records_of_a_foreign_partition_are_an_error() {
    let (world, mut task) = world();
    world.cluster.create_topic("else", 1).unwrap();
    let from = TopicPartition::new("else", 0);
    world.cluster.produce_to(&from, None, Some(b"x"), Timestamp::ZERO, &Headers::new()).unwrap();
    let mut consumer =
        headwater_client::ClientSupplier::consumer(&world.cluster, &headwater_client::ClientConfig::new()).unwrap();
    consumer.assign(&[(from.clone(), headwater_client::StartAt::Beginning)]).unwrap();
    let mut batches = Vec::new();
    consumer.poll(headwater_record::Deadline::NOW, &mut batches).unwrap();
    let error = task.enqueue(batches.remove(0)).unwrap_err();
    assert!(matches!(&error, TaskError::NotAnInput { partition, .. } if *partition == from), "{error}");
}
