//! `to`: the end of a stream in a topic.

use std::any::type_name;
use std::sync::Arc;

use headwater_record::short_name;
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
    let (Some(key), Some(value)) = (serdes.key.clone(), serdes.value.clone()) else {
        draft.mistake(missing_serde(&name, &serdes));
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
pub(crate) fn missing_serde<K, V>(node: &str, serdes: &Serdes<K, V>) -> TopologyError {
    let (half, type_name) = match serdes.key {
        None => ("key", type_name::<K>()),
        Some(_) => ("value", type_name::<V>()),
    };
    TopologyError::Config(format!(
        "{node} has no serde for its {half}s, which are `{}`: give it one in the options of its operator, \
         `.with_{half}_serde(..)`. Where the types have default serdes, the form without `_with`, `named(..)` or `by_type()` finds them \
         (Java: Please specify a {half} serde or set one through StreamsConfig#DEFAULT_{}_SERDE_CLASS_CONFIG; here that setting has no \
         effect)",
        short_name(type_name),
        half.to_uppercase()
    ))
}
