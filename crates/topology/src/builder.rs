//! The Processor API: a topology written down node by node.

use std::fmt;
use std::sync::Arc;

use headwater_record::SharedSerde;
use headwater_store::StoreSpec;

use crate::node::sink::{ChoosePartitions, SinkNode, SinkTarget};
use crate::node::source::{SourceNode, TimestampExtractor};
use crate::node::{NodeKind, NodeSpec, OffsetReset, SinkTopic, SourceTopics};
use crate::processor::{Processor, ProcessorNode, ProcessorSupplier};
use crate::{
    Draft, NodeId, Port, StoreId, Stream, Topology, TopologyError, TopologyErrors, TopologySettings, Wiring,
    WiringError,
};

/// A node that hands on records of `K` and `V`: what a child is added below. An edge of the wrong types does not compile.
pub struct NodeRef<K: 'static, V: 'static> {
    id: NodeId,
    port: Port<Stream<K, V>>,
}

impl<K: 'static, V: 'static> NodeRef<K, V> {
    /// The node.
    pub fn id(&self) -> NodeId {
        self.id
    }
}

impl<K: 'static, V: 'static> Clone for NodeRef<K, V> {
    fn clone(&self) -> Self {
        NodeRef { id: self.id, port: self.port.clone() }
    }
}

impl<K: 'static, V: 'static> fmt::Debug for NodeRef<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeRef({:?})", self.id)
    }
}

/// A topology in the making, node by node (Java's `Topology`). Mistakes are collected until [`TopologyBuilder::build`].
#[derive(Clone, Debug, Default)]
pub struct TopologyBuilder {
    draft: Draft,
}

impl TopologyBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source of `topics`, with the timestamps that the records carry.
    pub fn source<K: 'static, V: 'static>(
        &self,
        name: &str,
        topics: &[&str],
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> NodeRef<K, V> {
        let topics = SourceTopics::Named(topics.iter().map(|topic| (*topic).to_owned()).collect());
        self.source_with(name, topics, None, TimestampExtractor::FailOnInvalid, key, value)
    }

    /// Adds a source: of topics by name or pattern, from where to read at first, and which time a record has.
    pub fn source_with<K: 'static, V: 'static>(
        &self,
        name: &str,
        topics: SourceTopics,
        reset: Option<OffsetReset>,
        extractor: TimestampExtractor<K, V>,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> NodeRef<K, V> {
        if matches!(&topics, SourceTopics::Named(names) if names.is_empty()) {
            self.draft.mistake(TopologyError::Invalid("You must provide at least one topic".to_owned()));
        }
        let kind = NodeKind::Source { topics, reset };
        let id = self.draft.add_node(NodeSpec { name: name.into(), kind, parents: Vec::new(), stores: Vec::new() });
        let port = Port::new();
        let out = port.clone();
        let make = move |wiring: &mut Wiring<'_>| {
            SourceNode::wire(wiring, id, Arc::clone(&key), Arc::clone(&value), extractor.clone(), &out)
        };
        self.draft.add_source(id, Arc::new(make));
        NodeRef { id, port }
    }

    /// Adds a processor below `parents`.
    pub fn processor<P, KIn, VIn, KOut, VOut>(
        &self,
        name: &str,
        parents: &[&NodeRef<KIn, VIn>],
        supplier: impl ProcessorSupplier<P>,
    ) -> NodeRef<KOut, VOut>
    where
        P: Processor<KIn, VIn, KOut, VOut>,
        KIn: 'static,
        VIn: 'static,
        KOut: 'static,
        VOut: 'static,
    {
        let id = self.draft.add_node(NodeSpec::processor(name, self.parents("Processor", name, parents)));
        let port = Port::new();
        let (out, supplier) = (port.clone(), Arc::new(supplier));
        for parent in parents {
            let (out, supplier) = (out.clone(), Arc::clone(&supplier));
            let make = move |wiring: &mut Wiring<'_>| {
                ProcessorNode::<P, KIn, VIn, KOut, VOut>::wire(wiring, id, &*supplier, &out)
            };
            parent.port.listen(id, Arc::new(make));
        }
        NodeRef { id, port }
    }

    /// Adds a sink that writes what comes from `parents` to `topic`.
    pub fn sink<K: 'static, V: 'static>(
        &self,
        name: &str,
        parents: &[&NodeRef<K, V>],
        topic: &str,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) {
        let target = SinkTarget::Topic { name: topic.to_owned(), internal: false };
        self.sink_with(name, parents, target, topic, (key, value), None);
    }

    /// Adds a sink: to a topic or to what a function names, which descriptions show as `text`, at the partitions that
    /// `partitioner` chooses.
    pub fn sink_with<K: 'static, V: 'static>(
        &self,
        name: &str,
        parents: &[&NodeRef<K, V>],
        target: SinkTarget<K, V>,
        text: &str,
        serdes: (SharedSerde<K>, SharedSerde<V>),
        partitioner: Option<ChoosePartitions<K, V>>,
    ) {
        let topic = match &target {
            SinkTarget::Topic { name, .. } => SinkTopic::Named(name.clone()),
            SinkTarget::Extracted(_) => SinkTopic::Extracted { text: text.to_owned() },
        };
        let spec = NodeSpec {
            name: name.into(),
            kind: NodeKind::Sink { topic },
            parents: self.parents("Sink", name, parents),
            stores: Vec::new(),
        };
        let id = self.draft.add_node(spec);
        let make = Arc::new(move |wiring: &mut Wiring<'_>| {
            wiring.shared_inlet::<Stream<K, V>, _>(id, |wiring| {
                let (key, value) = serdes.clone();
                SinkNode::wire(wiring, id, target.clone(), key, value, partitioner.clone())
            })
        });
        for parent in parents {
            let make = Arc::clone(&make);
            parent.port.listen(id, Arc::new(move |wiring: &mut Wiring<'_>| -> Result<_, WiringError> { make(wiring) }));
        }
    }

    fn parents<K, V>(&self, what: &str, name: &str, parents: &[&NodeRef<K, V>]) -> Vec<NodeId> {
        if parents.is_empty() {
            self.draft.mistake(TopologyError::Invalid(format!("{what} {name} must have at least one parent")));
        }
        parents.iter().map(|parent| parent.id).collect()
    }

    /// Adds a store. [`TopologyBuilder::connect`] says who may use it.
    pub fn store(&self, spec: StoreSpec) -> StoreId {
        self.draft.add_store(spec)
    }

    /// Lets the processor `node` use `store`.
    pub fn connect(&self, node: NodeId, store: StoreId) {
        self.draft.connect(node, store);
    }

    /// The topology.
    ///
    /// # Errors
    /// All mistakes that were made.
    pub fn build(&self) -> Result<Topology, TopologyErrors> {
        self.draft.freeze(&TopologySettings::new())
    }
}
