//! A frozen topology: immutable, shared by all tasks, and everything about it derived once.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use headwater_store::{Logging, RowFormat, StoreKind};

use crate::copartition;
use crate::graph::Graph;
use crate::java_order;
use crate::node::{NodeKind, NodeSpec, SinkTopic, SourceTopics, StoreNode};
use crate::port::Listener;
use crate::processor::ProcessorWrapper;
use crate::subtopology::{self, Subtopology};
use crate::{NodeId, StoreId, SubtopologyId, TopologySettings};

/// A frozen topology. Clones share it.
#[derive(Clone)]
pub struct Topology(Arc<Frozen>);

#[derive(Clone)]
struct Frozen {
    graph: Graph,
    /// Nodes that are there, in their order.
    order: Vec<NodeId>,
    children: Vec<Vec<NodeId>>,
    store_order: Vec<StoreId>,
    subtopologies: Vec<Subtopology>,
    copartition: Vec<BTreeSet<String>>,
    settings: TopologySettings,
    /// The application that it is bound to.
    application: Option<Arc<str>>,
}

impl Topology {
    /// The nodes of `graph` that `order` names, written in that order.
    pub(crate) fn of(mut graph: Graph, order: Vec<NodeId>, settings: TopologySettings) -> Self {
        for node in &mut graph.nodes {
            node.listeners.sort_by_key(|listener| order.iter().position(|other| *other == listener.child));
        }
        let mut children = vec![Vec::new(); graph.nodes.len()];
        for &node in &order {
            for parent in graph.node(node).map(|spec| spec.parents.as_slice()).unwrap_or_default() {
                if let Some(siblings) = children.get_mut(parent.index())
                    && !siblings.contains(&node)
                {
                    siblings.push(node);
                }
            }
        }
        let store_order = store_order(&graph, &order);
        let copartition = copartition::groups(&graph);
        let subtopologies = Vec::new();
        let frozen =
            Frozen { graph, order, children, store_order, subtopologies, copartition, settings, application: None };
        let unnumbered = Topology(Arc::new(frozen));
        let subtopologies = subtopology::divide(&unnumbered);
        unnumbered.changed(|frozen| frozen.subtopologies = subtopologies)
    }

    fn changed(mut self, change: impl FnOnce(&mut Frozen)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The same topology with the rows of its operators' stores in this format (`dsl.store.format`, KIP-1285): of those that keep
    /// timestamps, and of sessions. Stores that the user added, or gave a format, keep theirs.
    #[must_use]
    pub fn with_row_format(self, format: RowFormat) -> Self {
        self.changed(|frozen| {
            let asked = |store: &&mut StoreNode| !(store.own || store.spec.format_is_given);
            for store in frozen.graph.stores.iter_mut().filter(asked) {
                match store.spec.kind {
                    StoreKind::Session { .. } => store.spec.format = format.without_timestamp(),
                    _ if store.spec.format.has_timestamp() => store.spec.format = format,
                    _ => {}
                }
            }
        })
    }

    /// As [`Topology::with_row_format`], unless the topology was built with a `dsl.store.format` of its own: an application's
    /// settings give way to those of its topology (Java's `TopologyConfig`).
    #[must_use]
    pub fn with_default_row_format(self, format: RowFormat) -> Self {
        if self.settings().row_format().is_some() { self } else { self.with_row_format(format) }
    }

    /// Its nodes, in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeSpec)> {
        self.0.order.iter().filter_map(|&id| Some((id, self.node(id)?)))
    }

    /// The node `id`.
    pub fn node(&self, id: NodeId) -> Option<&NodeSpec> {
        self.0.graph.node(id)
    }

    /// What stands around `node`: sources and sinks have no wrapper.
    pub(crate) fn wrapper_of(&self, node: NodeId) -> Option<Arc<dyn ProcessorWrapper>> {
        let processor = self.node(node).is_some_and(|node| matches!(node.kind, NodeKind::Processor));
        self.0.graph.wrapper.clone().filter(|_| processor)
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes().find(|(_, node)| &*node.name == name).map(|(id, _)| id)
    }

    /// The children of `node`, in the order in which they were added.
    pub fn children(&self, node: NodeId) -> &[NodeId] {
        self.0.children.get(node.index()).map_or(&[], Vec::as_slice)
    }

    /// The children of `node` with what brings them to life, in the order of nodes.
    pub(crate) fn listeners(&self, node: NodeId) -> &[Listener] {
        self.node(node).map_or(&[], |spec| spec.listeners.as_slice())
    }

    pub(crate) fn takes_versions(&self, node: NodeId) -> bool {
        self.0.graph.takes_versions(node)
    }

    /// Its stores.
    pub fn stores(&self) -> impl Iterator<Item = (StoreId, &StoreNode)> {
        self.0.graph.stores.iter().enumerate().map(|(index, store)| (StoreId::new(index), store))
    }

    /// The store `id`.
    pub fn store(&self, id: StoreId) -> Option<&StoreNode> {
        self.0.graph.stores.get(id.index())
    }

    /// The store of this name.
    pub fn store_named(&self, name: &str) -> Option<StoreId> {
        self.stores().find(|(_, store)| store.spec.name == name).map(|(id, _)| id)
    }

    /// Stores in the order in which a task registers and flushes them: by the first node that uses them.
    pub fn store_order(&self) -> &[StoreId] {
        &self.0.store_order
    }

    /// Its parts, by number. A part of a global store has a number and no tasks.
    pub fn subtopologies(&self) -> &[Subtopology] {
        &self.0.subtopologies
    }

