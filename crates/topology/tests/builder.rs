//! Topologies written down with the Processor API.

use std::time::Duration;

use headwater_record::{DefaultSerde, Record};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorSupplier, StoreAccess};
use headwater_topology::{
    NodeRef, ProcessError, SinkSpec, SourceSpec, SubtopologyId, TopologyBuilder, TopologySettings,
};

struct Lengths;

impl Processor<String, String, String, i64> for Lengths {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, i64>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let length = record.value.len() as i64;
        cx.forward(Record::new(record.key, &length, record.timestamp, record.headers))
    }
}

fn lengths() -> impl ProcessorSupplier<Lengths> {
    |_: &mut StoreAccess<'_, '_>| Ok(Lengths)
}

fn texts(builder: &TopologyBuilder, name: &str, topic: &str) -> NodeRef<String, String> {
    builder.add_source(name, SourceSpec::topics([topic], String::default_serde(), String::default_serde()))
}

#[test]
fn it_is_described_as_in_java() {
    let builder = TopologyBuilder::new();
    let source = texts(&builder, "source", "in");
    let lengths = builder.add_processor("lengths", lengths(), &[&source]);
    builder.add_sink("sink", SinkSpec::topic("out", String::default_serde(), i64::default_serde()), &[&lengths]);
    let expected = "Topologies:\n   Sub-topology: 0\n    Source: source (topics: [in])\n      --> lengths\n    Processor: lengths (stores: [])\n      --> sink\n      <-- source\n    Sink: sink (topic: out)\n      <-- lengths\n\n";
    assert_eq!(builder.build().unwrap().describe(), expected);
}

#[test]
fn parts_are_numbered_by_their_first_node_and_joined_by_a_shared_store() {
    let builder = TopologyBuilder::new();
    let (a, b, c) = (texts(&builder, "a", "a"), texts(&builder, "b", "b"), texts(&builder, "c", "c"));
    let last: NodeRef<String, i64> = builder.add_processor("of-c", lengths(), &[&c]);
    let first: NodeRef<String, i64> = builder.add_processor("of-a", lengths(), &[&a]);
    builder.add_state_store(StoreSpec::new("shared", StoreKind::KeyValue), &["of-c"]);
    builder.connect("of-a", &["shared"]);
    let topology = builder.build().unwrap();
    let nodes: Vec<_> = topology.subtopologies().iter().map(|part| part.nodes.clone()).collect();
    assert_eq!(nodes, [vec![a.id(), c.id(), last.id(), first.id()], vec![b.id()]]);
    let part = topology.subtopology(SubtopologyId::new(0)).unwrap();
    assert_eq!(topology.source_topics(part).into_iter().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(topology.source_node_for(part, "c"), Some(c.id()));
    assert_eq!(topology.source_node_for(part, "b"), None);
    let changelogs = part.stores.iter().map(|store| topology.for_application("app").changelog_topic(*store));
    assert_eq!(changelogs.collect::<Vec<_>>(), [Some("app-shared-changelog".to_owned())]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let builder = TopologyBuilder::new();
    let none: [&NodeRef<String, String>; 0] = [];
    builder.add_sink("sink", SinkSpec::topic("out", String::default_serde(), String::default_serde()), &none);
    texts(&builder, "one", "in");
    texts(&builder, "two", "in");
    let mistakes = builder.build().unwrap_err().to_string();
    assert!(mistakes.contains("predecessorNames cannot be empty"), "{mistakes}");
    assert!(mistakes.contains("Topic in has already been registered by another source."), "{mistakes}");
}

/// In a cache one value is left of those that share key and time (KAFKA-9921).
#[test]
fn a_store_that_retains_duplicates_has_no_cache() {
    let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
    let mut windows = StoreSpec::window("windows", hour, minute);
    if let StoreKind::Window { retain_duplicates, .. } = &mut windows.kind {
        *retain_duplicates = true;
    }
    let with = |store: StoreSpec| {
        let builder = TopologyBuilder::new();
        let _: NodeRef<String, i64> = builder.add_processor("lengths", lengths(), &[&texts(&builder, "a", "a")]);
        builder.add_state_store(store, &["lengths"]);
        builder.build()
    };
    assert!(with(windows.clone()).is_ok());
    assert!(with(StoreSpec::window("windows", hour, minute).with_caching_enabled()).is_ok());
    let mistake = with(windows.with_caching_enabled()).unwrap_err().to_string();
    assert_eq!(mistake, "store windows cannot have a cache: it retains duplicates");
}

#[test]
fn a_misspelt_setting_is_a_mistake_of_a_topology_by_hand_too() {
    let settings = TopologySettings::new().with("dsl.store.formats", "HEADERS");
    let mistakes = TopologyBuilder::with_settings(settings).build().expect_err("there is no such setting").to_string();
    assert_eq!(mistakes, "dsl.store.formats: no such setting shapes a topology; did you mean dsl.store.format?");
}
