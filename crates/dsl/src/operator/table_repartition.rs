//! The way of a grouped table's changes through a topic: a sink and a source, without Java's filter.

use headwater_topology::node::sink::SinkTarget;
use headwater_topology::node::source::TimestampExtractor;
use headwater_topology::node::{NodeKind, NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::{NodeId, Port, Stream};

use super::repartition::add_source;
use super::to::{add_sink, missing_serde};
use crate::KStream;

/// Adds the sink `sink` and the source `source` of `topic` below `stream`; what is returned stands at the source.
pub(crate) fn changed_repartition<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    topic: String,
    sink: String,
    source: String,
) -> (NodeId, KStream<K, V>) {
    let (draft, serdes) = (&stream.draft, &stream.serdes);
    draft.add_repartition_topic(&topic, None);
    let target = (SinkTopic::Named(topic.clone()), SinkTarget::Topic { name: topic.clone(), internal: true });
    let sink = add_sink(draft, sink, stream.node, target, serdes.clone(), None, |node, make| {
        stream.port.listen(node, make);
    });
    let kind = NodeKind::Source { topics: SourceTopics::Named(vec![topic]), reset: None };
    let spec = NodeSpec { name: source.clone().into(), kind, parents: Vec::new(), stores: Vec::new() };
    let node = draft.add_node(spec);
    let port: Port<Stream<K, V>> = Port::new();
    match (serdes.key.clone(), serdes.value.clone()) {
        (Some(key), Some(value)) => add_source(draft, node, &port, key, value, TimestampExtractor::FailOnInvalid),
        _ => draft.mistake(missing_serde(&source)),
    }
    (sink, stream.below(node, port, serdes.clone(), false))
}
