//! Topologies written down with the Processor API.

use headwater_record::{DefaultSerde, Record};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::InternalTopic;
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorSupplier, StoreAccess};
use headwater_topology::{NodeRef, ProcessError, SubtopologyId, TopologyBuilder};

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
    builder.source(name, &[topic], String::default_serde(), String::default_serde())
}

#[test]
fn it_is_described_as_in_java() {
    let builder = TopologyBuilder::new();
    let source = texts(&builder, "source", "in");
    let lengths = builder.processor("lengths", &[&source], lengths());
    builder.sink("sink", &[&lengths], "out", String::default_serde(), i64::default_serde());
    let expected = "Topologies:\n   Sub-topology: 0\n    Source: source (topics: [in])\n      --> lengths\n    Processor: lengths (stores: [])\n      --> sink\n      <-- source\n    Sink: sink (topic: out)\n      <-- lengths\n\n";
    assert_eq!(builder.build().unwrap().describe(), expected);
}

#[test]
fn parts_are_numbered_by_their_first_node_and_joined_by_a_shared_store() {
    let builder = TopologyBuilder::new();
    let (a, b, c) = (texts(&builder, "a", "a"), texts(&builder, "b", "b"), texts(&builder, "c", "c"));
    let last: NodeRef<String, i64> = builder.processor("of-c", &[&c], lengths());
    let first: NodeRef<String, i64> = builder.processor("of-a", &[&a], lengths());
    let store = builder.store(StoreSpec::new("shared", StoreKind::KeyValue));
    builder.connect(last.id(), store);
    builder.connect(first.id(), store);
    let topology = builder.build().unwrap();
    let nodes: Vec<_> = topology.subtopologies().iter().map(|part| part.nodes.clone()).collect();
    assert_eq!(nodes, [vec![a.id(), c.id(), last.id(), first.id()], vec![b.id()]]);
    let part = topology.subtopology(SubtopologyId::new(0)).unwrap();
    assert_eq!(topology.source_topics(part).into_iter().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(topology.source_node_for(part, "c"), Some(c.id()));
    assert_eq!(topology.source_node_for(part, "b"), None);
    let internal = topology.internal_topics(part);
    assert_eq!(internal.iter().map(|topic| topic.full_name("app")).collect::<Vec<_>>(), ["app-shared-changelog"]);
    assert!(matches!(&internal[0], InternalTopic::Changelog { store, .. } if store == "shared"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let builder = TopologyBuilder::new();
    let none: [&NodeRef<String, String>; 0] = [];
    builder.sink("sink", &none, "out", String::default_serde(), String::default_serde());
    texts(&builder, "one", "in");
    texts(&builder, "two", "in");
    let mistakes = builder.build().unwrap_err().to_string();
    assert!(mistakes.contains("Sink sink must have at least one parent"), "{mistakes}");
    assert!(mistakes.contains("Topic in has already been registered by another source."), "{mistakes}");
}
