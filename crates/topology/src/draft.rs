//! What the DSL and the Processor API write into: a topology in the making.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_store::{RowFormat, StoreKind, StoreSpec};

use crate::graph::Graph;
use crate::naming::Naming;
use crate::node::{Effect, NodeKind, NodeSpec, SourceTopics, StoreNode};
use crate::plan::Plan;
use crate::port::Listener;
use crate::processor::ProcessorWrapper;
use crate::{MakeSource, NodeId, StoreId, Topology, TopologyError, TopologyErrors, TopologySettings, naming};

/// A topology in the making; clones write into the same one.
///
/// Nothing here panics or returns an error: mistakes are collected, and [`Draft::freeze`] reports all of them.
#[derive(Clone, Default)]
pub struct Draft(Arc<Mutex<DraftState>>);

#[derive(Default)]
pub(crate) struct DraftState {
    pub(crate) naming: Naming,
    pub(crate) graph: Graph,
    mistakes: Vec<TopologyError>,
    /// Stores that may be made later, each with how many there were before it.
    expected: Vec<(usize, StoreNode)>,
    /// Repartition topics that were asked for without a name of the user's.
    unnamed_topics: Vec<String>,
    /// How often a node was added.
    additions: u32,
    settings: TopologySettings,
}

impl DraftState {
    fn next_priority(&mut self) -> u32 {
        self.additions += 1;
        self.additions
    }

    fn add(&mut self, mut node: NodeSpec) -> NodeId {
        node.priority = self.next_priority();
        let id = NodeId::new(self.graph.nodes.len());
        self.graph.nodes.push(node);
        id
    }
}

impl Draft {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty topology whose settings are known from the start (Java's `TopologyConfig`).
    pub fn with_settings(settings: TopologySettings) -> Self {
        let draft = Draft::new();
        {
            let mut state = draft.state();
            state.mistakes = settings.mistakes();
            state.settings = settings;
        }
        draft
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, DraftState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings given at the start.
    pub fn settings(&self) -> TopologySettings {
        self.state().settings.clone()
    }

    /// Puts `wrapper` around every processor.
    pub fn wrap_processors(&self, wrapper: Arc<dyn ProcessorWrapper>) {
        self.state().graph.wrapper = Some(wrapper);
    }

    /// The next generated name with `prefix`. Every call uses up one number.
    pub fn next_name(&self, prefix: &str) -> String {
        self.state().naming.next(prefix)
    }

    /// `given`, or the next generated name with `prefix`; a number is used up either way (Java's `orElseGenerateWithPrefix`).
    /// An illegal name is a mistake.
    pub fn name_or(&self, given: Option<&str>, prefix: &str) -> String {
        let generated = self.next_name(prefix);
        given.map_or(generated, |name| self.checked(name))
    }

    /// `given` and `suffix`, or the next generated name with `prefix`; a number is used up either way.
    pub fn name_with_suffix_or(&self, given: Option<&str>, suffix: &str, prefix: &str) -> String {
        let generated = self.next_name(prefix);
        given.map_or(generated, |name| self.checked(&format!("{name}{suffix}")))
    }

    /// `name`; that it is illegal is a mistake.
    pub fn checked(&self, name: &str) -> String {
        if let Err(mistake) = naming::validate(name) {
            self.mistake(mistake);
        }
        name.to_owned()
    }

    /// Records a mistake.
    pub fn mistake(&self, mistake: TopologyError) {
        self.state().mistakes.push(mistake);
    }

    /// Whether `other` writes into the same topology.
    pub fn is(&self, other: &Draft) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether a handle of `other` can be used with one of this topology. That it belongs to another builder is a mistake of both.
    pub fn takes(&self, other: &Draft) -> bool {
        let same = self.is(other);
        if !same {
            let words = "two streams or tables that are put together belong to different builders; make both with the same builder, whose topology then has them";
            self.mistake(TopologyError::Invalid(words.to_owned()));
            other.mistake(TopologyError::Invalid(words.to_owned()));
        }
        same
    }

    /// Adds a node. A second one of the same name is a mistake.
    pub fn add_node(&self, node: NodeSpec) -> NodeId {
        let mut state = self.state();
        let others = state.graph.nodes.iter();
        let mistakes = mistakes_beside(others, &node);
        state.mistakes.extend(mistakes);
        state.add(node)
    }

    /// Adds a node that a plan may leave out: only then it is known whether its name and topics are its own.
    pub(crate) fn add_movable_node(&self, node: NodeSpec) -> NodeId {
        self.state().add(node)
    }

    /// Java adds `node` to its graph once more, which is written later for that.
    pub fn add_again(&self, node: NodeId) {
        let mut state = self.state();
        let priority = state.next_priority();
        if let Some(spec) = state.graph.node_mut(node) {
            spec.priority = priority;
        }
    }

    /// Says what `node` does to its records.
    pub fn set_effect(&self, node: NodeId, effect: Effect) {
        self.change_node(node, |node| node.effect = effect);
    }

    /// Gives `node` another name. An illegal one, or one that another node has, is a mistake.
    pub fn rename(&self, node: NodeId, name: &str) {
        let name = self.checked(name);
        let mut state = self.state();
        if state.graph.node_named(&name).is_some_and(|other| other != node) {
            state.mistakes.push(TopologyError::Invalid(format!("Processor {name} is already added.")));
        }
        if let Some(spec) = state.graph.node_mut(node) {
            spec.name = name.into();
        }
    }

    /// Changes what is said of a node, as long as the topology is in the making.
    pub fn change_node(&self, node: NodeId, change: impl FnOnce(&mut NodeSpec)) {
        if let Some(spec) = self.state().graph.node_mut(node) {
            change(spec);
        }
    }

    /// What is said of a node now.
    pub fn node(&self, node: NodeId) -> Option<NodeSpec> {
        self.state().graph.node(node).cloned()
    }

    /// Says what brings the source `node` to life in each task.
    pub fn add_source(&self, node: NodeId, make: MakeSource) {
        self.change_node(node, |node| node.source = Some(make));
    }

    /// Adds a part of `node`, which its maker finds in [`Wiring::parts`](crate::Wiring::parts): what operators say of a node
    /// after it was added, such as the branches of a split.
    pub fn add_part<T: Send + Sync + 'static>(&self, node: NodeId, part: T) {
        self.change_node(node, |node| node.parts.push(Arc::new(part)));
    }

    /// The parts of `node` until now.
    pub fn parts<T: Clone + 'static>(&self, node: NodeId) -> Vec<T> {
        self.state().graph.node(node).map(NodeSpec::parts_of).unwrap_or_default()
    }

