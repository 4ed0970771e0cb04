//! Through a topic and back, so that equal keys meet: a filter, a sink and a source.

use std::any::Any;
use std::fmt;
use std::iter;
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
    /// Which of both somebody chose. What nobody chose gives way to what was chosen for another topic that is merged with this one.
    pub given: Given,
    /// What chooses partitions, where the key alone does not.
    pub partitioner: Option<ChoosePartitions<K, V>>,
    /// How many partitions the topic has; `None`: as many as the topics upstream.
    pub partitions: Option<Partition>,
}

/// Which serdes somebody chose: the others are what is taken where nobody did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Whether that of keys.
    pub key: bool,
    /// Whether that of values.
    pub value: bool,
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
    /// The serde of keys that somebody chose, a [`SharedSerde`].
    fn given_key(&self) -> Option<&dyn Any>;
    /// The serde of values that somebody chose, a [`SharedSerde`].
    fn given_value(&self) -> Option<&dyn Any>;
    /// One in the place of this one and `others`, which come after it: with the first serdes that were chosen.
    fn merged(&self, others: &[Movable]) -> Arc<dyn MakeRepartition>;
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

    fn given_key(&self) -> Option<&dyn Any> {
        self.given.key.then_some(&self.key)
    }

    fn given_value(&self) -> Option<&dyn Any> {
        self.given.value.then_some(&self.value)
    }

    fn merged(&self, others: &[Movable]) -> Arc<dyn MakeRepartition> {
        let all = || iter::once(self as &dyn MakeRepartition).chain(others.iter().map(|other| &*other.make));
        // Those of other types could not write these records.
        let key = all().find_map(|make| make.given_key()?.downcast_ref::<SharedSerde<K>>());
        let value = all().find_map(|make| make.given_value()?.downcast_ref::<SharedSerde<V>>());
        Arc::new(Repartition {
            key: Arc::clone(key.unwrap_or(&self.key)),
            value: Arc::clone(value.unwrap_or(&self.value)),
            given: Given { key: key.is_some(), value: value.is_some() },
            partitioner: self.partitioner.clone(),
            partitions: self.partitions,
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

#[cfg(test)]
mod tests {
    use headwater_record::{DefaultSerde, Encoded, Serde, SerdeError};

    use super::*;

    /// Writes its own name.
    struct Named(&'static str);

    impl<T: DefaultSerde> Serde<T> for Named {
        fn serialize(&self, _: &str, _: &T, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
            into.extend_from_slice(self.0.as_bytes());
            Ok(Encoded::Bytes)
        }
        fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
            T::default_serde().deserialize(topic, bytes)
        }
    }

    fn repartition<V: DefaultSerde>(name: &'static str, key: bool, value: bool) -> Repartition<String, V> {
        let given = Given { key, value };
        Repartition {
            key: Arc::new(Named(name)),
            value: Arc::new(Named(name)),
            given,
            partitioner: None,
            partitions: None,
        }
    }

    fn movable<V: DefaultSerde>(repartition: Repartition<String, V>) -> Movable {
        let node = NodeId::new(0);
        Movable { topic: String::new(), sink: node, source: node, make: Arc::new(repartition) }
    }

    /// The serdes of keys and values that somebody chose.
    fn chosen(merged: &dyn MakeRepartition) -> [String; 2] {
        [merged.given_key(), merged.given_value()].map(|serde| {
            let serde = serde.and_then(|serde| serde.downcast_ref::<SharedSerde<String>>());
            let mut name = Vec::new();
            if let Some(serde) = serde {
                serde.serialize("t", &String::new(), &mut name).unwrap();
            }
            String::from_utf8(name).unwrap()
        })
    }

    #[test]
    fn what_was_chosen_first_goes_before_what_nobody_chose() {
        let merged = |first: [bool; 2], second: [bool; 2], third: [bool; 2]| {
            let of = |name, [key, value]: [bool; 2]| repartition::<String>(name, key, value);
            let others = [movable(of("second", second)), movable(of("third", third))];
            chosen(&*of("first", first).merged(&others))
        };
        assert_eq!(merged([true; 2], [true; 2], [true; 2]), ["first", "first"]);
        assert_eq!(merged([false; 2], [true; 2], [true; 2]), ["second", "second"]);
        assert_eq!(merged([false; 2], [false, true], [true; 2]), ["third", "second"]);
        assert_eq!(merged([true, false], [false; 2], [false, true]), ["first", "third"]);
        assert_eq!(merged([false; 2], [false; 2], [false; 2]), ["", ""]);
    }

    #[test]
    fn a_serde_of_other_values_is_passed_over() {
        let others =
            [movable(repartition::<i64>("second", true, true)), movable(repartition::<String>("third", true, true))];
        assert_eq!(chosen(&*repartition::<String>("first", false, false).merged(&others)), ["second", "third"]);
    }
}
