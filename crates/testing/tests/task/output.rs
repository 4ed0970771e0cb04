//! What a task writes arrives where Java would put it, and what does not arrive is never lost silently.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_client::{
    Appended, BatchAck, ClientConfig, ClientError, ClientSupplier, Lease, PartitionRef, Producer, RecordBatch,
};
use headwater_client_memory::{Api, Cluster};
use headwater_record::{
    Clock, Deadline, Offset, OwnedRecord, Partition, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition,
    partition_for_key,
};
use headwater_runtime::handler::ExceptionHandlers;
use headwater_runtime::output::{OutputSettings, RecordCollector};
use headwater_runtime::task::TaskError;
use headwater_topology::handler::{
    DeadLetter, ErrorContext, HandlerResponse, ProductionErrorOrigin, ProductionExceptionHandler,
};
use headwater_topology::{BoxError, Destination, Emit as _, ProcessError, TaskId};

use crate::graph::{FailOnBoom, count_by_value, through};
use crate::world::{FAR, World, text};

const TASK: TaskId = TaskId::new(0, 0);

fn forward() -> headwater_topology::Topology {
    through(|_| Ok(FailOnBoom))
}

/// Lets records go, with a letter where asked for.
#[derive(Debug)]
struct LetGo {
    letters: Option<&'static str>,
}

impl ProductionExceptionHandler for LetGo {
    fn handle(
        &self,
        _context: &ErrorContext<'_>,
        topic: &str,
        record: &OwnedRecord,
        origin: ProductionErrorOrigin,
        error: &BoxError,
    ) -> HandlerResponse {
        assert_eq!(origin, ProductionErrorOrigin::Send);
        let response = HandlerResponse::resume();
        let Some(letters) = self.letters else { return response };
        response.with_dead_letter(DeadLetter {
            topic: letters.to_owned(),
            key: None,
            value: Some(format!("{topic} {} {error}", text(record.value.as_deref())).into_bytes()),
            timestamp: record.timestamp,
            headers: headwater_record::Headers::new(),
        })
    }
}

fn let_go(letters: Option<&'static str>) -> ExceptionHandlers {
    ExceptionHandlers { production: Arc::new(LetGo { letters }), ..ExceptionHandlers::default() }
}

fn refuse(cluster: &Cluster) {
    cluster.faults().fail_next(Api::Produce, 1, ClientError::NotAuthorised("write to out".into()));
}

#[test]
fn a_record_goes_to_the_partition_that_javas_producer_chooses() {
    let mut world = World::new(forward(), &[("in", 1), ("out", 7)]);
    let mut task = world.start(TASK);
    let keys: Vec<String> = (0..50).map(|n| format!("key-{n}")).collect();
    for key in &keys {
        world.write("in", 0, Some(key), key, 0);
    }
    assert_eq!(world.process(&mut task).unwrap(), 50);
    world.commit(&mut task).unwrap();
    let mut seen = world.values("out");
    let mut expected: Vec<(Partition, String)> =
        keys.iter().map(|key| (partition_for_key(key.as_bytes(), 7), key.clone())).collect();
    expected.sort_by_key(|(partition, _)| *partition);
    seen.sort_by_key(|(partition, _)| *partition);
    assert_eq!(seen, expected);
}

#[test]
fn records_without_a_key_stay_together_until_a_batch_is_full() {
    let mut world = World::new(forward(), &[("in", 1), ("out", 3)]);
    let mut task = world.start(TASK);
    let large = "x".repeat(9 * 1024);
    for n in 0..6 {
        world.write("in", 0, None, &format!("{n}{large}"), 0);
    }
    world.process(&mut task).unwrap();
    world.commit(&mut task).unwrap();
    let seen: Vec<(i32, String)> =
        world.values("out").into_iter().map(|(partition, value)| (partition, value[..1].to_owned())).collect();
    let expected = [(0, "0"), (0, "1"), (1, "2"), (1, "3"), (2, "4"), (2, "5")];
    assert_eq!(seen, expected.map(|(partition, value)| (partition, value.to_owned())));
}