    pub(crate) fn listen(&self, node: NodeId, listener: Listener) {
        self.change_node(node, |node| node.listeners.push(listener));
    }

    /// Adds a store. One of the same name is a mistake; the id of the first is returned. So is what no store of its kind can be, and
    /// a cache, which has one value for a key, before a store that retains duplicates.
    pub fn add_store(&self, spec: StoreSpec) -> StoreId {
        let mut state = self.state();
        state.mistakes.extend(store_mistake(&spec).map(TopologyError::Argument));
        if spec.caching && spec.kind.retains_duplicates() {
            let words = format!("store {} cannot have a cache: it retains duplicates", spec.name);
            state.mistakes.push(TopologyError::Store(words));
        }
        if let Some(store) = state.graph.store_named(&spec.name) {
            state.mistakes.push(TopologyError::Invalid(format!(
                "A different StateStore has already been added with the name {}",
                spec.name
            )));
            return store;
        }
        let id = StoreId::new(state.graph.stores.len());
        state.graph.stores.push(StoreNode::of(spec));
        id
    }

    /// A store that is made once somebody needs it has its name already.
    pub fn expect_store(&self, spec: StoreSpec) {
        let mut state = self.state();
        let before = state.graph.stores.len();
        state.expected.push((before, StoreNode::of(spec)));
    }

    /// All stores that have a name, whether they are made or not, in the order in which they were named.
    pub fn named_stores(&self) -> Vec<StoreNode> {
        let state = self.state();
        let made = state.graph.stores.iter().enumerate().map(|(index, store)| (index, true, store));
        let expected = state.expected.iter().map(|(before, store)| (*before, false, store));
        let mut named: Vec<_> = expected.chain(made).collect();
        named.sort_by_key(|(place, made, _)| (*place, *made));
        let mut seen = BTreeSet::new();
        named.retain(|(.., store)| seen.insert(&store.spec.name));
        named.into_iter().map(|(.., store)| store.clone()).collect()
    }

    /// The repartition topic `topic`, without prefix, is asked for by an operator that the user gave no name for it (KIP-1111).
    pub fn note_unnamed_topic(&self, topic: &str) {
        self.state().unnamed_topics.push(topic.to_owned());
    }

    /// What [`Draft::note_unnamed_topic`] was told, in order.
    pub fn unnamed_topics(&self) -> Vec<String> {
        self.state().unnamed_topics.clone()
    }

    /// Adds a store of the user's, as [`Draft::add_store`] does.
    pub fn add_own_store(&self, spec: StoreSpec) -> StoreId {
        let store = self.add_store(spec);
        self.change_store(store, |store| store.own = true);
        store
    }

