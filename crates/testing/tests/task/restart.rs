//! A task goes on where its last commit left it.

use headwater_client::CommittedOffset;
use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_runtime::task::{Committed, TaskError};
use headwater_topology::processor::StoreAccess;
use headwater_topology::state::StoreHandle;
use headwater_topology::{PunctuationType, TaskId};

use crate::graph::{Fill, Graph, Times, count_by_value, through};
use crate::world::{World, stores};

const TASK: TaskId = TaskId::new(0, 0);

fn world() -> World {
    World::new(through(|_| Ok(Times(None))), &[("in", 1), ("out", 1)])
}

#[test]
fn a_commit_holds_the_next_offset_and_javas_text_for_the_partition_time() {
    let mut world = world();
    let mut task = world.start(TASK);
    assert!(!task.commit_needed());
    for at in [7, 1_700_000_000_000, 9] {
        world.write("in", 0, None, "v", at);
    }
    world.fetch(&mut task);
    world.process_up_to(&mut task, 2).unwrap();
    assert!(task.commit_needed());
    let offsets = world.commit(&mut task).unwrap();
    // Java: new TopicPartitionMetadata(1_700_000_000_000L, new ProcessorMetadata()).encode()
    let expected = CommittedOffset { offset: Offset::new(2), metadata: "AgAAAYvP5WgA".to_owned() };
    assert_eq!(offsets, [(TopicPartition::new("in", 0), expected)]);
    assert!(!task.commit_needed());
    assert!(world.commit(&mut task).unwrap().is_empty(), "nothing was taken since");
}

#[test]
fn a_task_starts_at_the_committed_offset_with_the_committed_time() {
    let mut world = world();
    for (value, at) in [("a", 50), ("b", 10), ("c", 20)] {
        world.write("in", 0, None, value, at);
    }
    let committed = CommittedOffset { offset: Offset::new(1), metadata: "AgAAAAAAAAAy".to_owned() };
    assert_eq!(Committed::of(&committed).partition_time, Timestamp::from_millis(50));
    let spec = world.spec(TASK);
    let stores = world.open(&spec);
    let mut task = world.start_with(spec, stores, &[(TopicPartition::new("in", 0), committed)]).unwrap();
    assert_eq!(task.stream_time(), Timestamp::from_millis(50));
    world.process(&mut task).unwrap();
    world.commit(&mut task).unwrap();
    let values: Vec<String> = world.values("out").into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["b stream=50 wall=0", "c stream=50 wall=0"]);
}

#[test]
fn foreign_metadata_counts_as_no_time() {
    let committed = CommittedOffset { offset: Offset::new(1), metadata: "written by somebody else".to_owned() };
    assert_eq!(Committed::of(&committed).partition_time, Timestamp::UNKNOWN);
}

#[test]
fn closing_gives_the_stores_back_and_another_task_goes_on_with_them() {
    let topics = [("in", 1), ("out", 1), ("app-counts-repartition", 1), ("app-counts-changelog", 1)];
    let mut world = World::new(count_by_value(), &topics);
    let id = TaskId::new(1, 0);
    let mut task = world.start(id);
    world.write("app-counts-repartition", 0, Some("a"), "a", 0);
    world.process(&mut task).unwrap();
    world.commit(&mut task).unwrap();
    let spec = task.spec().clone();
    let stores = task.close().stores;
    assert_eq!(stores.stores.len(), 1);
    assert_eq!(stores.changelogs[0].offset, Some(Offset::ZERO), "it says how much of its changelog it contains");

    let input = TopicPartition::new("app-counts-repartition", 0);
    let committed = CommittedOffset { offset: Offset::new(1), metadata: String::new() };
    let mut task = world.start_with(spec, stores, &[(input, committed)]).unwrap();
    world.write("app-counts-repartition", 0, Some("a"), "a", 0);
    assert_eq!(world.process(&mut task).unwrap(), 1);
    world.commit(&mut task).unwrap();
    assert_eq!(world.values("out"), [(0, "1".to_owned()), (0, "2".to_owned())], "the count goes on");
}

#[test]
fn a_punctuation_alone_is_something_to_commit() {
    let topology = through(|_| Ok(Times(Some(PunctuationType::WallClockTime))));
    let mut world = World::new(topology, &[("in", 1), ("out", 1)]);
    let mut task = world.start(TASK);
    assert_eq!(task.next_wall_clock(), Some(Timestamp::from_millis(10)));
    assert!(!task.punctuate(&mut world.output, Timestamp::from_millis(9)).unwrap());
    assert!(!task.commit_needed());
    assert!(task.punctuate(&mut world.output, Timestamp::from_millis(10)).unwrap());
    assert!(task.commit_needed());
    assert!(world.commit(&mut task).unwrap().is_empty(), "no record was taken");
    assert_eq!(world.values("out").len(), 1);
}

#[test]
fn a_store_that_was_not_opened_is_an_error_at_the_start() {
    let mut world = World::new(count_by_value(), &[("app-counts-repartition", 1)]);
    let spec = world.spec(TaskId::new(1, 0));
    let none = stores(&spec, std::collections::HashMap::new());
    let error = world.start_with(spec, none, &[]).unwrap_err();
    assert!(matches!(error, TaskError::Wiring { .. }), "{error}");
    assert!(error.to_string().contains("counts"), "{error}");
}

#[test]
fn a_store_whose_source_topic_is_its_changelog_writes_nothing_and_commits_the_input_offset() {
    let graph = Graph::default();
    let source = graph.source("source", &["in"]);
    let store = graph.store("table");
    graph.draft.change_store(store, |store| store.source_changelog = Some("in".to_owned()));
    graph.process("fill", &source, &[store], |stores: &mut StoreAccess<'_, '_>| {
        Ok(Fill(stores.key_value(&StoreHandle::named("table"))?))
    });
    let mut world = World::new(graph.freeze(), &[("in", 1)]);
    let mut task = world.start(TASK);
    for value in ["x", "y", "z"] {
        world.write("in", 0, Some("k"), value, 0);
    }
    world.fetch(&mut task);
    world.process_up_to(&mut task, 2).unwrap();
    world.commit(&mut task).unwrap();
    let committed = task.store(store).unwrap().read(|store| store.state().committed_offset()).unwrap();
    assert_eq!(committed, Some(Offset::new(1)));
    assert_eq!(world.cluster.topics().len(), 1);
    assert_eq!(world.values("in").len(), 3);
}
