//! Through a topic and back, so that equal keys meet: a filter, a sink and a source.

use std::fmt;
use std::sync::Arc;

use headwater_record::{Partition, Record, SharedSerde};

use super::sink::{ChoosePartitions, SinkNode};
use super::source::{SourceNode, TimestampExtractor};
use super::{NodeSpec, SinkTopic, SourceTopics};
use crate::port::{AnyMake, any};
use crate::{Inlet, MakeInlet, MakeSource, NodeId, Outlet, Port, ProcessError, Stream, TaskContext};

/// How the records of a repartition are written and read back.
pub struct Repartition<K, V> {
    /// The serde of keys.
    pub key: SharedSerde<K>,
    /// The serde of values.
    pub value: SharedSerde<V>,
    /// What chooses partitions, where the key alone does not.
    pub partitioner: Option<ChoosePartitions<K, V>>,
    /// How many partitions the topic has; `None`: as many as the topics upstream.
    pub partitions: Option<Partition>,
}

/// What the topic and the nodes of a repartition are called.
#[derive(Clone, Debug)]
pub struct RepartitionNames {
    /// The topic, without prefix.
    pub topic: String,
    /// The node that leaves null keys out.
    pub filter: String,
    /// The node that writes.
    pub sink: String,
    /// The node that reads.
    pub source: String,
}

/// A repartition that the optimiser may replace by another one.
#[derive(Clone)]
pub(crate) struct Movable {
    pub(crate) topic: String,
    pub(crate) sink: NodeId,
    pub(crate) source: NodeId,
    pub(crate) make: Arc<dyn MakeRepartition>,
}

/// Brings the nodes of a repartition to life, whatever its records are.
pub(crate) trait MakeRepartition: Send + Sync {
    fn filter(&self, filter: NodeId) -> AnyMake;
    fn sink(&self, sink: NodeId) -> AnyMake;
    fn source(&self, source: NodeId) -> MakeSource;
}

impl<K: 'static, V: 'static> MakeRepartition for Repartition<K, V> {
    fn filter(&self, filter: NodeId) -> AnyMake {
        let key = Arc::clone(&self.key);
        let make: MakeInlet<Stream<K, V>> = Arc::new(move |wiring| {
            let keeps_null = wiring.topology().node(filter).is_some_and(|node| node.keeps_null_keys);
            Ok(Box::new(NonNullKey { keeps_null, key: Arc::clone(&key), out: wiring.outlet(filter)? }))
        });
        any(make)
    }

    fn sink(&self, sink: NodeId) -> AnyMake {
        let (key, value, partitioner) = (Arc::clone(&self.key), Arc::clone(&self.value), self.partitioner.clone());
        let make: MakeInlet<Stream<K, V>> = Arc::new(move |wiring| {
            let (key, value) = (Arc::clone(&key), Arc::clone(&value));
            Ok(Box::new(SinkNode::wire(wiring, sink, None, key, value, partitioner.clone())?))
        });
        any(make)
    }

    fn source(&self, source: NodeId) -> MakeSource {
        let (key, value) = (Arc::clone(&self.key), Arc::clone(&self.value));
        Arc::new(move |wiring| {
            let extractor = TimestampExtractor::FailOnInvalid;
            SourceNode::wire(wiring, source, Arc::clone(&key), Arc::clone(&value), extractor)
        })
    }
}

/// Lets records pass whose key is not null (Java's `-repartition-filter`). They are not counted, as in Java. All pass when a
/// left join below can use them (KIP-962).
struct NonNullKey<K: 'static, V: 'static> {
    keeps_null: bool,
    key: SharedSerde<K>,
    out: Outlet<Stream<K, V>>,
}

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for NonNullKey<K, V> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if !self.keeps_null && self.key.is_null(record.key) { Ok(()) } else { self.out.push(cx, record) }
    }
}

/// Whether the optimiser may put one repartition in the place of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// It may: the operator below needs the repartition (Java's `OptimizableRepartitionNode`).
    Freely,
    /// The user asked for it, here (Java's `UnoptimizableRepartitionNode`).
    Never,
}

impl<K: 'static, V: 'static> Repartition<K, V> {
    /// Adds it below `port`; what is returned stands at its source.
    pub fn add(self, port: &Port<Stream<K, V>>, names: RepartitionNames, moves: Moves) -> Port<Stream<K, V>> {
        let draft = port.draft();
        let add = |node: NodeSpec| match moves {
            Moves::Freely => draft.add_movable_node(node),
            Moves::Never => draft.add_node(node),
        };
        let RepartitionNames { topic, filter, sink, source } = names;
        draft.add_repartition_topic(&topic, self.partitions);
        let filter = add(NodeSpec::processor(filter, [port.node()]));
        draft.belongs_below(filter);
        let sink = add(NodeSpec::sink(sink, SinkTopic::Named(topic.clone()), [filter]));
        let source = add(NodeSpec::source(source, SourceTopics::Named(vec![topic.clone()]), None));
        port.listen_any(filter, self.filter(filter));
        Port::<Stream<K, V>>::new(draft, filter).listen_any(sink, self.sink(sink));
        draft.add_source(source, self.source(source));
        if moves == Moves::Freely {
            let movable = Movable { topic, sink, source, make: Arc::new(self) };
            draft.change_node(filter, |node| node.movable = Some(movable));
        }
        Port::new(draft, source)
    }
}

impl<K, V> fmt::Debug for Repartition<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repartition").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}
