//! The operators of a graph, each of which is written as one node or several: Java's graph of `GraphNode`s, by which the optimiser
//! goes, and the order in which it is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::NodeId;
use crate::graph::Graph;
use crate::node::NodeSpec;

/// The operators, each under the first of its nodes.
pub(crate) struct Operators {
    all: BTreeMap<NodeId, Operator>,
}

#[derive(Default)]
struct Operator {
    nodes: Vec<NodeId>,
    /// In the order in which they became parents.
    parents: Vec<NodeId>,
    children: Vec<NodeId>,
    priority: u32,
}

impl Operators {
    /// Those of the nodes of `graph` that are not `gone`.
    pub(crate) fn of(graph: &Graph, gone: &BTreeSet<NodeId>) -> Self {
        let of = grouped(graph, gone);
        let mut all: BTreeMap<NodeId, Operator> = BTreeMap::new();
        for (node, leader) in &of {
            let Some(spec) = graph.node(*node) else { continue };
            let parents = spec.parents.iter().filter_map(|parent| of.get(parent)).filter(|parent| *parent != leader);
            let operator = all.entry(*leader).or_default();
            operator.nodes.push(*node);
            operator.priority = operator.priority.max(spec.priority);
            for parent in parents {
                if !operator.parents.contains(parent) {
                    operator.parents.push(*parent);
                }
            }
        }
        let edges: Vec<(NodeId, NodeId)> = all
            .iter()
            .flat_map(|(leader, operator)| operator.parents.iter().map(|parent| (*parent, *leader)))
            .collect();
        for (parent, child) in edges {
            if let Some(parent) = all.get_mut(&parent) {
                parent.children.push(child);
            }
        }
        Operators { all }
    }

    /// The operators, in the order in which they were added.
    pub(crate) fn all(&self) -> impl Iterator<Item = NodeId> {
        self.all.keys().copied()
    }

    /// The nodes of an operator.
    pub(crate) fn nodes(&self, operator: NodeId) -> &[NodeId] {
        self.all.get(&operator).map_or(&[], |operator| &operator.nodes)
    }

    fn parents(&self, operator: NodeId) -> &[NodeId] {
        self.all.get(&operator).map_or(&[], |operator| &operator.parents)
    }

    /// Whether `operator` is right below `parent`.
    pub(crate) fn is_child(&self, operator: NodeId, parent: NodeId) -> bool {
        self.parents(operator).contains(&parent)
    }

    /// Java's `findParentNodeMatching`: the operator itself, or the first that is found above it, parent by parent.
    pub(crate) fn find(&self, operator: NodeId, matches: &dyn Fn(NodeId) -> bool) -> Option<NodeId> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![operator]);
        while let Some(here) = next.pop() {
            if matches(here) {
                return Some(here);
            }
            if seen.insert(here) {
                next.extend(self.parents(here).iter().rev());
            }
        }
        None
    }

    /// The nodes as Java writes them: of the operators whose parents are written always the one that was added first.
    pub(crate) fn order(&self) -> Vec<NodeId> {
        let place = |leader: NodeId| (self.all.get(&leader).map_or(0, |operator| operator.priority), leader);
        let roots = self.all.iter().filter(|(_, operator)| operator.parents.is_empty());
        let mut ready: BTreeSet<(u32, NodeId)> = roots.map(|(leader, _)| place(*leader)).collect();
        let (mut written, mut order) = (BTreeSet::new(), Vec::new());
        while let Some((_, leader)) = ready.pop_first() {
            let Some(operator) = self.all.get(&leader) else { continue };
            if !operator.parents.iter().all(|parent| written.contains(parent)) || !written.insert(leader) {
                continue;
            }
            order.extend(&operator.nodes);
            ready.extend(operator.children.iter().map(|child| place(*child)));
        }
        order
    }
}

/// The first node of each node's operator.
fn grouped(graph: &Graph, gone: &BTreeSet<NodeId>) -> BTreeMap<NodeId, NodeId> {
    let there = || graph.ids().filter(|node| !gone.contains(node));
    let spec = |node: NodeId| graph.node(node);
    let mut of: BTreeMap<NodeId, NodeId> = there().map(|node| (node, node)).collect();
    let mut unite = |one: NodeId, other: NodeId| {
        let (Some(&one), Some(&other)) = (of.get(&one), of.get(&other)) else { return };
        let (first, second) = (one.min(other), one.max(other));
        for leader in of.values_mut().filter(|leader| **leader == second) {
            *leader = first;
        }
    };
    for node in there() {
        let Some(here) = spec(node) else { continue };
        for parent in here.parents.iter().filter(|parent| spec(**parent).is_some_and(|spec| spec.part_of_below)) {
            unite(*parent, node);
        }
        if let Some(topic) = here.sink_topic().filter(|topic| graph.repartition.contains_key(*topic)) {
            let reads = |other: &NodeSpec| other.source_topics().iter().any(|read| read == topic);
            // Repartitions may have one name as long as a rule may leave one of them out; a source comes behind its own sink.
            if let Some(source) = there().find(|other| *other > node && spec(*other).is_some_and(reads)) {
                unite(node, source);
            }
        }
    }
    of
}