    /// Adds a store that a processor brings; another may have brought the same.
    pub fn bring_store(&self, spec: StoreSpec) -> StoreId {
        let same = self
            .store_named(&spec.name)
            .filter(|id| self.store(*id).is_some_and(|store| store.own && store.spec == spec));
        same.unwrap_or_else(|| self.add_own_store(spec))
    }

    /// Changes what is wanted of a store, as long as the topology is in the making.
    pub fn change_store(&self, store: StoreId, change: impl FnOnce(&mut StoreNode)) {
        if let Some(node) = self.state().graph.stores.get_mut(store.index()) {
            change(node);
        }
    }

    /// What is wanted of a store now.
    pub fn store(&self, store: StoreId) -> Option<StoreNode> {
        self.state().graph.stores.get(store.index()).cloned()
    }

    /// The store of this name.
    pub fn store_named(&self, name: &str) -> Option<StoreId> {
        self.state().graph.store_named(name)
    }

    /// The names of all stores, in the order in which they were added.
    pub(crate) fn store_names(&self) -> Vec<String> {
        self.state().graph.stores.iter().map(|store| store.spec.name.clone()).collect()
    }

    /// Connects `store` to `node`.
    pub fn connect(&self, node: NodeId, store: StoreId) {
        self.change_node(node, |node| {
            if !node.stores.contains(&store) {
                node.stores.push(store);
            }
        });
    }

    /// Connects `store` to `node`, whose table is kept in it.
    pub fn keep_in(&self, node: NodeId, store: StoreId) {
        self.connect(node, store);
        self.change_node(node, |node| node.keeps = Some(store));
    }

    /// The table of `node` is made of that above it, value by value, and has versions if that one has.
    pub fn pass_versions(&self, node: NodeId) {
        self.change_node(node, |node| node.passes_versions = true);
    }

    /// The table of `node` counts as versioned if the streams that it is made of come from versioned tables, whatever it is kept in. It
    /// is so in Java of a cogroup by windows.
    pub fn take_versions_of_streams(&self, node: NodeId) {
        self.change_node(node, |node| node.versions_of_streams = true);
    }

    /// Whether the table of `node` has versions, as far as is said until now.
    pub fn is_versioned(&self, node: NodeId) -> bool {
        self.state().graph.is_versioned(node)
    }

    /// The stores connected to `node` now.
    pub fn stores_of(&self, node: NodeId) -> Vec<StoreId> {
        self.node(node).map(|spec| spec.stores).unwrap_or_default()
    }

    /// The name of `node`.
    pub fn node_name(&self, node: NodeId) -> Arc<str> {
        self.state().graph.node(node).map_or_else(|| Arc::from(""), |spec| Arc::clone(&spec.name))
    }

    /// Takes the records of `node` to lie as those of `topics` do, whatever is above it: joins below it ask for as many partitions
    /// as these have. It is so in Java of what a join hands on, and with no topics below a suppression.
    pub fn lies_as(&self, node: NodeId, topics: BTreeSet<String>) {
        self.change_node(node, |node| node.lies_as = Some(topics));
    }

    /// The topics that the records of `node` [lie as](Draft::lies_as): by themselves those that the sources above it read by their
    /// names; internal ones without prefix.
    pub fn topics_above(&self, node: NodeId) -> BTreeSet<String> {
        let state = self.state();
        let (mut topics, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![node]);
        while let Some(node) = next.pop() {
            let Some(spec) = state.graph.node(node).filter(|_| seen.insert(node)) else { continue };
            if let Some(known) = &spec.lies_as {
                topics.extend(known.iter().cloned());
            } else {
                topics.extend(spec.source_topics().iter().cloned());
                next.extend(spec.parents.iter().copied());
            }
        }
        topics
    }

    /// What `node` is.
    pub fn kind_of(&self, node: NodeId) -> Option<NodeKind> {
        self.node(node).map(|spec| spec.kind)
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.state().graph.node_named(name)
    }

    /// Declares an internal repartition topic, by its name without prefix.
    pub fn add_repartition_topic(&self, name: &str, partitions: Option<i32>) {
        self.state().graph.repartition.insert(name.to_owned(), partitions);
    }

    /// These topics must have equally many partitions.
    pub fn copartition(&self, topics: BTreeSet<String>) {
        self.state().graph.copartition.push(topics);
    }

