//! `to`: the end of a stream in a topic.

use std::sync::Arc;

use headwater_topology::node::sink::{ChoosePartitions, SinkNode, SinkTarget};
use headwater_topology::node::{NodeSpec, SinkTopic};
use headwater_topology::{NodeId, Port, Stream, TopologyError};

use crate::serdes::Serdes;
use crate::{KStream, Produced};

/// A sink that is wanted.
pub(crate) struct SinkSpec<K, V> {
    target: SinkTarget<K, V>,
    serdes: Serdes<K, V>,
    name: Option<String>,
    partitioner: Option<ChoosePartitions<K, V>>,
    chooser_text: Option<String>,
}

impl<K, V> SinkSpec<K, V> {
    pub(crate) fn of(target: SinkTarget<K, V>, produced: Produced<K, V>) -> Self {
        let Produced { serdes, name, partitioner, chooser_text } = produced;
        SinkSpec { target, serdes, name, partitioner, chooser_text }
    }
}

/// Adds a sink below `stream`.
pub(crate) fn sink<K: 'static, V: 'static>(stream: &KStream<K, V>, spec: SinkSpec<K, V>) {
    let name = stream.draft().name_or(spec.name.as_deref(), "KSTREAM-SINK-");
    let serdes = spec.serdes.or(&stream.serdes);
    let described = spec.chooser_text.unwrap_or_else(|| "a function".to_owned());
    let topic = match &spec.target {
        SinkTarget::Topic { name, .. } => SinkTopic::Named(name.clone()),
        SinkTarget::Extracted(_) => SinkTopic::Extracted { text: described },
    };
    add_sink(&stream.port, name, (topic, spec.target), serdes, spec.partitioner);
}

/// Adds a sink below `parent`, with its topic as described and as written to.
pub(crate) fn add_sink<K: 'static, V: 'static>(
    parent: &Port<Stream<K, V>>,
    name: String,
    (topic, target): (SinkTopic, SinkTarget<K, V>),
    serdes: Serdes<K, V>,
    partitioner: Option<ChoosePartitions<K, V>>,
) -> NodeId {
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
            Ok(Box::new(SinkNode::wire(wiring, node, target.clone(), key, value, partitioner.clone())?))
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
