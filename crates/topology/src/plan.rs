//! Between what was said and what runs: a plan is the graph as data, which rules rewrite one after the other.
//!
//! Each rule is one file. What Java calls the optimiser are rules of the setting `topology.optimization`.

mod merge_repartition_topics;
mod operators;
mod reuse_source_topics;
mod single_store_self_join;

pub use single_store_self_join::StreamJoin;

use std::collections::BTreeSet;

use crate::draft::mistakes_beside;
use crate::graph::Graph;
use crate::node::NodeSpec;
use crate::{NodeId, Topology, TopologyError, TopologyErrors, TopologySettings};

use self::operators::Operators;

/// A topology on its way.
pub(crate) struct Plan {
    pub(crate) graph: Graph,
    /// Nodes that were said, and that rules have put others in the place of.
    gone: BTreeSet<NodeId>,
    pub(crate) settings: TopologySettings,
}

impl Plan {
    /// What was said.
    pub(crate) fn new(graph: Graph, settings: &TopologySettings) -> Self {
        Plan { graph, gone: BTreeSet::new(), settings: settings.clone() }
    }

    /// Rewrites it by the rules that `topology.optimization` names, in Java's order.
    pub(crate) fn optimize(&mut self) -> Result<(), TopologyError> {
        if self.settings.optimizes("reuse.ktable.source.topics") {
            reuse_source_topics::apply(&mut self.graph);
        }
        if self.settings.optimizes("merge.repartition.topics") {
            merge_repartition_topics::apply(self)?;
        }
        if self.settings.optimizes("single.store.self.join") {
            single_store_self_join::apply(self);
        }
        Ok(())
    }

    /// The topology that it says.
    pub(crate) fn freeze(self) -> Result<Topology, TopologyErrors> {
        let order = Operators::of(&self.graph, &self.gone).order();
        let mut mistakes = Vec::new();
        let mut written: Vec<&NodeSpec> = Vec::with_capacity(order.len());
        for node in order.iter().filter_map(|node| self.graph.node(*node)) {
            mistakes.extend(mistakes_beside(written.iter().copied(), node));
            written.push(node);
        }
        match TopologyErrors::of(mistakes) {
            Some(mistakes) => Err(mistakes),
            None => Ok(Topology::of(self.graph, order, self.settings)),
        }
    }
}
