//! What a task is made of follows from the topology.

use headwater_record::TopicPartition;
use headwater_runtime::task::TaskSpec;
use headwater_store::Logging;
use headwater_topology::node::SourceTopics;
use headwater_topology::node::source::TimestampExtractor;
use headwater_topology::{StoreId, TaskId};

use crate::graph::{FailOnBoom, Graph, count_by_value, look_up_names};

fn none(_: &str) -> Vec<String> {
    Vec::new()
}

#[test]
fn internal_topics_and_changelogs_have_the_applications_prefix_and_the_tasks_partition() {
    let topology = count_by_value().for_application("app");
    let spec = TaskSpec::of(&topology, TaskId::new(1, 3), &none).unwrap();
    let partitions: Vec<&TopicPartition> = spec.partitions().collect();
    assert_eq!(partitions, [&TopicPartition::new("app-counts-repartition", 3)]);
    assert_eq!(spec.stores.len(), 1);
    assert_eq!(spec.stores[0].changelog, Some(TopicPartition::new("app-counts-changelog", 3)));
    assert!(!spec.stores[0].source_changelog);
    let first = TaskSpec::of(&topology, TaskId::new(0, 3), &none).unwrap();
    assert_eq!(first.partitions().collect::<Vec<_>>(), [&TopicPartition::new("in", 3)]);
    assert!(first.stores.is_empty());
    assert_eq!(TaskSpec::of(&topology, TaskId::new(2, 0), &none), None);
}

#[test]
fn a_part_that_only_fills_a_global_store_has_no_tasks() {
    let topology = look_up_names();
    assert_eq!(TaskSpec::of(&topology, TaskId::new(0, 0), &none), None);
    let spec = TaskSpec::of(&topology, TaskId::new(1, 0), &none).unwrap();
    assert!(spec.stores.is_empty(), "the global store is not the task's");
}

#[test]
fn a_pattern_reads_what_matches_now_and_its_source_is_there_when_nothing_does() {
    let graph = Graph::default();
    let topics = SourceTopics::Pattern("in-.*".to_owned());
    let source = graph.source_of("source", topics, TimestampExtractor::FailOnInvalid);
    graph.sink("sink", &source, "out");
    let topology = graph.freeze();
    let found = |pattern: &str| {
        assert_eq!(pattern, "in-.*");
        vec!["in-b".to_owned(), "in-a".to_owned()]
    };
    let spec = TaskSpec::of(&topology, TaskId::new(0, 0), &found).unwrap();
    let expected = [TopicPartition::new("in-a", 0), TopicPartition::new("in-b", 0)];
    assert_eq!(spec.partitions().cloned().collect::<Vec<_>>(), expected);
    let nothing = TaskSpec::of(&topology, TaskId::new(0, 0), &none).unwrap();
    assert!(nothing.inputs.is_empty());
    assert_eq!(nothing.sources(&topology), spec.sources(&topology));
}

#[test]
fn a_store_without_logging_has_no_changelog_and_one_may_have_its_source_topic() {
    let graph = Graph::default();
    let source = graph.source("source", &["in"]);
    let stores: [StoreId; 2] = [graph.store("silent"), graph.store("table")];
    graph.draft.change_store(stores[0], |store| store.spec.logging = Logging::Disabled);
    graph.draft.change_store(stores[1], |store| store.source_changelog = Some("in".to_owned()));
    graph.process("processor", &source, &stores, |_| Ok(FailOnBoom));
    let spec = TaskSpec::of(&graph.freeze().for_application("app"), TaskId::new(0, 1), &none).unwrap();
    let of = |id: StoreId| spec.stores.iter().find(|store| store.id == id).unwrap();
    assert_eq!((of(stores[0]).changelog.as_ref(), of(stores[0]).source_changelog), (None, false));
    let table = of(stores[1]);
    assert_eq!((table.changelog.as_ref(), table.source_changelog), (Some(&TopicPartition::new("in", 1)), true));
}
