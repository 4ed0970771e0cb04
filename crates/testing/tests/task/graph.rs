//! Small topologies of text, made with the Processor API.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{DefaultSerde, Headers, Record, SharedSerde, Timestamp};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::sink::SinkNode;
use headwater_topology::node::source::{SourceNode, TimestampExtractor};
use headwater_topology::node::{NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorNode, ProcessorSupplier, StoreAccess};
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{
    Draft, NodeId, Port, ProcessError, PunctuationType, ScheduleId, StoreId, Stream, Topology, TopologySettings, Wiring,
};

pub(crate) type Key = Option<String>;
pub(crate) type Text = Stream<Key, String>;

/// Where a node hands on.
#[derive(Clone)]
pub(crate) struct At(Port<Text>);

impl At {
    pub(crate) fn node(&self) -> NodeId {
        self.0.node()
    }

    pub(crate) fn port(&self) -> &Port<Text> {
        &self.0
    }
}

/// A topology in the making.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) draft: Draft,
}

impl Graph {
    pub(crate) fn source(&self, name: &str, topics: &[&str]) -> At {
        let topics = SourceTopics::Named(topics.iter().map(|topic| (*topic).to_owned()).collect());
        self.source_of(name, topics, TimestampExtractor::FailOnInvalid)
    }

    pub(crate) fn source_of(&self, name: &str, topics: SourceTopics, extractor: TimestampExtractor<Key, String>) -> At {
        self.source_with(name, topics, extractor, String::default_serde())
    }

    pub(crate) fn source_with(
        &self,
        name: &str,
        topics: SourceTopics,
        extractor: TimestampExtractor<Key, String>,
        value: SharedSerde<String>,
    ) -> At {
        let node = self.draft.add_node(NodeSpec::source(name, topics, None));
        self.draft.add_source(
            node,
            Arc::new(move |wiring| {
                let (key, value) = (Key::default_serde(), Arc::clone(&value));
                SourceNode::wire(wiring, node, key, value, extractor.clone())
            }),
        );
        At(Port::new(&self.draft, node))
    }

    pub(crate) fn process<P: Processor<Key, String, Key, String>>(
        &self,
        name: &str,
        parent: &At,
        stores: &[StoreId],
        supplier: impl ProcessorSupplier<P>,
    ) -> At {
        let spec =
            stores.iter().fold(NodeSpec::processor(name, [parent.node()]), |spec, store| spec.with_store(*store));
        let node = self.draft.add_node(spec);
        let make = move |wiring: &mut Wiring<'_>| ProcessorNode::<P, _, _, Key, String>::wire(wiring, node, &supplier);
        parent.0.listen(node, Arc::new(make));
        At(Port::new(&self.draft, node))
    }

    pub(crate) fn sink(&self, name: &str, parent: &At, topic: &str) {
        let spec = NodeSpec::sink(name, SinkTopic::Named(topic.to_owned()), [parent.node()]);
        let node = self.draft.add_node(spec);
        parent.0.listen(
            node,
            Arc::new(move |wiring| {
                let (key, value) = (Key::default_serde(), String::default_serde());
                Ok(Box::new(SinkNode::wire(wiring, node, None, key, value, None)?))
            }),
        );
    }

    pub(crate) fn repartition(&self, name: &str, parent: &At, topic: &str) {
        self.draft.add_repartition_topic(topic, None);
        self.sink(name, parent, topic);
    }

    pub(crate) fn store(&self, name: &str) -> StoreId {
        self.draft.add_store(StoreSpec::new(name, StoreKind::KeyValue))
    }

    pub(crate) fn freeze(&self) -> Topology {
        self.draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes")
    }
}

/// Forwards what comes, but fails on the value `boom`.
pub(crate) struct FailOnBoom;

impl Processor<Key, String, Key, String> for FailOnBoom {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        record: Record<'_, Key, String>,
    ) -> Result<(), ProcessError> {
        if record.value == "boom" {
            return Err(ProcessError::user("failed on boom"));
        }
        cx.forward(record)
    }
}

/// Forwards each record with the task's times as value; a punctuator, where asked for, adds ticks.
pub(crate) struct Times(pub(crate) Option<PunctuationType>);

impl Times {
    fn text(cx: &ProcessorContext<'_, '_, Key, String>) -> String {
        format!("stream={} wall={}", cx.current_stream_time(), cx.current_system_time())
    }
}

