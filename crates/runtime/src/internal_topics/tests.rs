//! Plans of drafted topologies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_client::{Admin, ClientError, NewTopic, OffsetSpec, TopicDescription};
use headwater_record::{Deadline, Offset, Partition, Topic, TopicPartition};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::{NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::{Draft, NodeId, SubtopologyId, Topology, TopologySettings};

use super::{InternalTopicSettings, InternalTopicsError, InternalTopicsPlan, KnownTopics, create, plan, verify};

fn source(draft: &Draft, topics: &[&str]) -> NodeId {
    let names = topics.iter().map(ToString::to_string).collect();
    draft.add_node(NodeSpec::source(format!("source-{}", topics.join("-")), SourceTopics::Named(names), None))
}

fn sink(draft: &Draft, name: &str, topic: &str, parent: NodeId) {
    draft.add_node(NodeSpec::sink(name, SinkTopic::Named(topic.to_owned()), [parent]));
}

fn processor(draft: &Draft, name: &str, parent: NodeId, spec: StoreSpec) {
    let store = draft.add_store(spec);
    draft.add_node(NodeSpec::processor(name, [parent]).with_store(store));
}

fn frozen(draft: &Draft) -> Topology {
    draft.freeze(&TopologySettings::new()).unwrap().for_application("app")
}

fn planned(draft: &Draft, known: &[(&str, Partition)]) -> Result<InternalTopicsPlan, InternalTopicsError> {
    plan(&frozen(draft), &InternalTopicSettings::default(), &KnownTopics::of(known.iter().copied()))
}

fn counts(topics: &[NewTopic]) -> BTreeMap<&str, Partition> {
    topics.iter().map(|topic| (topic.topic.as_str(), topic.partitions)).collect()
}

fn configs(topic: &NewTopic) -> Vec<(&str, &str)> {
    topic.configs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// Words are read, repartitioned by key and counted.
fn word_count(kind: StoreKind) -> Draft {
    let draft = Draft::new();
    let words = source(&draft, &["words"]);
    draft.add_repartition_topic("counts-repartition", None);
    sink(&draft, "sink", "counts-repartition", words);
    let keyed = source(&draft, &["counts-repartition"]);
    processor(&draft, "count", keyed, StoreSpec::new("counts", kind));
    draft
}

#[test]
fn internal_topics_have_java_s_names_counts_and_settings() {
    let plan = planned(&word_count(StoreKind::KeyValue), &[("words", 3)]).unwrap();
    assert_eq!(counts(&plan.repartition), BTreeMap::from([("app-counts-repartition", 3)]));
    assert_eq!(counts(&plan.changelogs), BTreeMap::from([("app-counts-changelog", 3)]));
    assert_eq!(plan.tasks, BTreeMap::from([(SubtopologyId::new(0), 3), (SubtopologyId::new(1), 3)]));
    let expected = [
        ("cleanup.policy", "delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "-1"),
        ("segment.bytes", "52428800"),
    ];
    assert_eq!(configs(&plan.repartition[0]), expected);
    assert_eq!(configs(&plan.changelogs[0]), [("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime")]);
    assert_eq!(plan.changelogs[0].replication_factor, -1);
}

#[test]
fn changelogs_of_windows_are_kept_a_day_longer_than_the_store() {
    let kind = StoreKind::Window {
        retention: Duration::from_hours(1),
        window_size: Duration::from_mins(5),
        segment_interval: Duration::from_mins(30),
        retain_duplicates: false,
        time_ordered: false,
        key_index: false,
    };
    let plan = planned(&word_count(kind), &[("words", 1)]).unwrap();
    let expected =
        [("cleanup.policy", "compact,delete"), ("message.timestamp.type", "CreateTime"), ("retention.ms", "90000000")];
    assert_eq!(configs(&plan.changelogs[0]), expected);
}

/// Compacted, all but one of the values that share key and time would be lost (KAFKA-13345).
#[test]
fn changelogs_of_duplicates_are_not_compacted() {
    let kind = StoreKind::Window {
        retention: Duration::from_hours(1),
        window_size: Duration::from_mins(5),
        segment_interval: Duration::from_mins(30),
        retain_duplicates: true,
        time_ordered: false,
        key_index: false,
    };
    let plan = planned(&word_count(kind), &[("words", 1)]).unwrap();
    let expected =
        [("cleanup.policy", "delete"), ("message.timestamp.type", "CreateTime"), ("retention.ms", "90000000")];
    assert_eq!(configs(&plan.changelogs[0]), expected);
}

#[test]
fn changelogs_of_versioned_stores_are_compacted_after_their_history() {
    let hour = Duration::from_hours(1);
    let kind = StoreKind::Versioned { history_retention: hour, segment_interval: hour };
    let plan = planned(&word_count(kind), &[("words", 1)]).unwrap();
    let expected = [
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "CreateTime"),
        ("min.compaction.lag.ms", "90000000"),
    ];
    assert_eq!(configs(&plan.changelogs[0]), expected);
}

#[test]
fn the_program_s_settings_win_over_the_application_s_and_those_over_the_library_s() {
    let settings = InternalTopicSettings {
        replication_factor: 3,
        topic_configs: BTreeMap::from([
            ("min.insync.replicas".to_owned(), "2".to_owned()),
            ("cleanup.policy".to_owned(), "x".to_owned()),
            ("retention.ms".to_owned(), "5".to_owned()),
        ]),
        ..InternalTopicSettings::default()
    };
    let own = BTreeMap::from([("cleanup.policy".to_owned(), "y".to_owned())]);
    let retention = Duration::from_millis(100);
    let cleanup = headwater_topology::node::Cleanup::CompactDelete { retention };
    let configs = settings.changelog(cleanup, &own);
    assert_eq!(configs["cleanup.policy"], "y");
    assert_eq!(configs["min.insync.replicas"], "2");
    assert_eq!(configs["retention.ms"], "86400100", "the computed retention wins over the application's");
    let own = BTreeMap::from([("retention.ms".to_owned(), "7".to_owned())]);
    assert_eq!(settings.changelog(cleanup, &own)["retention.ms"], "7");
    assert_eq!(settings.repartition()["retention.ms"], "5");
}

#[test]
fn a_retention_without_end_does_not_overflow() {
    let settings = InternalTopicSettings::default();
    let cleanup = headwater_topology::node::Cleanup::CompactDelete { retention: Duration::MAX };
    assert_eq!(settings.changelog(cleanup, &BTreeMap::new())["retention.ms"], i64::MAX.to_string());
}

#[test]
fn partition_counts_pass_through_chains_of_repartition_topics() {
    let draft = Draft::new();
    for topic in ["a-repartition", "b-repartition"] {
        draft.add_repartition_topic(topic, None);
    }
    // Declared from the end to the beginning, so that one round is not enough.
    let last = source(&draft, &["b-repartition"]);
    processor(&draft, "end", last, StoreSpec::new("ends", StoreKind::KeyValue));
    let middle = source(&draft, &["a-repartition"]);
    sink(&draft, "to-b", "b-repartition", middle);
    let first = source(&draft, &["x", "y"]);
    sink(&draft, "to-a", "a-repartition", first);
    let plan = planned(&draft, &[("x", 2), ("y", 5)]).unwrap();
    assert_eq!(counts(&plan.repartition), BTreeMap::from([("app-a-repartition", 5), ("app-b-repartition", 5)]));
    assert_eq!(counts(&plan.changelogs), BTreeMap::from([("app-ends-changelog", 5)]));
}

#[test]
fn repartition_topics_that_only_feed_each_other_are_an_error() {
    let draft = Draft::new();
    for topic in ["a-repartition", "b-repartition"] {
        draft.add_repartition_topic(topic, None);
    }
    let a = source(&draft, &["a-repartition"]);
    sink(&draft, "to-b", "b-repartition", a);
    let b = source(&draft, &["b-repartition"]);
    sink(&draft, "to-a", "a-repartition", b);
    assert!(matches!(planned(&draft, &[]), Err(InternalTopicsError::Unresolvable { topics, .. }) if topics.len() == 2));
}

#[test]
fn a_part_that_feeds_itself_has_as_many_partitions_as_its_other_topics() {
    let draft = Draft::new();
    draft.add_repartition_topic("loop-repartition", None);
    let input = source(&draft, &["in", "loop-repartition"]);
    sink(&draft, "again", "loop-repartition", input);
    let plan = planned(&draft, &[("in", 4)]).unwrap();
    assert_eq!(counts(&plan.repartition), BTreeMap::from([("app-loop-repartition", 4)]));
}

#[test]
fn topics_that_do_not_exist_are_named() {
    let error = planned(&word_count(StoreKind::KeyValue), &[]).unwrap_err();
    assert_eq!(error, InternalTopicsError::MissingSources(vec![Topic::from("words")]));
}

fn joined(topics: [&str; 2], fixed: Option<i32>) -> Draft {
    let draft = Draft::new();
    let outside = source(&draft, &["outside"]);
    draft.add_repartition_topic("r-repartition", fixed);
    sink(&draft, "to-r", "r-repartition", outside);
    for topic in topics {
        source(&draft, &[topic]);
    }
    draft.copartition(topics.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
    draft
}

#[test]
fn joined_topics_of_the_user_must_have_equally_many_partitions() {
    let draft = joined(["left", "right"], None);
    let error = planned(&draft, &[("left", 2), ("right", 3), ("outside", 1)]).unwrap_err();
    assert!(error.to_string().contains("[left=2, right=3]"), "{error}");
    assert!(planned(&draft, &[("left", 2), ("right", 2), ("outside", 1)]).is_ok());
}

#[test]
fn a_repartition_topic_takes_the_count_of_the_topic_it_is_joined_with() {
    let known = [("left", 2), ("outside", 7)];
    let plan = planned(&joined(["left", "r-repartition"], None), &known).unwrap();
    assert_eq!(counts(&plan.repartition), BTreeMap::from([("app-r-repartition", 2)]));
    let error = planned(&joined(["left", "r-repartition"], Some(4)), &known).unwrap_err();
    let expected = InternalTopicsError::FixedPartitions { topic: "app-r-repartition".into(), fixed: 4, required: 2 };
    assert_eq!(error, expected);
}

#[test]
fn an_internal_topic_with_another_count_is_named_with_both_counts_and_the_cure() {
    let plan = planned(&word_count(StoreKind::KeyValue), &[("words", 3)]).unwrap();
    let planned: Vec<&NewTopic> = plan.topics().collect();
    let found = planned.iter().map(|topic| Some(TopicDescription { topic: topic.topic.clone(), partitions: 2 }));
    let error = verify(&planned, &found.collect::<Vec<_>>()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "Existing internal topic app-counts-repartition has invalid partitions: expected: 3; actual: 2."
        ),
        "{text}"
    );
    assert!(!error.is_retriable());
}

/// A cluster on which another member makes the topics just before us, or which is slow to show them.
struct Contested {
    visible: bool,
    described: usize,
}

impl Admin for Contested {
    fn describe_topics(&mut self, topics: &[Topic], _: Deadline) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        self.described += 1;
        let shown = self.visible && self.described > 1;
        let describe = |topic: &Topic| shown.then(|| TopicDescription { topic: topic.clone(), partitions: 3 });
        Ok(topics.iter().map(describe).collect())
    }
    fn create_topics(&mut self, topics: &[NewTopic], _: Deadline) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        Ok(topics.iter().map(|topic| Err(ClientError::TopicExists { topic: topic.topic.clone() })).collect())
    }
    fn list_topics(&mut self, _: Deadline) -> Result<Vec<Topic>, ClientError> {
        Err(ClientError::Closed)
    }
    fn describe_configs(&mut self, _: &Topic, _: Deadline) -> Result<BTreeMap<String, String>, ClientError> {
        Err(ClientError::Closed)
    }
    fn delete_topics(&mut self, _: &[Topic], _: Deadline) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        Err(ClientError::Closed)
    }
    fn list_offsets(&mut self, _: &[TopicPartition], _: OffsetSpec, _: Deadline) -> Result<Vec<Offset>, ClientError> {
        Err(ClientError::Closed)
    }
    fn delete_records(&mut self, _: &[(TopicPartition, Offset)], _: Deadline) -> Result<(), ClientError> {
        Err(ClientError::Closed)
    }
}

#[test]
fn topics_that_another_member_makes_at_the_same_time_are_fine() {
    let plan = planned(&word_count(StoreKind::KeyValue), &[("words", 3)]).unwrap();
    let mut admin = Contested { visible: true, described: 0 };
    assert_eq!(create(&mut admin, &plan, Deadline::NEVER), Ok(Vec::new()));
}

#[test]
fn topics_that_cannot_be_seen_yet_are_waited_for() {
    let plan = planned(&word_count(StoreKind::KeyValue), &[("words", 3)]).unwrap();
    let mut admin = Contested { visible: false, described: 0 };
    let error = create(&mut admin, &plan, Deadline::NEVER).unwrap_err();
    assert_eq!(error, InternalTopicsError::NotVisibleYet("app-counts-repartition".into()));
    assert!(error.is_retriable());
}
