//! `merge`: two streams as one.

use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::{Effect, NodeSpec};
use headwater_topology::{Draft, Inlet, MakeInlet, NodeId, Outlet, Port, ProcessError, Stream, TaskContext};

use crate::KStream;
use crate::serdes::Serdes;

struct Merge<K: 'static, V: 'static>(Outlet<Stream<K, V>>);

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for Merge<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        self.0.push(cx, record)
    }
}

/// What brings `node` to life, whoever hands it records.
fn merge<K: 'static, V: 'static>(node: NodeId) -> MakeInlet<Stream<K, V>> {
    Arc::new(move |wiring| wiring.shared_inlet(node, |wiring| Ok(Merge(wiring.outlet(node)?))))
}

/// Lets `node` hand on what `parents` hand it (Java's `PassThrough`).
pub(crate) fn pass_on<K: 'static, V: 'static>(draft: &Draft, node: NodeId, parents: &[NodeId]) -> Port<Stream<K, V>> {
    for parent in parents {
        Port::new(draft, *parent).listen(node, merge::<K, V>(node));
    }
    Port::new(draft, node)
}

impl<K: 'static, V: 'static> KStream<K, V> {
    /// The records of both streams (`KStream#merge`), in no order between them.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let (east, west) = (builder.values::<String>("east"), builder.values::<String>("west"));
    /// east.merge(&west).to("all");
    /// assert!(builder.build()?.describe().contains("KSTREAM-MERGE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn merge(&self, other: &KStream<K, V>) -> Self {
        let draft = self.draft();
        if !draft.takes(other.draft()) {
            return self.clone();
        }
        let name = draft.next_name("KSTREAM-MERGE-");
        let node = draft.add_node(NodeSpec::processor(name, [self.node(), other.node()]));
        draft.set_effect(node, Effect::Merges);
        let make = merge::<K, V>(node);
        self.port.listen(node, Arc::clone(&make));
        if self.node() != other.node() {
            other.port.listen(node, make);
        }
        KStream::at(Port::new(draft, node), Serdes::none(), self.repartition || other.repartition)
    }
}
