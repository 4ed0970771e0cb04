//! Sinks.

use std::fmt;
use std::sync::Arc;

use headwater_record::{Headers, Partition, SharedSerde};

use super::{NodeRef, TopologyBuilder, ids};
use crate::node::sink::{ChoosePartitions, ExtractTopic, SinkNode};
use crate::node::{NodeSpec, SinkTopic};
use crate::{MakeInlet, RecordContext, Stream};

/// A sink that is wanted (the arguments of Java's `Topology#addSink`).
///
/// ```
/// use headwater::prelude::*;
/// use headwater::processor::prelude::*;
/// let builder = TopologyBuilder::new();
/// let orders = SourceSpec::topics(["orders"], String::default_serde(), i64::default_serde());
/// let source = builder.add_source("source", orders);
/// let by_country = |country: &String, _: &i64, _: &_| format!("orders-{country}");
/// // All records of a topic go to its first partition.
/// let sink = SinkSpec::chosen("ByCountry", by_country, String::default_serde(), i64::default_serde())
///     .with_partitioner(|_topic, _country, _order, _headers, _partitions| Some(vec![0]));
/// builder.add_sink("sink", sink, &[&source]);
/// assert!(builder.build()?.describe().contains("Sink: sink (extractor class: ByCountry)"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct SinkSpec<K, V> {
    topic: SinkTopic,
    choose: Option<ExtractTopic<K, V>>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    partitioner: Option<ChoosePartitions<K, V>>,
}

impl<K, V> SinkSpec<K, V> {
    /// Writes to this topic, with these serdes.
    pub fn topic(topic: impl Into<String>, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        SinkSpec { topic: SinkTopic::Named(topic.into()), choose: None, key, value, partitioner: None }
    }

    /// Writes each record to the topic that `choose` names for it (Java's `TopicNameExtractor`); `text` describes the function.
    pub fn chosen(
        text: impl Into<String>,
        choose: impl Fn(&K, &V, &RecordContext) -> String + Send + Sync + 'static,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> Self {
        let choose: ExtractTopic<K, V> = Arc::new(move |key, value, context| Ok(choose(key, value, context)));
        SinkSpec {
            topic: SinkTopic::Extracted { text: text.into() },
            choose: Some(choose),
            key,
            value,
            partitioner: None,
        }
    }

    /// Chooses the partitions of each record: topic, key, value, headers and how many there are. `None` leaves it to the key's
    /// hash, an empty list drops the record and counts it, and each partition named gets a copy (`StreamPartitioner`, KIP-837).
    #[must_use]
    pub fn with_partitioner(
        mut self,
        choose: impl Fn(&str, &K, &V, &Headers, Partition) -> Option<Vec<Partition>> + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Arc::new(choose));
        self
    }
}

impl<K, V> fmt::Debug for SinkSpec<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkSpec").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl TopologyBuilder {
    /// Adds a sink below `parents` (`Topology#addSink`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// let builder = TopologyBuilder::new();
    /// let of = |topic: &str| SourceSpec::topics([topic], String::default_serde(), String::default_serde());
    /// let (east, west) = (builder.add_source("east", of("east")), builder.add_source("west", of("west")));
    /// let all = SinkSpec::topic("all", String::default_serde(), String::default_serde());
    /// builder.add_sink("sink", all, &[&east, &west]);
    /// assert!(builder.build()?.describe().contains("Sink: sink (topic: all)\n      <-- east, west"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_sink<K: 'static, V: 'static>(&self, name: &str, sink: SinkSpec<K, V>, parents: &[&NodeRef<K, V>]) {
        let SinkSpec { topic, choose, key, value, partitioner } = sink;
        let parents = self.parents(parents);
        let node = self.draft.add_node(NodeSpec::sink(name, topic, ids(&parents)));
        let make: MakeInlet<Stream<K, V>> = Arc::new(move |wiring| {
            wiring.shared_inlet(node, |wiring| {
                let (key, value) = (Arc::clone(&key), Arc::clone(&value));
                SinkNode::wire(wiring, node, choose.clone(), key, value, partitioner.clone())
            })
        });
        for parent in parents {
            parent.listen(node, Arc::clone(&make));
        }
    }
}
