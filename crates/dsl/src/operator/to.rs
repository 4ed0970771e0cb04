//! `to`: the end of a stream in a topic.

use std::sync::Arc;

use headwater_topology::node::sink::{ChoosePartitions, ExtractTopic, SinkNode};
use headwater_topology::node::{NodeSpec, SinkTopic};
use headwater_topology::{NodeId, Port, Stream};

use super::missing_serde::{GivenBy, missing_serde};
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
    let serdes = serdes.or(&stream.serdes);
    if !serdes.is_whole() {
        stream.draft().mistake(missing_serde(&name, &serdes, GivenBy::Produced));
    }
    add_sink(&stream.port, name, SinkSpec { topic, choose, serdes, partitioner });
}

/// Adds the sink `name` below `parent`. That serdes are missing is said by who wants it.
pub(crate) fn add_sink<K: 'static, V: 'static>(
    parent: &Port<Stream<K, V>>,
    name: String,
    spec: SinkSpec<K, V>,
) -> NodeId {
    let SinkSpec { topic, choose, serdes, partitioner } = spec;
    let draft = parent.draft();
    let node = draft.add_node(NodeSpec::sink(name.as_str(), topic, [parent.node()]));
    let Some((key, value)) = serdes.both() else {
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