#[test]
fn internal_topics_have_the_applications_prefix_and_changelogs_the_tasks_partition() {
    let topics = [("in", 1), ("out", 1), ("app-counts-repartition", 2), ("app-counts-changelog", 2)];
    let mut world = World::new(count_by_value(), &topics);
    let mut task = world.start(TaskId::new(1, 1));
    world.write("app-counts-repartition", 1, Some("a"), "a", 0);
    world.write("app-counts-repartition", 1, Some("a"), "a", 0);
    world.process(&mut task).unwrap();
    let store = task.spec().stores[0].id;
    assert_eq!(world.output.changelog_offset(task.id(), store), None, "nothing is acknowledged before it was sent");
    world.commit(&mut task).unwrap();
    let changes = world.cluster.records(&Topic::from("app-counts-changelog"));
    assert_eq!(changes.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(world.output.changelog_offset(task.id(), store).map(headwater_record::Offset::value), Some(1));
    let committed = task.store(store).unwrap().read(|store| store.state().committed_offset()).unwrap();
    assert_eq!(committed.map(headwater_record::Offset::value), Some(1));
}

#[test]
fn a_topic_that_does_not_exist_fails_the_task_and_says_what_to_do() {
    let mut world = World::new(forward(), &[("in", 1)]);
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    let error = world.process(&mut task).unwrap_err();
    assert!(
        matches!(&error, TaskError::Production { topic, error: ClientError::UnknownTopic { .. }, .. } if topic == "out")
    );
    assert!(error.to_string().contains("topic out does not exist; create it"), "{error}");
}

#[test]
fn a_record_that_the_broker_refused_fails_the_task_before_it_commits() {
    let mut world = World::new(forward(), &[("in", 1), ("out", 1)]);
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    world.process(&mut task).unwrap();
    refuse(&world.cluster);
    let error = world.commit(&mut task).unwrap_err();
    assert!(
        matches!(&error, TaskError::Production { topic, error: ClientError::NotAuthorised(_), .. } if topic == "out")
    );
    assert!(task.commit_needed(), "the offset was not committed");
}

#[test]
fn a_task_may_not_commit_while_its_records_have_no_answer() {
    let mut world = World::new(forward(), &[("in", 1), ("out", 1)]);
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    world.process(&mut task).unwrap();
    let error = task.offsets(&mut world.output).unwrap_err();
    assert!(matches!(error, TaskError::UnderWay { records: 1, .. }), "{error}");
    world.output.flush(FAR).unwrap();
    assert_eq!(task.offsets(&mut world.output).unwrap().len(), 1);
}

#[test]
fn a_handler_that_lets_a_record_go_has_it_counted_as_dropped() {
    let mut world = World::with(forward(), &[("in", 1), ("out", 1)], let_go(None), &ClientConfig::new());
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    world.write("in", 0, Some("k"), "w", 0);
    world.process(&mut task).unwrap();
    refuse(&world.cluster);
    world.commit(&mut task).unwrap();
    assert_eq!(task.dropped_records(&world.output), 2, "the batch held both");
    assert!(world.values("out").is_empty());
}

#[test]
fn dead_letters_of_refused_records_are_written_with_the_same_commit() {
    let topics = [("in", 1), ("out", 1), ("dead", 1)];
    let mut world = World::with(forward(), &topics, let_go(Some("dead")), &ClientConfig::new());
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    world.process(&mut task).unwrap();
    refuse(&world.cluster);
    world.commit(&mut task).unwrap();
    let letters = world.values("dead");
    assert_eq!((letters.len(), task.dead_letters(&world.output)), (1, 1));
    assert!(letters[0].1.starts_with("out v not authorised"), "{letters:?}");
}

#[test]
fn a_dead_letter_that_is_refused_too_fails_the_task_without_asking_again() {
    let topics = [("in", 1), ("out", 1), ("dead", 1)];
    let mut world = World::with(forward(), &topics, let_go(Some("dead")), &ClientConfig::new());
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    world.process(&mut task).unwrap();
    let refused = ClientError::NotAuthorised("write".into());
    world.cluster.faults().fail_next(Api::Produce, 2, refused);
    let error = world.commit(&mut task).unwrap_err();
    assert!(matches!(&error, TaskError::Production { topic, .. } if topic == "dead"), "{error}");
}

#[test]
fn a_full_producer_lets_no_other_record_begin() {
    let small = ClientConfig::new().with("buffer.memory", "300").with("batch.size", "100");
    let mut world = World::with(forward(), &[("in", 1), ("out", 1)], ExceptionHandlers::default(), &small);
    let mut task = world.start(TASK);
    for n in 0..40 {
        world.write("in", 0, Some("k"), &format!("value {n}"), 0);
    }
    let mut processed = 0;
    while processed < 40 {
        let some = world.process(&mut task).unwrap();
        assert!(some > 0 && some < 40, "{some} after {processed}");
        processed += some;
        world.output.poll(Deadline::NOW).unwrap();
    }
    world.commit(&mut task).unwrap();
    assert_eq!(world.values("out").len(), 40);
}

/// As one record does of which much comes.
fn emit_much(world: &mut World) -> Result<(), ProcessError> {
    let mut emit = world.output.of_task(TASK);
    let out = emit.topic("out")?;
    for n in 0..40 {
        let value = format!("value {n}");
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::ZERO,
            key: Some(b"k"),
            value: Some(value.as_bytes()),
            headers: RawHeaders::NONE,
        };
        emit.emit(out, Destination::Partition(0), record)?;
    }
    Ok(())
}

