//! Between what was said and what runs: a plan is the graph as data, which rules rewrite one after the other.
//!
//! Each rule is one file. What Java calls the optimiser are rules of the setting `topology.optimization`.

mod reuse_source_topics;
mod single_store_self_join;

pub use single_store_self_join::StreamJoin;

use crate::graph::Graph;
use crate::{NodeId, Topology, TopologySettings};

/// A topology on its way.
pub(crate) struct Plan {
    pub(crate) graph: Graph,
    /// Nodes that are there, in the order in which they are written into the topology.
    pub(crate) order: Vec<NodeId>,
    pub(crate) settings: TopologySettings,
}

impl Plan {
    /// What was said, rewritten as `settings` ask.
    pub(crate) fn of(graph: Graph, settings: &TopologySettings) -> Self {
        let mut plan = Plan { order: graph.ids().collect(), graph, settings: settings.clone() };
        if plan.settings.optimizes("reuse.ktable.source.topics") {
            reuse_source_topics::apply(&mut plan.graph);
        }
        if plan.settings.optimizes("single.store.self.join") {
            single_store_self_join::apply(&mut plan);
        }
        plan
    }

    /// The topology that it says.
    pub(crate) fn freeze(self) -> Topology {
        Topology::of(self)
    }
}