    /// The part of this number.
    pub fn subtopology(&self, id: SubtopologyId) -> Option<&Subtopology> {
        self.0.subtopologies.iter().find(|part| part.id == id)
    }

    /// Groups of topics that must have equally many partitions (Java's `InternalTopologyBuilder#copartitionGroups`).
    pub fn copartition_groups(&self) -> &[BTreeSet<String>] {
        &self.0.copartition
    }

    /// Whether `topic` is a repartition topic of this topology.
    pub fn is_repartition_topic(&self, topic: &str) -> bool {
        self.0.graph.repartition.contains_key(topic)
    }

    /// The number of partitions that the program fixes for repartition topic `topic`.
    pub fn fixed_partitions(&self, topic: &str) -> Option<i32> {
        self.0.graph.repartition.get(topic).copied().flatten()
    }

    /// The same topology in the application `application_id`, with the full names of its internal topics wherever it names one
    /// (Java's `InternalTopologyBuilder#rewriteTopology`): the one place where they are put together. What runs a topology binds
    /// it first.
    #[must_use]
    pub fn for_application(&self, application_id: &str) -> Topology {
        let bind = |graph: &mut Graph| {
            let repartition = std::mem::take(&mut graph.repartition);
            let full = |topic: &mut String| {
                if repartition.contains_key(topic) {
                    *topic = format!("{application_id}-{topic}");
                }
            };
            for node in &mut graph.nodes {
                match &mut node.kind {
                    NodeKind::Source { topics: SourceTopics::Named(topics), .. } => topics.iter_mut().for_each(full),
                    NodeKind::Sink { topic: SinkTopic::Named(topic) } => full(topic),
                    _ => {}
                }
            }
            for store in &mut graph.stores {
                store.source_topic.iter_mut().for_each(full);
                store.source_changelog.iter_mut().for_each(full);
            }
            let renamed = |mut topic: String| {
                full(&mut topic);
                topic
            };
            let groups = std::mem::take(&mut graph.copartition).into_iter();
            graph.copartition = groups.map(|group| group.into_iter().map(renamed).collect()).collect();
            graph.repartition = repartition.iter().map(|(topic, fixed)| (renamed(topic.clone()), *fixed)).collect();
        };
        match &self.0.application {
            Some(bound) if **bound == *application_id => self.clone(),
            _ => self.clone().changed(|frozen| {
                bind(&mut frozen.graph);
                frozen.copartition = copartition::groups(&frozen.graph);
                frozen.application = Some(application_id.into());
            }),
        }
    }

    /// The application that it is bound to, if it is.
    pub fn application(&self) -> Option<&str> {
        self.0.application.as_deref()
    }

    /// The topic that `store` keeps its changes in; `None` when it keeps them nowhere.
    pub fn changelog_topic(&self, store: StoreId) -> Option<String> {
        let node = self.store(store).filter(|node| !node.global)?;
        let own = || matches!(node.spec.logging, Logging::Enabled(_)).then(|| self.own_changelog(node));
        node.source_changelog.clone().or_else(own)
    }

    /// The sources above the first node that uses `store`: a key lies in the partition of the store that its record came from
    /// (Java's `InternalTopologyBuilder#stateStoreNameToSourceTopicNames`).
    pub fn sources_of(&self, store: StoreId) -> Vec<NodeId> {
        let Some((user, _)) = self.nodes().find(|(_, node)| node.stores.contains(&store)) else { return Vec::new() };
        let (mut seen, mut above) = (BTreeSet::new(), vec![user]);
        let mut sources = Vec::new();
        while let Some(id) = above.pop() {
            let Some(node) = self.node(id).filter(|_| seen.insert(id)) else { continue };
            if matches!(node.kind, NodeKind::Source { .. }) {
                sources.push(id);
            }
            above.extend(&node.parents);
        }
        sources.sort();
        sources
    }

    /// The topic that the serdes of `store` are told: its changelog, or the topic that fills it, or the changelog that it would
    /// have (Java's `ProcessorContextUtils#changelogFor`).
    pub fn serde_topic(&self, store: StoreId) -> String {
        let Some(node) = self.store(store) else { return String::new() };
        let filled_from = node.source_topic.clone().filter(|_| node.global);
        filled_from.or_else(|| self.changelog_topic(store)).unwrap_or_else(|| self.own_changelog(node))
    }

    fn own_changelog(&self, node: &StoreNode) -> String {
        let store = &node.spec.name;
        self.application().map_or_else(|| format!("{store}-changelog"), |id| format!("{id}-{store}-changelog"))
    }

    /// The settings it was built with.
    pub fn settings(&self) -> &TopologySettings {
        &self.0.settings
    }

    /// Java's `Topology#describe().toString()`.
    pub fn describe(&self) -> String {
        crate::describe::describe(self)
    }
}

/// Within one node, Java takes stores in the order of a hash set of their names.
fn store_order(graph: &Graph, nodes: &[NodeId]) -> Vec<StoreId> {
    let mut order = Vec::with_capacity(graph.stores.len());
    for spec in nodes.iter().filter_map(|node| graph.node(*node)) {
        let names = spec.stores.iter().filter_map(|id| Some((graph.stores.get(id.index())?.spec.name.clone(), *id)));
        for (_, store) in java_order::hash_map(names) {
            if !order.contains(&store) {
                order.push(store);
            }
        }
    }
    order
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes().map(|(_, node)| &node.name)).finish()
    }
}