impl Processor<Key, String, Key, String> for Times {
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, Key, String>) -> Result<(), ProcessError> {
        if let Some(kind) = self.0 {
            cx.schedule(Duration::from_millis(10), kind)?;
        }
        Ok(())
    }

    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        record: Record<'_, Key, String>,
    ) -> Result<(), ProcessError> {
        let text = format!("{} {}", record.value, Self::text(cx));
        cx.forward(Record::new(record.key, &text, record.timestamp, record.headers))
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        _schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        let text = format!("tick {}", Self::text(cx));
        cx.forward(Record::new(&None, &text, time, &Headers::new()))
    }
}

/// Counts per key in a store and forwards the count.
pub(crate) struct Count(pub(crate) Rc<KeyValueState<String, i64>>);

pub(crate) fn counts(store: &str) -> StoreHandle<String, i64> {
    StoreHandle::named(store)
}

impl Processor<Key, String, Key, String> for Count {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        record: Record<'_, Key, String>,
    ) -> Result<(), ProcessError> {
        let Some(key) = record.key else { return Ok(()) };
        let count = self.0.get(cx.task(), key)?.map_or(0, |stamped| stamped.value) + 1;
        self.0.put(cx.task(), key, Some(count), record.timestamp, record.headers)?;
        let text = count.to_string();
        cx.forward(Record::new(record.key, &text, record.timestamp, record.headers))
    }
}

/// Puts each value for its key, forwarding nothing.
pub(crate) struct Fill(pub(crate) Rc<KeyValueState<String, String>>);

impl Processor<Key, String, Key, String> for Fill {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        record: Record<'_, Key, String>,
    ) -> Result<(), ProcessError> {
        let Some(key) = record.key else { return Ok(()) };
        self.0.put(cx.task(), key, Some(record.value.clone()), record.timestamp, record.headers)
    }
}

/// Forwards what a store holds for the value.
pub(crate) struct LookUp(pub(crate) Rc<KeyValueState<String, String>>);

impl Processor<Key, String, Key, String> for LookUp {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        record: Record<'_, Key, String>,
    ) -> Result<(), ProcessError> {
        let found = self.0.get(cx.task(), record.value)?.map_or_else(|| "none".to_owned(), |stamped| stamped.value);
        cx.forward(Record::new(record.key, &found, record.timestamp, record.headers))
    }
}

/// Takes the value for the key.
pub(crate) struct KeyByValue;

impl Processor<Key, String, Key, String> for KeyByValue {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Key, String>,
        record: Record<'_, Key, String>,
    ) -> Result<(), ProcessError> {
        let key = Some(record.value.clone());
        cx.forward(Record::new(&key, record.value, record.timestamp, record.headers))
    }
}

/// `in` to `out`, by way of one processor.
pub(crate) fn through<P: Processor<Key, String, Key, String>>(supplier: impl ProcessorSupplier<P>) -> Topology {
    let graph = Graph::default();
    let source = graph.source("source", &["in"]);
    let processed = graph.process("processor", &source, &[], supplier);
    graph.sink("sink", &processed, "out");
    graph.freeze()
}

/// Counts the values of `in` per value, in a sub-topology of its own behind a repartition topic.
pub(crate) fn count_by_value() -> Topology {
    let graph = Graph::default();
    let source = graph.source("source", &["in"]);
    let keyed = graph.process("key", &source, &[], |_| Ok(KeyByValue));
    graph.repartition("again", &keyed, "counts-repartition");
    let repartitioned = graph.source("repartitioned", &["counts-repartition"]);
    let store = graph.store("counts");
    let counted = graph.process("count", &repartitioned, &[store], |stores: &mut StoreAccess<'_, '_>| {
        Ok(Count(stores.key_value(&counts("counts"))?))
    });
    graph.sink("sink", &counted, "out");
    graph.freeze()
}

/// `names` fills a global store; `in` is looked up in it.
pub(crate) fn look_up_names() -> Topology {
    let graph = Graph::default();
    let store = graph.store("names");
    graph.draft.change_store(store, |store| store.global = true);
    let names = graph.source("names-source", &["names"]);
    graph.process("fill", &names, &[store], |stores: &mut StoreAccess<'_, '_>| {
        Ok(Fill(stores.key_value(&StoreHandle::named("names"))?))
    });
    let source = graph.source("source", &["in"]);
    let found = graph.process("look-up", &source, &[], |stores: &mut StoreAccess<'_, '_>| {
        Ok(LookUp(stores.key_value(&StoreHandle::named("names"))?))
    });
    graph.sink("sink", &found, "out");
    graph.freeze()
}
