//! The connected parts of a topology.

use std::collections::{BTreeMap, BTreeSet};

use crate::node::NodeKind;
use crate::{NodeId, StoreId, SubtopologyId, Topology};

/// A connected part of a topology: nodes that hand records to each other or share a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtopology {
    /// Its number, in the order in which its first node was added.
    pub id: SubtopologyId,
    /// Its nodes, in the order in which they were added.
    pub nodes: Vec<NodeId>,
    /// The stores its nodes use, in the order of registration. Global stores are only among those of their own part.
    pub stores: Vec<StoreId>,
    /// Whether it only fills a global store: it has a number and no tasks.
    pub global: bool,
}

/// Divides a topology (Java's `InternalTopologyBuilder#makeNodeGroups`).
pub(crate) fn divide(topology: &Topology) -> Vec<Subtopology> {
    let mut groups = Groups::default();
    let mut user_of: BTreeMap<StoreId, NodeId> = BTreeMap::new();
    for (node, spec) in topology.nodes() {
        groups.add(node);
        for parent in &spec.parents {
            groups.unite(node, *parent);
        }
        for store in spec.stores.iter().filter(|store| unites(topology, **store)) {
            match user_of.get(store) {
                Some(other) => groups.unite(node, *other),
                None => {
                    user_of.insert(*store, node);
                }
            }
        }
    }
    let mut numbers: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut parts: Vec<Subtopology> = Vec::new();
    for (node, spec) in topology.nodes() {
        let next = parts.len();
        let number = *numbers.entry(groups.root(node)).or_insert(next);
        if number == next {
            let id = SubtopologyId::new(number as i32);
            parts.push(Subtopology { id, nodes: Vec::new(), stores: Vec::new(), global: false });
        }
        if let Some(part) = parts.get_mut(number) {
            part.nodes.push(node);
            part.global |= spec.stores.iter().any(|store| is_global(topology, *store));
        }
    }
    for part in &mut parts {
        let used: BTreeSet<StoreId> =
            part.nodes.iter().filter_map(|node| topology.node(*node)).flat_map(|node| node.stores.clone()).collect();
        let order = topology.store_order().iter().filter(|store| used.contains(store));
        part.stores = order.copied().collect();
    }
    parts
}

/// Whether the nodes that use a store are one part for that alone. In Java 4.4 they are when they use a store of one name; from 4.5 on
/// also when they share the builder of one, which this is the place to choose.
fn unites(topology: &Topology, store: StoreId) -> bool {
    !is_global(topology, store)
}

fn is_global(topology: &Topology, store: StoreId) -> bool {
    topology.store(store).is_some_and(|store| store.global)
}

/// Sets of nodes that are united step by step.
#[derive(Default)]
struct Groups {
    parent: BTreeMap<NodeId, NodeId>,
}

impl Groups {
    fn add(&mut self, node: NodeId) {
        self.parent.entry(node).or_insert(node);
    }

    fn root(&self, node: NodeId) -> NodeId {
        let mut here = node;
        while let Some(parent) = self.parent.get(&here).filter(|parent| **parent != here) {
            here = *parent;
        }
        here
    }

    fn unite(&mut self, a: NodeId, b: NodeId) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent.insert(a, b);
        self.parent.entry(b).or_insert(b);
    }
}

impl Topology {
    /// The topics that `part` reads, without patterns.
    pub fn source_topics(&self, part: &Subtopology) -> BTreeSet<String> {
        let nodes = part.nodes.iter().filter_map(|node| self.node(*node));
        nodes.flat_map(|node| node.source_topics().to_vec()).collect()
    }

    /// The topics that `part` always writes to.
    pub fn sink_topics(&self, part: &Subtopology) -> BTreeSet<String> {
        let nodes = part.nodes.iter().filter_map(|node| self.node(*node));
        nodes.filter_map(|node| node.sink_topic().map(str::to_owned)).collect()
    }

    /// The source of `part` that reads `topic` by its name.
    pub fn source_node_for(&self, part: &Subtopology, topic: &str) -> Option<NodeId> {
        part.nodes.iter().copied().find(|node| {
            self.node(*node).is_some_and(|spec| {
                matches!(spec.kind, NodeKind::Source { .. }) && spec.source_topics().iter().any(|name| name == topic)
            })
        })
    }
}
