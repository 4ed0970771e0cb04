//! `to`: the end of a stream in a topic.

use std::sync::Arc;

use headwater_topology::node::sink::{ChoosePartitions, ExtractTopic, SinkNode};
use headwater_topology::node::{NodeSpec, SinkTopic};
use headwater_topology::{NodeId, Port, Stream, TopologyError};

use crate::serdes::Serdes;
use crate::{KStream, Produced};

/// A sink that is wanted.
pub(crate) struct SinkSpec<K, V> {
    pub(crate) topic: SinkTopic,
    /// What names the topic of each record, where it is not always the same.
    pub(crate) choose: Option<ExtractTopic<K, V>>,
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) partitioner: Option<ChoosePartitions<K, V>>,
}

/// Adds a sink below `stream`, which writes to `topic`, or to those that `choose` names.
pub(crate) fn sink<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    topic: Option<&str>,
    choose: Option<ExtractTopic<K, V>>,
    produced: Produced<K, V>,
) {
    let Produced { serdes, name, partitioner, chooser_text } = produced;
    let name = stream.draft().name_or(name.as_deref(), "KSTREAM-SINK-");
    let text = chooser_text.unwrap_or_else(|| "a function".to_owned());
    let topic = topic.map_or(SinkTopic::Extracted { text }, |topic| SinkTopic::Named(topic.to_owned()));
    add_sink(&stream.port, name, SinkSpec { topic, choose, serdes: serdes.or(&stream.serdes), partitioner });
}

/// Adds the sink `name` below `parent`.
pub(crate) fn add_sink<K: 'static, V: 'static>(
    parent: &Port<Stream<K, V>>,
    name: String,
    spec: SinkSpec<K, V>,
) -> NodeId {
    let SinkSpec { topic, choose, serdes, partitioner } = spec;
    let draft = parent.draft();
    let node = draft.add_node(NodeSpec::sink(name.as_str(), topic, [parent.node()]));
    let (Some(key), Some(value)) = (serdes.key, serdes.value) else {
        draft.mistake(missing_serde(&name));
        return node;
    };
    parent.listen(
        node,
        Arc::new(move |wiring| {
            let (key, value) = (Arc::clone(&key), Arc::clone(&value));
            Ok(Box::new(SinkNode::wire(wiring, node, choose.clone(), key, value, partitioner.clone())?))
        }),
    );
    node
}

/// Java finds this when a task is made; here it is found while building.
pub(crate) fn missing_serde(node: &str) -> TopologyError {
    TopologyError::Config(format!(
        "Please specify a key serde or set one through StreamsConfig#DEFAULT_KEY_SERDE_CLASS_CONFIG: {node} has inherited no serde for its key or value; pass them in its options, or use the form without `_with` for types with a default serde"
    ))
}
