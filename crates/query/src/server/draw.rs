//! The topology as a value, for those who draw it.

use headwater_store::StoreKind;
use headwater_topology::node::{NodeKind, NodeSpec, SinkTopic, SourceTopics, StoreNode};
use headwater_topology::{NodeId, StoreId, Subtopology, Topology};

use crate::wire;

pub(crate) fn graph(topology: &Topology) -> wire::Graph {
    let part = |part: &Subtopology| wire::Part {
        id: part.id.to_string(),
        global: part.global,
        nodes: part.nodes.iter().filter_map(|id| Some(node(topology, *id, topology.node(*id)?))).collect(),
    };
    wire::Graph {
        parts: topology.subtopologies().iter().map(part).collect(),
        stores: topology.stores().map(|(id, spec)| store(topology, id, spec)).collect(),
    }
}

fn node(topology: &Topology, id: NodeId, spec: &NodeSpec) -> wire::GraphNode {
    let (kind, topics) = match &spec.kind {
        NodeKind::Source { topics: SourceTopics::Named(topics), .. } => ("source", topics.clone()),
        NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } => ("source", vec![pattern.clone()]),
        NodeKind::Processor => ("processor", Vec::new()),
        NodeKind::Sink { topic: SinkTopic::Named(topic) } => ("sink", vec![topic.clone()]),
        NodeKind::Sink { topic: SinkTopic::Extracted { text } } => ("sink", vec![text.clone()]),
    };
    let store = |id: &StoreId| topology.store(*id).map(|store| store.spec.name.clone());
    let name = |id: &NodeId| topology.node(*id).map(|node| node.name.to_string());
    wire::GraphNode {
        name: spec.name.to_string(),
        kind: kind.to_owned(),
        topics,
        stores: spec.stores.iter().filter_map(store).collect(),
        children: topology.children(id).iter().filter_map(name).collect(),
    }
}

fn store(topology: &Topology, id: StoreId, store: &StoreNode) -> wire::GraphStore {
    let kind = match store.spec.kind {
        StoreKind::KeyValue | StoreKind::Lru { .. } => "key-value",
        StoreKind::Window { .. } => "window",
        StoreKind::Session { .. } => "session",
        StoreKind::Versioned { .. } => "versioned",
        StoreKind::Suppress => "buffer",
        _ => "other",
    };
    wire::GraphStore {
        name: store.spec.name.clone(),
        kind: kind.to_owned(),
        global: store.global,
        changelog: topology.changelog_topic(id),
    }
}
