//! Through a topic and back, so that equal keys meet.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_record::{Partition, Record};
use headwater_topology::node::sink::ChoosePartitions;
use headwater_topology::node::source::{SourceNode, TimestampExtractor};
use headwater_topology::node::{NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::{Inlet, NodeId, Outlet, Port, ProcessError, Stream, TaskContext};

use super::to::{SinkSpec, add_sink, missing_serde};
use crate::KStream;
use crate::serdes::Serdes;

/// A repartition topic that is wanted.
pub(crate) struct Repartition<'a, K, V> {
    /// What it is named after.
    pub(crate) prefix: &'a str,
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) partitions: Option<Partition>,
    pub(crate) partitioner: Option<ChoosePartitions<K, V>>,
}

/// Lets records pass whose key is not null (Java's `-repartition-filter`). They are not counted, as in Java. All pass when a
/// left join below can use them (KIP-962).
struct NonNullKey<K: 'static, V: 'static> {
    keeps_null: bool,
    serdes: Serdes<K, V>,
    out: Outlet<Stream<K, V>>,
}

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for NonNullKey<K, V> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if !self.keeps_null && self.serdes.key_is_null(record.key) { Ok(()) } else { self.out.push(cx, record) }
    }
}

/// Adds filter, sink and source (Java's `OptimizableRepartitionNode`) below `stream`; what is returned stands at the source.
pub(crate) fn repartition_source<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    repartition: Repartition<'_, K, V>,
) -> KStream<K, V> {
    let Repartition { prefix, serdes, partitions, partitioner } = repartition;
    let draft = stream.draft();
    let topic = if prefix.ends_with("-repartition") { prefix.to_owned() } else { format!("{prefix}-repartition") };
    let names = Names::new(stream, prefix, &topic);
    draft.add_repartition_topic(&topic, partitions);

    let filter = draft.add_node(NodeSpec::processor(names.filter, [stream.node()]));
    draft.belongs_below(filter);
    let asked = serdes.clone();
    stream.port.listen(
        filter,
        Arc::new(move |wiring| {
            let keeps_null = wiring.topology().node(filter).is_some_and(|node| node.keeps_null_keys);
            Ok(Box::new(NonNullKey { keeps_null, serdes: asked.clone(), out: wiring.outlet(filter)? }))
        }),
    );

    let sink = SinkSpec { topic: SinkTopic::Named(topic.clone()), choose: None, serdes: serdes.clone(), partitioner };
    add_sink(&Port::new(draft, filter), names.sink, sink);

    let node = draft.add_node(NodeSpec::source(names.source.as_str(), SourceTopics::Named(vec![topic]), None));
    match (serdes.key.clone(), serdes.value.clone()) {
        (Some(key), Some(value)) => add_source(draft, node, key, value, TimestampExtractor::FailOnInvalid),
        _ => draft.mistake(missing_serde(&names.source)),
    }
    stream.below(Port::new(draft, node), serdes, false)
}

/// The repartition that joins of a stream share.
#[derive(Clone, Copy)]
struct ForJoins {
    source: NodeId,
    types: TypeId,
}

/// A stream as a join needs it.
pub(crate) struct ForJoin<K: 'static, V: 'static> {
    pub(crate) stream: KStream<K, V>,
    /// The topics that must have as many partitions as those of the other side.
    pub(crate) topics: BTreeSet<String>,
}

/// The stream as a join needs it: through a repartition topic if its key was changed since the last one. Joins that do not name
/// theirs share it with the last join of the same stream; numbers of names are used up all the same. Java does not ask a topic that is
/// shared so for its partitions again.
pub(crate) fn repartition_for_join<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    name: Option<&str>,
    serdes: &Serdes<K, V>,
) -> ForJoin<K, V> {
    let draft = stream.draft();
    let for_join = |stream: KStream<K, V>| ForJoin { topics: draft.topics_above(stream.node()), stream };
    if !stream.repartition {
        return for_join(stream.clone());
    }
    let (own, types) = (stream.name(), TypeId::of::<Stream<K, V>>());
    let last = draft.parts::<ForJoins>(stream.node()).pop().filter(|last| last.types == types);
    if let (None, Some(last)) = (name, last) {
        Names::new(stream, &own, &own);
        let stream = stream.below(Port::new(draft, last.source), serdes.clone(), false);
        return ForJoin { stream, topics: BTreeSet::new() };
    }
    let prefix = name.unwrap_or(&own);
    let repartition = Repartition { prefix, serdes: serdes.clone(), partitions: None, partitioner: None };
    let repartitioned = repartition_source(stream, repartition);
    draft.add_part(stream.node(), ForJoins { source: repartitioned.node(), types });
    for_join(repartitioned)
}

/// Says what brings a source to life.
pub(crate) fn add_source<K: 'static, V: 'static>(
    draft: &headwater_topology::Draft,
    node: NodeId,
    key: headwater_record::SharedSerde<K>,
    value: headwater_record::SharedSerde<V>,
    extractor: TimestampExtractor<K, V>,
) {
    draft.add_source(
        node,
        Arc::new(move |wiring| SourceNode::wire(wiring, node, Arc::clone(&key), Arc::clone(&value), extractor.clone())),
    );
}

struct Names {
    sink: String,
    filter: String,
    source: String,
}

impl Names {
    /// Three numbers are used up in any case.
    fn new<K: 'static, V: 'static>(stream: &KStream<K, V>, prefix: &str, topic: &str) -> Self {
        let generated = Names {
            sink: stream.draft().next_name("KSTREAM-SINK-"),
            filter: stream.draft().next_name("KSTREAM-FILTER-"),
            source: stream.draft().next_name("KSTREAM-SOURCE-"),
        };
        if is_generated(prefix) {
            return generated;
        }
        Names { sink: format!("{topic}-sink"), filter: format!("{topic}-filter"), source: format!("{topic}-source") }
    }
}

/// Java's `^KSTREAM.*-[0-9]{10}$`.
fn is_generated(name: &str) -> bool {
    name.starts_with("KSTREAM")
        && name
            .rsplit_once('-')
            .is_some_and(|(_, digits)| digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()))
}
