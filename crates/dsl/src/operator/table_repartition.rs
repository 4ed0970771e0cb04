//! The way of a grouped table's changes through a topic: a sink and a source, without Java's filter.

use headwater_topology::node::source::TimestampExtractor;
use headwater_topology::node::{NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::{NodeId, Port};

use super::repartition::add_source;
use super::to::{SinkSpec, add_sink};
use crate::KStream;

/// Adds the sink `sink` and the source `source` of `topic` below `stream`; what is returned stands at the source.
pub(crate) fn changed_repartition<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    topic: String,
    sink: String,
    source: String,
) -> (NodeId, KStream<K, V>) {
    let (draft, serdes) = (stream.draft(), &stream.serdes);
    draft.add_repartition_topic(&topic, None);
    let topic_written = SinkTopic::Named(topic.clone());
    let spec = SinkSpec { topic: topic_written, choose: None, serdes: serdes.clone(), partitioner: None };
    let sink = add_sink(&stream.port, sink, spec);
    let node = draft.add_node(NodeSpec::source(source.as_str(), SourceTopics::Named(vec![topic]), None));
    if let Some((key, value)) = serdes.both() {
        add_source(draft, node, key, value, TimestampExtractor::FailOnInvalid);
    }
    (sink, KStream::at(Port::new(draft, node), serdes.clone(), false))
}
