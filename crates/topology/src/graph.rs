//! The graph as data: what a draft writes, a plan rewrites, and a topology keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_store::StoreKind;

use crate::node::{NodeSpec, StoreNode};
use crate::processor::ProcessorWrapper;
use crate::{NodeId, StoreId};

/// Nodes, stores and topics.
#[derive(Clone, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) stores: Vec<StoreNode>,
    /// Repartition topics with the number of partitions that the program fixes.
    pub(crate) repartition: BTreeMap<String, Option<i32>>,
    /// Groups of topics that must have equally many partitions, as operators asked for them.
    pub(crate) copartition: Vec<BTreeSet<String>>,
    pub(crate) wrapper: Option<Arc<dyn ProcessorWrapper>>,
}

impl Graph {
    pub(crate) fn node(&self, id: NodeId) -> Option<&NodeSpec> {
        self.nodes.get(id.index())
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> Option<&mut NodeSpec> {
        self.nodes.get_mut(id.index())
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId::new)
    }

    pub(crate) fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|node| &*node.name == name).map(NodeId::new)
    }

    pub(crate) fn store_named(&self, name: &str) -> Option<StoreId> {
        self.stores.iter().position(|store| store.spec.name == name).map(StoreId::new)
    }

    /// Whether the table of `node` has versions (Java's `GraphNode#isOutputVersioned`).
    pub(crate) fn is_versioned(&self, node: NodeId) -> bool {
        let Some(spec) = self.node(node) else { return false };
        if spec.versions_of_streams {
            return self.comes_from_versions(node);
        }
        let kept = spec.keeps.and_then(|store| self.stores.get(store.index()));
        match kept {
            Some(store) => matches!(store.spec.kind, StoreKind::Versioned { .. }),
            None => spec.passes_versions && self.takes_versions(node),
        }
    }

    /// Whether all tables that the streams above `node` are made of have versions.
    fn comes_from_versions(&self, node: NodeId) -> bool {
        let is_table = |spec: &NodeSpec| spec.keeps.is_some() || spec.passes_versions || spec.versions_of_streams;
        let above = self.above(node);
        !above.is_empty()
            && above.iter().all(|parent| match self.node(*parent) {
                Some(spec) if is_table(spec) => self.is_versioned(*parent),
                Some(_) => self.comes_from_versions(*parent),
                None => false,
            })
    }

    /// Whether all tables above `node` have versions.
    pub(crate) fn takes_versions(&self, node: NodeId) -> bool {
        let parents = self.node(node).map(|spec| spec.parents.as_slice()).unwrap_or_default();
        !parents.is_empty() && parents.iter().all(|parent| self.is_versioned(*parent))
    }

    /// The parents of `node`; past a repartition topic, what writes it.
    pub(crate) fn above(&self, node: NodeId) -> Vec<NodeId> {
        let Some(spec) = self.node(node) else { return Vec::new() };
        let internal = |topic: &&String| self.repartition.contains_key(*topic);
        let read: Vec<&str> = spec.source_topics().iter().filter(internal).map(String::as_str).collect();
        let writes = |other: &NodeId| {
            self.node(*other).and_then(NodeSpec::sink_topic).is_some_and(|topic| read.contains(&topic))
        };
        let sinks = self.ids().filter(writes);
        spec.parents.iter().copied().chain(sinks).collect()
    }
}
