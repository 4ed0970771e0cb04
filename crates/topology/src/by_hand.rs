//! A topology written by hand, node by node (Java's `Topology`).

mod sink;
mod source;
mod store;

use std::fmt;
use std::sync::Arc;

use crate::node::NodeSpec;
use crate::processor::{Processor, ProcessorNode, ProcessorSupplier, ProcessorWrapper};
use crate::{Draft, MakeInlet, NodeId, Port, Stream, Topology, TopologyError, TopologyErrors, TopologySettings};

pub use self::sink::SinkSpec;
pub use self::source::SourceSpec;

/// A node that others can be put below: it hands on records of these types. In Java it is a name; here children get the types right.
pub struct NodeRef<K: 'static, V: 'static>(Port<Stream<K, V>>);

impl<K: 'static, V: 'static> NodeRef<K, V> {
    /// The node of `port`.
    #[doc(hidden)]
    pub fn new(port: Port<Stream<K, V>>) -> Self {
        NodeRef(port)
    }

    /// The node.
    pub fn id(&self) -> NodeId {
        self.0.node()
    }
}

impl<K: 'static, V: 'static> Clone for NodeRef<K, V> {
    fn clone(&self) -> Self {
        NodeRef(self.0.clone())
    }
}

impl<K: 'static, V: 'static> fmt::Debug for NodeRef<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeRef({:?})", self.id())
    }
}

/// Writes a topology of sources, processors and sinks by their names (Java's `Topology`).
///
/// Parents are handles, so that a node cannot be put below one that hands on other types. Mistakes do not stop the writing:
/// [`TopologyBuilder::build`] reports all of them.
///
/// ```
/// use headwater::prelude::*;
/// use headwater::processor::prelude::*;
/// let builder = TopologyBuilder::new();
/// let lines = SourceSpec::topics(["lines"], String::default_serde(), String::default_serde());
/// let source = builder.add_source("source", lines);
/// let copies = SinkSpec::topic("copies", String::default_serde(), String::default_serde());
/// builder.add_sink("sink", copies, &[&source]);
/// assert!(builder.build()?.describe().contains("Sink: sink (topic: copies)"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TopologyBuilder {
    draft: Draft,
}

impl TopologyBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty topology whose settings are known from the start (Java's constructor with a `TopologyConfig`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// let settings = TopologySettings::new().with("topology.optimization", "all");
    /// let topology = TopologyBuilder::with_settings(settings).build()?;
    /// assert_eq!(topology.settings().value("topology.optimization"), Some("all"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn with_settings(settings: TopologySettings) -> Self {
        TopologyBuilder { draft: Draft::with_settings(settings) }
    }

    /// Writes into a topology that others write into too.
    #[doc(hidden)]
    pub fn over(draft: &Draft) -> Self {
        TopologyBuilder { draft: draft.clone() }
    }

    /// Adds a processor below `parents` (`Topology#addProcessor`). `supplier` makes one for each task; a closure will do.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// struct Lengths;
    /// impl Processor<(), String, (), i64> for Lengths {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), i64>,
    ///         record: Record<'_, (), String>,
    ///     ) -> Result<(), ProcessError> {
    ///         cx.forward(record.with_value(&(record.value.len() as i64)))
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let lines = SourceSpec::topics(["lines"], <()>::default_serde(), String::default_serde());
    /// let source = builder.add_source("source", lines);
    /// let lengths: NodeRef<(), i64> = builder.add_processor("lengths", |_| Ok(Lengths), &[&source]);
    /// assert_eq!(builder.build()?.node_named("lengths"), Some(lengths.id()));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_processor<P, KIn, VIn, KOut, VOut>(
        &self,
        name: &str,
        supplier: impl ProcessorSupplier<P>,
        parents: &[&NodeRef<KIn, VIn>],
    ) -> NodeRef<KOut, VOut>
    where
        P: Processor<KIn, VIn, KOut, VOut>,
        KIn: 'static,
        VIn: 'static,
        KOut: 'static,
        VOut: 'static,
    {
        let parents = self.parents(parents);
        let node = self.draft.add_node(NodeSpec::processor(name, ids(&parents)));
        let make: MakeInlet<Stream<KIn, VIn>> = Arc::new(move |wiring| ProcessorNode::wire(wiring, node, &supplier));
        for parent in parents {
            parent.listen(node, Arc::clone(&make));
        }
        NodeRef(Port::new(&self.draft, node))
    }

    /// Puts `wrapper` around every processor (`processor.wrapper.class`, KIP-1112); see [`ProcessorWrapper`] for an example.
    pub fn wrap_processors(&self, wrapper: Arc<dyn ProcessorWrapper>) {
        self.draft.wrap_processors(wrapper);
    }

    /// The ports of `parents`. That there is none, or that one belongs to another builder, is a mistake.
    fn parents<'a, K: 'static, V: 'static>(&self, parents: &[&'a NodeRef<K, V>]) -> Vec<&'a Port<Stream<K, V>>> {
        self.need(parents.is_empty(), "predecessorNames cannot be empty");
        parents.iter().map(|parent| &parent.0).filter(|port| self.draft.takes(port.draft())).collect()
    }

    /// Records a mistake if there is one.
    fn need(&self, mistaken: bool, words: &str) {
        if mistaken {
            self.draft.mistake(TopologyError::Invalid(words.to_owned()));
        }
    }

    /// The topology.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// let builder = TopologyBuilder::new();
    /// let serde = String::default_serde;
    /// builder.add_sink("sink", SinkSpec::topic("copies", serde(), serde()), &[]);
    /// builder.add_source("sink", SourceSpec::topics(["lines"], serde(), serde()));
    /// let mistakes = builder.build().unwrap_err();
    /// assert_eq!(mistakes.iter().count(), 2, "no parents, and a name that is taken");
    /// ```
    ///
    /// # Errors
    /// All mistakes that were made, in the order in which they were made.
    pub fn build(&self) -> Result<Topology, TopologyErrors> {
        self.draft.freeze_as_written(&self.draft.settings())
    }
}

fn ids<K: 'static, V: 'static>(ports: &[&Port<Stream<K, V>>]) -> Vec<NodeId> {
    ports.iter().map(|port| port.node()).collect()
}
