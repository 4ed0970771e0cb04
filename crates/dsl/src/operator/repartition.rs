//! Through a topic and back, so that equal keys meet.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_record::Partition;
use headwater_topology::node::sink::ChoosePartitions;
use headwater_topology::node::source::{SourceNode, TimestampExtractor};
use headwater_topology::node::{self, Moves, RepartitionNames};
use headwater_topology::{Draft, NodeId, Port, Stream};

use super::missing_serde::{GivenBy, missing_serde};
use crate::KStream;
use crate::serdes::Serdes;

/// What a repartition topic is named after.
#[derive(Clone, Copy)]
pub(crate) struct NamedAfter<'a> {
    pub(crate) name: &'a str,
    /// Whether the user gave the name.
    pub(crate) is_given: bool,
}

impl<'a> NamedAfter<'a> {
    /// The name that was given, or else `generated`.
    pub(crate) fn given_or(given: Option<&'a str>, generated: &'a str) -> Self {
        NamedAfter { name: given.unwrap_or(generated), is_given: given.is_some() }
    }

    /// The name of the topic.
    fn topic(self) -> String {
        let name = self.name;
        if name.ends_with("-repartition") { name.to_owned() } else { format!("{name}-repartition") }
    }

    /// The name of the topic, which is asked for now.
    pub(crate) fn ask(self, draft: &Draft) -> String {
        let topic = self.topic();
        if !self.is_given {
            draft.note_unnamed_topic(&topic);
        }
        topic
    }
}

/// A repartition topic that is wanted.
pub(crate) struct Repartition<'a, K, V> {
    pub(crate) after: NamedAfter<'a>,
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) partitions: Option<Partition>,
    pub(crate) partitioner: Option<ChoosePartitions<K, V>>,
    /// The options that the serdes are given by.
    pub(crate) given_by: GivenBy,
}

/// Adds filter, sink and source (Java's `OptimizableRepartitionNode`) below `stream`, whose key an operator needs; what is returned
/// stands at the source.
pub(crate) fn repartition_source<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    repartition: Repartition<'_, K, V>,
) -> KStream<K, V> {
    add(stream, repartition, Moves::Freely)
}

/// As [`repartition_source`], where the user asks for it (Java's `UnoptimizableRepartitionNode`).
pub(crate) fn repartition_here<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    repartition: Repartition<'_, K, V>,
) -> KStream<K, V> {
    add(stream, repartition, Moves::Never)
}

fn add<K: 'static, V: 'static>(
    stream: &KStream<K, V>,
    repartition: Repartition<'_, K, V>,
    moves: Moves,
) -> KStream<K, V> {
    let Repartition { after, serdes, partitions, partitioner, given_by } = repartition;
    let names = names(stream, after);
    let Some((key, value)) = serdes.both() else {
        stream.draft().mistake(missing_serde(&names.sink, &serdes, given_by));
        return KStream::at(stream.port.clone(), serdes, false);
    };
    let given = serdes.are_given();
    let repartition = node::Repartition { key, value, given, partitioner, partitions };
    KStream::at(repartition.add(&stream.port, names, moves), serdes, false)
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
    given_by: GivenBy,
) -> ForJoin<K, V> {
    let draft = stream.draft();
    let for_join = |stream: KStream<K, V>| ForJoin { topics: draft.topics_above(stream.node()), stream };
    if !stream.repartition {
        return for_join(stream.clone());
    }
    let (own, types) = (stream.name(), TypeId::of::<Stream<K, V>>());
    let after = NamedAfter::given_or(name, &own);
    let last = draft.parts::<ForJoins>(stream.node()).pop().filter(|last| last.types == types);
    if let (None, Some(last)) = (name, last) {
        let source = names(stream, after).source;
        let stream = KStream::at(Port::new(draft, last.source), serdes.clone(), false);
        // Java asks for a source of this name, and where it has another one, for none.
        let is_known = *draft.node_name(last.source) == *source;
        let topics = if is_known { draft.topics_above(last.source) } else { BTreeSet::new() };
        return ForJoin { stream, topics };
    }
    let repartition = Repartition { after, serdes: serdes.clone(), partitions: None, partitioner: None, given_by };
    let repartitioned = repartition_source(stream, repartition);
    draft.add_part(stream.node(), ForJoins { source: repartitioned.node(), types });
    for_join(repartitioned)
}

/// Says what brings a source to life.
pub(crate) fn add_source<K: 'static, V: 'static>(
    draft: &Draft,
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

/// Three numbers are used up in any case.
fn names<K: 'static, V: 'static>(stream: &KStream<K, V>, after: NamedAfter<'_>) -> RepartitionNames {
    let topic = after.ask(stream.draft());
    let next = |prefix| stream.draft().next_name(prefix);
    let generated = (next("KSTREAM-SINK-"), next("KSTREAM-FILTER-"), next("KSTREAM-SOURCE-"));
    let own = |what: &str| format!("{topic}-{what}");
    let (sink, filter, source) =
        if is_generated(after.name) { generated } else { (own("sink"), own("filter"), own("source")) };
    RepartitionNames { topic, filter, sink, source }
}

/// Java's `^KSTREAM.*-[0-9]{10}$`.
fn is_generated(name: &str) -> bool {
    name.starts_with("KSTREAM")
        && name
            .rsplit_once('-')
            .is_some_and(|(_, digits)| digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()))
}