#[test]
fn a_record_of_which_more_comes_than_there_is_room_for_waits_until_it_is_taken() {
    let small = ClientConfig::new().with("buffer.memory", "300").with("batch.size", "100");
    let mut world = World::with(forward(), &[("in", 1), ("out", 1)], ExceptionHandlers::default(), &small);
    let mut task = world.start(TASK);
    emit_much(&mut world).unwrap();
    world.commit(&mut task).unwrap();
    assert_eq!(world.values("out").len(), 40);
}

#[test]
fn a_producer_that_stays_full_is_an_error_in_the_end() {
    let small = ClientConfig::new().with("buffer.memory", "300").with("client.id", "stuck");
    let mut world = World::with(forward(), &[("in", 1), ("out", 1)], ExceptionHandlers::default(), &small);
    let _task = world.start(TASK);
    world.cluster.faults().of_client("stuck").unreachable_until(Timestamp::MAX);
    emit_much(&mut world).unwrap_err();
    let error = world.output.failure(TASK).unwrap();
    assert!(matches!(error, TaskError::Production { error: ClientError::TimedOut { .. }, .. }), "{error}");
    assert!(error.to_string().contains("buffer.memory"), "{error}");
}

#[test]
fn a_record_that_is_too_large_goes_to_the_handler_at_once() {
    let small = ClientConfig::new().with("max.request.size", "200");
    let large = "x".repeat(300);
    for (handlers, fails) in [(ExceptionHandlers::default(), true), (let_go(None), false)] {
        let mut world = World::with(forward(), &[("in", 1), ("out", 1)], handlers, &small);
        let mut task = world.start(TASK);
        world.write("in", 0, Some("k"), &large, 0);
        world.write("in", 0, Some("k"), "small", 0);
        let result = world.process(&mut task);
        if fails {
            let error = result.unwrap_err();
            assert!(
                matches!(&error, TaskError::Production { error: ClientError::RecordTooLarge { .. }, .. }),
                "{error}"
            );
        } else {
            assert_eq!(result.unwrap(), 2);
            world.commit(&mut task).unwrap();
            assert_eq!((task.dropped_records(&world.output), world.values("out").len()), (1, 1));
        }
    }
}

#[test]
fn topic_handles_stay_valid_when_the_producer_is_replaced() {
    let mut world = World::new(forward(), &[("in", 1), ("out", 1)]);
    let mut task = world.start(TASK);
    world.write("in", 0, Some("k"), "v", 0);
    world.process(&mut task).unwrap();
    world.output.replace_producer(world.cluster.producer(&ClientConfig::new()).unwrap());
    assert_eq!(world.output.under_way(), 0, "what was under way is forgotten with the producer");
    world.write("in", 0, Some("k"), "w", 0);
    world.process(&mut task).unwrap();
    world.commit(&mut task).unwrap();
    assert_eq!(world.values("out"), [(0, "w".to_owned())]);
    assert_eq!(world.output.now(), world.clock.now());
}

#[test]
fn answers_to_a_former_run_of_a_task_are_not_taken_for_its_own() {
    let topics = [("in", 1), ("out", 1), ("app-counts-repartition", 1), ("app-counts-changelog", 1)];
    let mut world = World::new(count_by_value(), &topics);
    let id = TaskId::new(1, 0);
    let mut task = world.start(id);
    world.write("app-counts-repartition", 0, Some("a"), "a", 0);
    world.process(&mut task).unwrap();
    let store = task.spec().stores[0].id;
    drop(task);
    let task = world.start(id);
    world.output.flush(FAR).unwrap();
    assert_eq!(world.values("app-counts-changelog").len(), 1, "the former run's change was sent");
    assert_eq!(world.output.changelog_offset(id, store), None, "but this run's store does not hold it");
    drop(task);
    world.output.release(id);
    assert_eq!(world.output.changelog_offset(id, store), None);
}

