//! A topology as text, equal to Java's `Topology#describe`.
//!
//! The order of nodes and children is an accident of Java's collections: nodes are connected one by one in the order of a hash
//! map, and children are kept in a tree by the sizes of the trees below them *at that time*. It is followed to the letter, since
//! people keep these texts and compare them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write;

use crate::java_order::{self, TreeSet};
use crate::node::{NodeKind, NodeSpec, SinkTopic, SourceTopics};
use crate::{NodeId, Subtopology, Topology};

pub(crate) fn describe(topology: &Topology) -> String {
    let mut text = String::from("Topologies:\n ");
    for part in topology.subtopologies() {
        text.push_str("  ");
        if part.global { describe_global(topology, part, &mut text) } else { describe_part(topology, part, &mut text) }
    }
    text
}

/// The nodes of one part, as Java's description knows them.
struct Part<'a> {
    topology: &'a Topology,
    nodes: Vec<&'a NodeSpec>,
    parents: Vec<Vec<usize>>,
    /// Parents that are connected so far.
    connected: Vec<Vec<usize>>,
    sizes: Vec<usize>,
    children: Vec<TreeSet>,
    shown_parents: Vec<TreeSet>,
}

impl<'a> Part<'a> {
    fn of(topology: &'a Topology, part: &'a Subtopology) -> Self {
        let index: BTreeMap<NodeId, usize> =
            part.nodes.iter().enumerate().map(|(index, node)| (*node, index)).collect();
        let nodes: Vec<&NodeSpec> = part.nodes.iter().filter_map(|node| topology.node(*node)).collect();
        let parents = nodes
            .iter()
            .map(|node| node.parents.iter().filter_map(|parent| index.get(parent).copied()).collect())
            .collect();
        let count = nodes.len();
        let mut part = Part {
            topology,
            nodes,
            parents,
            connected: vec![Vec::new(); count],
            sizes: vec![1; count],
            children: (0..count).map(|_| TreeSet::default()).collect(),
            shown_parents: (0..count).map(|_| TreeSet::default()).collect(),
        };
        part.connect();
        part
    }

    fn connect(&mut self) {
        let names = self.nodes.iter().enumerate().map(|(index, node)| (node.name.to_string(), index));
        for (_, node) in java_order::hash_map(java_order::hash_map(names)) {
            for parent in self.parents.get(node).cloned().unwrap_or_default() {
                self.connected.get_mut(node).into_iter().for_each(|parents| parents.push(parent));
                let (sizes, nodes) = (&self.sizes, &self.nodes);
                if let Some(parents) = self.shown_parents.get_mut(node) {
                    parents.add(parent, |a, b| compare(sizes, nodes, a, b));
                }
                if let Some(children) = self.children.get_mut(parent) {
                    children.add(node, |a, b| compare(sizes, nodes, a, b));
                }
                let size = self.size(node);
                self.grow(parent, size);
            }
        }
    }

    fn size(&self, node: usize) -> usize {
        self.sizes.get(node).copied().unwrap_or_default()
    }

    fn grow(&mut self, node: usize, by: usize) {
        if let Some(size) = self.sizes.get_mut(node) {
            *size += by;
        }
        for parent in self.connected.get(node).cloned().unwrap_or_default() {
            self.grow(parent, by);
        }
    }

    fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by(|a, b| compare(&self.sizes, &self.nodes, *a, *b));
        order
    }

    fn names(&self, nodes: &[usize]) -> String {
        list(nodes.iter().filter_map(|node| self.nodes.get(*node)).map(|node| &*node.name))
    }

    fn write(&self, node: usize, into: &mut String) -> std::fmt::Result {
        let Some(spec) = self.nodes.get(node) else { return Ok(()) };
        let name = &spec.name;
        match &spec.kind {
            NodeKind::Source { topics, .. } => write!(into, "    Source: {name} (topics: {})", topics_text(topics))?,
            NodeKind::Processor => {
                write!(into, "    Processor: {name} (stores: [{}])", stores_text(self.topology, spec))?;
            }
            NodeKind::Sink { topic: SinkTopic::Named(topic) } => write!(into, "    Sink: {name} (topic: {topic})")?,
            NodeKind::Sink { topic: SinkTopic::Extracted { text } } => {
                write!(into, "    Sink: {name} (extractor class: {text})")?;
            }
        }
        into.push('\n');
        if !matches!(spec.kind, NodeKind::Sink { .. }) {
            let children = self.children.get(node).map(TreeSet::elements).unwrap_or_default();
            writeln!(into, "      --> {}", self.names(&children))?;
        }
        if !matches!(spec.kind, NodeKind::Source { .. }) {
            let parents = self.shown_parents.get(node).map(TreeSet::elements).unwrap_or_default();
            writeln!(into, "      <-- {}", self.names(&parents))?;
        }
        Ok(())
    }
}

/// By the size of the tree below, larger first, then by name.
fn compare(sizes: &[usize], nodes: &[&NodeSpec], a: usize, b: usize) -> Ordering {
    sizes
        .get(b)
        .cmp(&sizes.get(a))
        .then_with(|| nodes.get(a).map(|node| &node.name).cmp(&nodes.get(b).map(|node| &node.name)))
}

fn describe_part(topology: &Topology, part: &Subtopology, into: &mut String) {
    let _ = writeln!(into, "Sub-topology: {}", part.id);
    let nodes = Part::of(topology, part);
    for node in nodes.in_order() {
        let _ = nodes.write(node, into);
    }
    into.push('\n');
}

/// A global store has one source and one processor.
fn describe_global(topology: &Topology, part: &Subtopology, into: &mut String) {
    let _ = writeln!(into, "Sub-topology: {} for global store (will not generate tasks)", part.id);
    let nodes = Part::of(topology, part);
    for node in 0..nodes.nodes.len() {
        let _ = nodes.write(node, into);
    }
}

fn topics_text(topics: &SourceTopics) -> String {
    match topics {
        SourceTopics::Named(names) => {
            let names = java_order::hash_map(names.iter().map(|name| (name.clone(), ())));
            format!("[{}]", join(names.iter().map(|(name, ())| name.as_str())))
        }
        SourceTopics::Pattern(pattern) => pattern.clone(),
    }
}

fn stores_text(topology: &Topology, node: &NodeSpec) -> String {
    let names = node.stores.iter().filter_map(|store| Some((topology.store(*store)?.spec.name.clone(), ())));
    join(java_order::hash_map(names).iter().map(|(name, ())| name.as_str()))
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let text = join(names);
    if text.is_empty() { "none".to_owned() } else { text }
}