    /// Null keys mean something to `node`: repartitions above it let them pass (KIP-962).
    pub fn keep_null_keys_above(&self, node: NodeId) {
        let graph = &mut self.state().graph;
        let mut next = vec![node];
        while let Some(node) = next.pop() {
            match graph.node_mut(node) {
                Some(spec) if !spec.keeps_null_keys => spec.keeps_null_keys = true,
                _ => continue,
            }
            next.extend(graph.above(node));
        }
    }

    /// The topology as it was said until now, planned as `settings` ask and frozen. What is added to the draft later belongs to the
    /// next one.
    ///
    /// # Errors
    /// All mistakes that were made, and those that only a plan shows.
    pub fn freeze(&self, settings: &TopologySettings) -> Result<Topology, TopologyErrors> {
        self.planned(settings, Plan::optimize)
    }

    /// As [`Draft::freeze`], whatever `settings` ask of the optimiser.
    ///
    /// # Errors
    /// As [`Draft::freeze`].
    pub fn freeze_as_written(&self, settings: &TopologySettings) -> Result<Topology, TopologyErrors> {
        self.planned(settings, |_| Ok(()))
    }

    fn planned(
        &self,
        settings: &TopologySettings,
        rewrite: impl FnOnce(&mut Plan) -> Result<(), TopologyError>,
    ) -> Result<Topology, TopologyErrors> {
        let state = self.state();
        if let Some(mistakes) = TopologyErrors::of(state.mistakes.clone()) {
            return Err(mistakes);
        }
        let mut plan = Plan::new(state.graph.clone(), settings);
        rewrite(&mut plan).map_err(TopologyErrors::from)?;
        plan.freeze()
    }
}

/// Versioned stores have no cache, and rows of one format only.
fn store_mistake(spec: &StoreSpec) -> Option<String> {
    let StoreKind::Versioned { segment_interval, .. } = spec.kind else { return None };
    let name = &spec.name;
    if segment_interval < Duration::from_millis(1) {
        return Some(format!("segmentInterval cannot be zero or negative: store {name} takes a millisecond or more"));
    }
    if spec.caching {
        return Some(format!("Versioned stores do not support caching: make store {name} without"));
    }
    let plain = spec.format == RowFormat::Plain;
    (!plain).then(|| {
        format!("Versioned stores have plain rows, which store {name} is not made with: a version has its time anyway")
    })
}

/// What is wrong with one more node beside `others`: names are unique, and a topic is read by one source only.
pub(crate) fn mistakes_beside<'a>(
    others: impl Iterator<Item = &'a NodeSpec> + Clone,
    node: &NodeSpec,
) -> Vec<TopologyError> {
    let named = others.clone().any(|other| other.name == node.name);
    let named = named.then(|| TopologyError::Invalid(format!("Processor {} is already added.", node.name)));
    named.into_iter().chain(source_mistakes(others, node)).collect()
}

/// Topics may be read by one source only, a pattern's included.
fn source_mistakes<'a>(others: impl Iterator<Item = &'a NodeSpec>, node: &NodeSpec) -> Vec<TopologyError> {
    let NodeKind::Source { topics, .. } = &node.kind else { return Vec::new() };
    let others = others.filter_map(|other| match &other.kind {
        NodeKind::Source { topics, .. } => Some(topics),
        _ => None,
    });
    let others: Vec<&SourceTopics> = others.collect();
    let mistakes: Vec<String> = match topics {
        SourceTopics::Named(topics) => topics.iter().filter_map(|topic| taken(topic, &others)).collect(),
        SourceTopics::Pattern(pattern) => {
            let named = others.iter().filter_map(|other| match other {
                SourceTopics::Named(topics) => Some(topics),
                SourceTopics::Pattern(_) => None,
            });
            let matched = named.flatten().any(|topic| matches(pattern, topic));
            let words =
                || format!("Pattern {pattern} will match a topic that has already been registered by another source.");
            matched.then(words).into_iter().collect()
        }
    };
    mistakes.into_iter().map(TopologyError::Invalid).collect()
}

/// Why `topic` cannot be read by one more source.
fn taken(topic: &str, others: &[&SourceTopics]) -> Option<String> {
    others.iter().find_map(|other| match other {
        SourceTopics::Named(topics) if topics.iter().any(|other| other == topic) => {
            Some(format!("Topic {topic} has already been registered by another source."))
        }
        SourceTopics::Pattern(pattern) if matches(pattern, topic) => {
            Some(format!("Topic {topic} matches a Pattern already registered by another source."))
        }
        _ => None,
    })
}

/// Whether all of `topic` matches.
fn matches(pattern: &str, topic: &str) -> bool {
    naming::pattern(pattern).is_ok_and(|pattern| pattern.is_match(topic))
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.state().graph.nodes.iter().map(|node| &node.name)).finish()
    }
}
