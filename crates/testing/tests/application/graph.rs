//! Word count, made with the Processor API: `lines` to words, by way of a repartition topic to counts, to `counts`.

use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{DefaultSerde, Record};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::sink::{SinkNode, SinkTarget};
use headwater_topology::node::source::{SourceNode, TimestampExtractor};
use headwater_topology::node::{NodeKind, NodeSpec, OffsetReset, SinkTopic, SourceTopics};
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorNode, ProcessorSupplier, StoreAccess};
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{Draft, NodeId, Port, ProcessError, StoreId, Stream, Topology, TopologySettings};

type Key = Option<String>;
type Text = Stream<Key, String>;
type Context<'a, 't> = ProcessorContext<'a, 't, Key, String>;

/// A node, and who listens to it.
struct At(NodeId, Port<Text>);

fn source(draft: &Draft, name: &str, topics: SourceTopics, reset: Option<OffsetReset>) -> At {
    let kind = NodeKind::Source { topics, reset };
    let node = draft.add_node(NodeSpec { name: name.into(), kind, parents: Vec::new(), stores: Vec::new() });
    let port = Port::new();
    let out = port.clone();
    draft.add_source(
        node,
        Arc::new(move |wiring| {
            let (key, value) = (Key::default_serde(), String::default_serde());
            SourceNode::wire(wiring, node, key, value, TimestampExtractor::FailOnInvalid, &out)
        }),
    );
    At(node, port)
}

fn process<P: Processor<Key, String, Key, String>>(
    draft: &Draft,
    name: &str,
    parent: &At,
    store: Option<StoreId>,
    supplier: impl ProcessorSupplier<P>,
) -> At {
    let spec = NodeSpec::processor(name, [parent.0]);
    let node = draft.add_node(store.into_iter().fold(spec, NodeSpec::with_store));
    let port = Port::new();
    let out = port.clone();
    parent.1.listen(node, Arc::new(move |wiring| ProcessorNode::<P, _, _, _, _>::wire(wiring, node, &supplier, &out)));
    At(node, port)
}

fn sink(draft: &Draft, name: &str, parent: &At, topic: &str, internal: bool) {
    let kind = NodeKind::Sink { topic: SinkTopic::Named(topic.to_owned()) };
    let node = draft.add_node(NodeSpec { name: name.into(), kind, parents: vec![parent.0], stores: Vec::new() });
    let target = SinkTarget::Topic { name: topic.to_owned(), internal };
    parent.1.listen(
        node,
        Arc::new(move |wiring| {
            let (key, value) = (Key::default_serde(), String::default_serde());
            Ok(Box::new(SinkNode::wire(wiring, node, target.clone(), key, value, None)?))
        }),
    );
}

/// Forwards each word of a line under the word as key; the word `boom` fails, and `panic` panics.
struct Split;

impl Processor<Key, String, Key, String> for Split {
    fn process(&mut self, cx: &mut Context<'_, '_>, record: Record<'_, Key, String>) -> Result<(), ProcessError> {
        for word in record.value.split_whitespace() {
            if word == "boom" {
                return Err(ProcessError::user("the word is boom"));
            }
            assert_ne!(word, "panic", "the word is panic");
            let (key, value) = (Some(word.to_owned()), word.to_owned());
            cx.forward(Record::new(&key, &value, record.timestamp, record.headers))?;
        }
        Ok(())
    }
}

/// Counts per key, in a store and to its children, as text.
struct Count(Rc<KeyValueState<String, String>>);

impl Processor<Key, String, Key, String> for Count {
    fn process(&mut self, cx: &mut Context<'_, '_>, record: Record<'_, Key, String>) -> Result<(), ProcessError> {
        let Some(key) = record.key else { return Ok(()) };
        let before = self.0.get(cx.task(), key)?.map_or(0, |stamped| stamped.value.parse().unwrap_or(0));
        let text = (before + 1).to_string();
        self.0.put(cx.task(), key, Some(text.clone()), record.timestamp, record.headers)?;
        cx.forward(Record::new(record.key, &text, record.timestamp, record.headers))
    }
}

/// Word count of the topics that `lines` names.
pub(crate) fn word_count_of(lines: SourceTopics, reset: Option<OffsetReset>) -> Topology {
    let draft = Draft::new();
    let lines = source(&draft, "lines", lines, reset);
    let words = process(&draft, "split", &lines, None, |_: &mut StoreAccess<'_, '_>| Ok(Split));
    draft.add_repartition_topic("words-repartition", None);
    sink(&draft, "words-out", &words, "words-repartition", true);
    let words = source(&draft, "words-in", SourceTopics::Named(vec!["words-repartition".to_owned()]), None);
    let store = draft.add_store(StoreSpec::new("counts", StoreKind::KeyValue));
    let handle: StoreHandle<String, String> = StoreHandle::named("counts");
    let counts = process(&draft, "count", &words, Some(store), move |stores: &mut StoreAccess<'_, '_>| {
        Ok(Count(stores.key_value(&handle)?))
    });
    sink(&draft, "counts-out", &counts, "counts", false);
    draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes")
}

/// Word count of the topic `lines`.
pub(crate) fn word_count() -> Topology {
    word_count_of(SourceTopics::Named(vec!["lines".to_owned()]), None)
}