#[test]
fn what_is_known_of_tasks_that_are_gone_is_forgotten_once_their_records_have_arrived() {
    let topics = [("in", 1), ("out", 1), ("app-counts-repartition", 1), ("app-counts-changelog", 1)];
    let mut world = World::new(count_by_value(), &topics);
    let id = TaskId::new(1, 0);
    let lanes = |world: &World| format!("{:?}", world.output).split("lanes: ").nth(1).map(|rest| rest[..1].to_owned());
    for _ in 0..5 {
        let mut task = world.start(id);
        world.write("app-counts-repartition", 0, Some("a"), "a", 0);
        world.process(&mut task).unwrap();
        world.output.release(id);
        assert!(world.output.task_under_way(id) > 0, "its records are not forgotten");
        drop(world.start(id));
        assert_eq!(lanes(&world).as_deref(), Some("2"), "answers to the former life are still to come");
        world.output.flush(FAR).unwrap();
        world.output.release(id);
        assert_eq!(lanes(&world).as_deref(), Some("0"));
    }
}

/// Records that come back.
struct Refused(TopicPartition, VecDeque<OwnedRecord>);

impl RecordBatch for Refused {
    fn partition(&self) -> &TopicPartition {
        &self.0
    }
    fn head(&self) -> Option<RawRecord<'_>> {
        self.1.front().map(OwnedRecord::view)
    }
    fn advance(&mut self) -> Result<(), ClientError> {
        self.1.pop_front();
        Ok(())
    }
    fn remaining(&self) -> usize {
        self.1.len()
    }
    fn next_offset(&self) -> Offset {
        Offset::UNKNOWN
    }
    fn held_bytes(&self) -> usize {
        0
    }
}

/// A producer whose answers are written down; it has no room for the first letter until it is polled.
struct Scripted {
    topics: Vec<Topic>,
    answers: VecDeque<Vec<BatchAck>>,
    full: bool,
}

impl Producer for Scripted {
    fn partition(&mut self, topic: &Topic, _: Partition) -> Result<PartitionRef, ClientError> {
        self.topics.push(topic.clone());
        Ok(PartitionRef::new(self.topics.len() as u32 - 1))
    }
    fn partition_count(&mut self, _: &Topic, _: Deadline) -> Result<Partition, ClientError> {
        Ok(1)
    }
    fn append(&mut self, to: PartitionRef, _: RawRecord<'_>) -> Result<Appended, ClientError> {
        let is_letter = self.topics[to.index()].as_str() == "letters";
        Ok(if is_letter && std::mem::take(&mut self.full) { Appended::Full } else { Appended::Stored })
    }
    fn is_full(&self) -> bool {
        false
    }
    fn poll(&mut self, _: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        acks.extend(self.answers.pop_front().unwrap_or_default());
        Ok(())
    }
    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.poll(until, acks)
    }
    fn obey(&mut self, _: Lease) {}
    fn abandon(&mut self) {}
}

#[test]
fn answers_that_come_while_a_dead_letter_waits_for_room_are_taken_after_those_before_them() {
    let world = World::new(forward(), &[("in", 2), ("out", 1)]);
    let to = PartitionRef::new(0);
    let record = OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::ZERO,
        key: None,
        value: Some("v".into()),
        headers: Vec::new(),
    };
    let records = Box::new(Refused(TopicPartition::new("out", 0), vec![record.clone(); 3].into()));
    let refused = BatchAck::Failed { to, error: ClientError::NotAuthorised("write to out".into()), records };
    let stored = BatchAck::Stored { to, base_offset: Offset::ZERO, count: 2 };
    let answers = VecDeque::from([vec![refused], vec![stored]]);
    let producer = Box::new(Scripted { topics: Vec::new(), answers, full: true });
    let settings = OutputSettings::default();
    let mut output = RecordCollector::new(producer, Arc::new(world.clock.clone()), settings, let_go(Some("letters")));
    let (first, second) = (TASK, TaskId::new(0, 1));
    for (task, count) in [(first, 3), (second, 2)] {
        output.register(&world.spec(task));
        let mut emit = output.of_task(task);
        let out = emit.topic("out").unwrap();
        for _ in 0..count {
            emit.emit(out, Destination::Partition(0), record.view()).unwrap();
        }
    }
    output.poll(Deadline::NOW).unwrap();
    assert_eq!((output.dropped(first), output.dropped(second)), (3, 0));
    assert_eq!((output.task_under_way(first), output.task_under_way(second)), (3, 0), "three letters are under way");
}
