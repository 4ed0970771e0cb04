//! `to`: the end of a stream in a topic.

use std::sync::Arc;

use headwater_topology::node::sink::{ChoosePartitions, SinkNode, SinkTarget};
use headwater_topology::node::{NodeKind, NodeSpec, SinkTopic};
use headwater_topology::{Draft, MakeInlet, NodeId, Stream, TopologyError};

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
    let name = stream.draft.name_or(spec.name.as_deref(), "KSTREAM-SINK-");
    let serdes = spec.serdes.or(&stream.serdes);
    let described = spec.chooser_text.unwrap_or_else(|| "a function".to_owned());
    let topic = match &spec.target {
        SinkTarget::Topic { name, .. } => SinkTopic::Named(name.clone()),
        SinkTarget::Extracted(_) => SinkTopic::Extracted { text: described },
    };
    let target = (topic, spec.target);
    add_sink(&stream.draft, name, stream.node, target, serdes, spec.partitioner, |node, make| {
        stream.port.listen(node, make);
    });
}

/// Adds a sink, with its topic as described and as written to; `listen` subscribes it to its parent.
pub(crate) fn add_sink<K: 'static, V: 'static>(
    draft: &Draft,
    name: String,
    parent: NodeId,
    (topic, target): (SinkTopic, SinkTarget<K, V>),
    serdes: Serdes<K, V>,
    partitioner: Option<ChoosePartitions<K, V>>,
    listen: impl FnOnce(NodeId, MakeInlet<Stream<K, V>>),
) -> NodeId {
    let spec = NodeSpec {
        name: name.clone().into(),
        kind: NodeKind::Sink { topic },
        parents: vec![parent],
        stores: Vec::new(),
    };
    let node = draft.add_node(spec);
    let (Some(key), Some(value)) = (serdes.key, serdes.value) else {
        draft.mistake(missing_serde(&name));
        return node;
    };
    listen(
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
