//! Which record is next, and when a task waits (`max.task.idle.ms`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headwater_client::ClientConfig;
use headwater_record::{DefaultSerde, Encoded, Headers, Serde, SerdeError, Timestamp, TopicPartition};
use headwater_runtime::handler::{ExceptionHandlers, LogAndContinueExceptionHandler};
use headwater_runtime::intake::Readiness;
use headwater_runtime::task::{Committed, StreamTask, Taken, TaskError};
use headwater_topology::node::SourceTopics;
use headwater_topology::node::source::TimestampExtractor;
use headwater_topology::processor::StoreAccess;
use headwater_topology::state::StoreHandle;
use headwater_topology::{TaskId, Topology};

use crate::graph::{FailOnBoom, Fill, Graph, LookUp, through};
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

fn world() -> (World, StreamTask) {
    let mut world = World::new(two_topics(TimestampExtractor::FailOnInvalid), &TOPICS);
    let task = world.start(TASK);
    (world, task)
}

fn written(world: &mut World) -> Vec<String> {
    world.output.flush(crate::world::FAR).unwrap();
    world.values("out").into_iter().map(|(_, value)| value).collect()
}

fn take_one(world: &mut World, task: &mut StreamTask, now: Timestamp) -> Option<Taken> {
    let mut taken = None;
    task.process(&mut world.output, now, &mut |record| {
        taken = Some(record);
        None
    })
    .unwrap();
    taken
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
    assert_eq!(world.process_up_to(&mut task, 10).unwrap(), 0);
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
    assert_eq!(take_one(&mut world, &mut task, at(150)), Some(Taken::Processed));
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

/// Bytes that are no text, at this time.
fn write_corrupted(world: &World, topic: &str, key: Option<&str>, at: i64) {
    let (to, key) = (TopicPartition::new(topic, 0), key.map(str::as_bytes));
    world.cluster.produce_to(&to, key, Some(&[0xff]), Timestamp::from_millis(at), &Headers::new()).unwrap();
}

fn let_go() -> ExceptionHandlers {
    let deserialization = Arc::new(LogAndContinueExceptionHandler::default());
    ExceptionHandlers { deserialization, ..ExceptionHandlers::default() }
}

#[test]
fn the_time_of_a_corrupted_record_does_not_decide_what_is_next() {
    let topology = two_topics(TimestampExtractor::FailOnInvalid);
    let mut world = World::with(topology, &TOPICS, let_go(), &ClientConfig::new());
    let mut task = world.start(TASK);
    write_corrupted(&world, "left", None, 1_000);
    world.write("left", 0, None, "l1", 1);
    world.write("right", 0, None, "r5", 5);
    world.write("right", 0, None, "r6", 6);
    assert_eq!(world.process(&mut task).unwrap(), 3);
    assert_eq!(written(&mut world), ["l1", "r5", "r6"]);
    assert_eq!(task.dropped_records(&world.output), 1);
}

#[test]
fn a_stream_joins_the_row_behind_a_corrupted_one() {
    let graph = Graph::default();
    let store = graph.store("table");
    let table = graph.source("table-source", &["table"]);
    graph.process("fill", &table, &[store], |stores: &mut StoreAccess<'_, '_>| {
        Ok(Fill(stores.key_value(&StoreHandle::named("table"))?))
    });
    let stream = graph.source("stream-source", &["stream"]);
    let found = graph.process("look-up", &stream, &[store], |stores: &mut StoreAccess<'_, '_>| {
        Ok(LookUp(stores.key_value(&StoreHandle::named("table"))?))
    });
    graph.sink("sink", &found, "out");
    let topics = [("table", 1), ("stream", 1), ("out", 1), ("app-table-changelog", 1)];
    let mut world = World::with(graph.freeze(), &topics, let_go(), &ClientConfig::new());
    world.max_task_idle = Some(Duration::from_secs(100));
    let mut task = world.start(TASK);
    write_corrupted(&world, "table", Some("k"), 1_000);
    world.write("table", 0, Some("k"), "7", 1);
    world.write("stream", 0, Some("k"), "k", 5);
    world.process(&mut task).unwrap();
    // The table is read up, and waited for no longer.
    world.clock.advance(Duration::from_secs(200));
    world.process(&mut task).unwrap();
    assert_eq!(written(&mut world), ["7"]);
}

#[test]
fn a_corrupted_record_has_no_time_anywhere() {
    for second in ["right", "left"] {
        let topology = two_topics(TimestampExtractor::FailOnInvalid);
        let mut world = World::with(topology, &TOPICS, let_go(), &ClientConfig::new());
        let mut task = world.start(TASK);
        write_corrupted(&world, "left", None, 1_000);
        world.write(second, 0, None, "good", 1);
        world.process(&mut task).unwrap();
        assert_eq!(task.stream_time(), Timestamp::from_millis(1));
        for (partition, committed) in world.commit(&mut task).unwrap() {
            let time = if partition.topic.as_str() == second { 1 } else { -1 };
            assert_eq!(Committed::of(&committed).partition_time, Timestamp::from_millis(time), "{partition}");
        }
    }
}

#[test]
fn the_only_partition_of_a_task_has_no_time_of_corrupted_records_either() {
    let topology = through(|_: &mut StoreAccess<'_, '_>| Ok(FailOnBoom));
    let mut world = World::with(topology, &[("in", 1), ("out", 1)], let_go(), &ClientConfig::new());
    let mut task = world.start(TASK);
    write_corrupted(&world, "in", None, 1_000);
    world.write("in", 0, None, "good", 1);
    write_corrupted(&world, "in", None, 2_000);
    assert_eq!(world.process(&mut task).unwrap(), 1);
    assert_eq!(task.stream_time(), Timestamp::from_millis(1));
    let committed = &world.commit(&mut task).unwrap()[0].1;
    assert_eq!(Committed::of(committed).partition_time, Timestamp::from_millis(1));
    assert_eq!(committed.offset.value(), 3, "and it is read no more");
}

#[test]
fn a_corrupted_record_fails_the_task_as_soon_as_it_is_at_the_head() {
    let (mut world, mut task) = world();
    write_corrupted(&world, "left", None, 1_000);
    world.write("right", 0, None, "r1", 1);
    let error = world.process(&mut task).unwrap_err();
    assert!(error.to_string().contains("Deserialization exception handler is set to fail"), "{error}");
    assert!(written(&mut world).is_empty());
}

/// Text, counting how often it is read.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Serde<String> for Counted {
    fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        String::default_serde().serialize(topic, value, into)
    }

    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        String::default_serde().deserialize(topic, bytes)
    }
}

#[test]
fn each_record_is_decoded_once() {
    for topics in [&["left", "right"][..], &["left"]] {
        let decoded = Arc::new(AtomicUsize::new(0));
        let graph = Graph::default();
        let named = SourceTopics::Named(topics.iter().map(|topic| (*topic).to_owned()).collect());
        let serde = Arc::new(Counted(Arc::clone(&decoded)));
        let source = graph.source_with("source", named, TimestampExtractor::FailOnInvalid, serde);
        graph.sink("sink", &source, "out");
        let mut world = World::with(graph.freeze(), &TOPICS, let_go(), &ClientConfig::new());
        let mut task = world.start(TASK);
        for at in 0..5 {
            for topic in topics {
                world.write(topic, 0, None, "v", at);
            }
        }
        write_corrupted(&world, "left", None, 9);
        let records = 5 * topics.len();
        assert_eq!(world.process(&mut task).unwrap(), records);
        assert_eq!(decoded.load(Ordering::Relaxed), records + 1);
    }
}
