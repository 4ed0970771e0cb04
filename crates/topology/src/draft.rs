//! What the DSL and the Processor API write into: a topology in the making.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_store::StoreSpec;

use crate::naming::Naming;
use crate::node::{NodeKind, NodeSpec, SourceTopics, StoreNode};
use crate::processor::ProcessorWrapper;
use crate::wiring::MakeSource;
use crate::{NodeId, StoreId, Topology, TopologyError, TopologyErrors, TopologySettings, naming};

/// A topology in the making; clones write into the same one.
///
/// Nothing here panics or returns an error: mistakes are collected, and [`Draft::freeze`] reports all of them.
#[derive(Clone, Default)]
pub struct Draft(Arc<Mutex<DraftState>>);

#[derive(Default)]
pub(crate) struct DraftState {
    pub(crate) naming: Naming,
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) stores: Vec<StoreNode>,
    pub(crate) sources: Vec<(NodeId, MakeSource)>,
    pub(crate) repartition: BTreeMap<String, Option<i32>>,
    pub(crate) copartition: Vec<BTreeSet<String>>,
    pub(crate) merged: BTreeMap<NodeId, NodeId>,
    pub(crate) null_keys: BTreeSet<NodeId>,
    /// How long aggregates by windows keep them open.
    pub(crate) grace: BTreeMap<NodeId, Duration>,
    /// Nodes that do not know from which topics they have their records.
    pub(crate) sourceless: BTreeSet<NodeId>,
    /// Nodes that are part of the operator below them.
    pub(crate) parts: BTreeSet<NodeId>,
    pub(crate) mistakes: Vec<TopologyError>,
    pub(crate) settings: TopologySettings,
    pub(crate) wrapper: Option<Arc<dyn ProcessorWrapper>>,
    at_build: Vec<Box<dyn FnOnce(&Draft) + Send>>,
}

impl Draft {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty topology whose settings are known from the start (Java's `TopologyConfig`).
    pub fn with_settings(settings: TopologySettings) -> Self {
        let draft = Draft::new();
        draft.state().settings = settings;
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
        self.state().wrapper = Some(wrapper);
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

    /// Adds a node. A second one of the same name is a mistake.
    pub fn add_node(&self, node: NodeSpec) -> NodeId {
        let mut state = self.state();
        if state.nodes.iter().any(|other| other.name == node.name) {
            state.mistakes.push(TopologyError::Invalid(format!("Processor {} is already added.", node.name)));
        }
        state.check_source(&node);
        let id = NodeId::new(state.nodes.len());
        state.nodes.push(node);
        id
    }

    /// Adds a source that will be merged into an earlier one of the same topics.
    pub fn add_merged_node(&self, node: NodeSpec) -> NodeId {
        let mut state = self.state();
        let id = NodeId::new(state.nodes.len());
        state.nodes.push(node);
        id
    }

    /// Gives `node` another name. An illegal one, or one that another node has, is a mistake.
    pub fn rename(&self, node: NodeId, name: &str) {
        let name = self.checked(name);
        let mut state = self.state();
        let taken = state.nodes.iter().enumerate().any(|(index, other)| index != node.index() && *other.name == *name);
        if taken {
            state.mistakes.push(TopologyError::Invalid(format!("Processor {name} is already added.")));
        }
        if let Some(spec) = state.nodes.get_mut(node.index()) {
            spec.name = name.into();
        }
    }

    /// Says what brings the source `node` to life in each task.
    pub fn add_source(&self, node: NodeId, make: MakeSource) {
        self.state().sources.push((node, make));
    }

    /// The source `later` reads what `first` reads: its children become children of `first`, and it disappears. The caller makes
    /// the ports follow.
    pub fn merge_source(&self, later: NodeId, first: NodeId) {
        let mut state = self.state();
        state.merged.insert(later, first);
        state.sources.retain(|(node, _)| *node != later);
    }

    /// Adds a store. One of the same name is a mistake, unless it is `same`: then its id is returned.
    pub fn add_store(&self, spec: StoreSpec) -> StoreId {
        let mut state = self.state();
        if let Some(index) = state.stores.iter().position(|store| store.spec.name == spec.name) {
            state.mistakes.push(TopologyError::Invalid(format!(
                "A different StateStore has already been added with the name {}",
                spec.name
            )));
            return StoreId::new(index);
        }
        let id = StoreId::new(state.stores.len());
        state.stores.push(StoreNode { spec, source_changelog: None, global: false, own: false });
        id
    }

    /// Adds a store of the user's, as [`Draft::add_store`] does.
    pub fn add_own_store(&self, spec: StoreSpec) -> StoreId {
        let store = self.add_store(spec);
        self.change_store(store, |store| store.own = true);
        store
    }

    /// Changes what is wanted of a store, as long as the topology is in the making.
    pub fn change_store(&self, store: StoreId, change: impl FnOnce(&mut StoreNode)) {
        if let Some(node) = self.state().stores.get_mut(store.index()) {
            change(node);
        }
    }

    /// What is wanted of a store now.
    pub fn store(&self, store: StoreId) -> Option<StoreNode> {
        self.state().stores.get(store.index()).cloned()
    }

    /// The store of this name.
    pub fn store_named(&self, name: &str) -> Option<StoreId> {
        self.state().stores.iter().position(|store| store.spec.name == name).map(StoreId::new)
    }

    /// Connects `store` to `node`.
    pub fn connect(&self, node: NodeId, store: StoreId) {
        if let Some(spec) = self.state().nodes.get_mut(node.index())
            && !spec.stores.contains(&store)
        {
            spec.stores.push(store);
        }
    }

    /// The stores connected to `node` now.
    pub fn stores_of(&self, node: NodeId) -> Vec<StoreId> {
        self.state().nodes.get(node.index()).map(|spec| spec.stores.clone()).unwrap_or_default()
    }

    /// The name of `node`.
    pub fn node_name(&self, node: NodeId) -> Arc<str> {
        self.state().nodes.get(node.index()).map_or_else(|| Arc::from(""), |spec| Arc::clone(&spec.name))
    }

    /// Joins below `node` do not ask which topics are read above it, so that nothing checks whether they have equally many
    /// partitions. It is so in Java below a suppression.
    pub fn forget_topics_above(&self, node: NodeId) {
        self.state().sourceless.insert(node);
    }

    /// The topics that the sources above `node` read by their names; internal ones without prefix.
    pub fn topics_above(&self, node: NodeId) -> BTreeSet<String> {
        let state = self.state();
        let (mut topics, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![node]);
        while let Some(node) = next.pop() {
            let Some(spec) = state.nodes.get(node.index()).filter(|_| seen.insert(node)) else { continue };
            topics.extend(spec.source_topics().iter().cloned());
            if !state.sourceless.contains(&node) {
                next.extend(spec.parents.iter().copied());
            }
        }
        topics
    }

    /// What `node` is.
    pub fn kind_of(&self, node: NodeId) -> Option<NodeKind> {
        self.state().nodes.get(node.index()).map(|spec| spec.kind.clone())
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.state().nodes.iter().position(|node| &*node.name == name).map(NodeId::new)
    }

    /// Declares an internal repartition topic, by its name without prefix.
    pub fn add_repartition_topic(&self, name: &str, partitions: Option<i32>) {
        self.state().repartition.insert(name.to_owned(), partitions);
    }

    /// These topics must have equally many partitions, and as many as those that share a group with one of them.
    pub fn copartition(&self, mut topics: BTreeSet<String>) {
        if topics.is_empty() {
            return;
        }
        let mut state = self.state();
        let (shared, others): (Vec<_>, Vec<_>) =
            state.copartition.drain(..).partition(|group| !group.is_disjoint(&topics));
        topics.extend(shared.into_iter().flatten());
        state.copartition = others;
        state.copartition.push(topics);
    }

    /// Null keys mean something to `node`: repartitions above it let them pass (KIP-962).
    pub fn keep_null_keys_above(&self, node: NodeId) {
        let mut state = self.state();
        let mut next = vec![node];
        while let Some(node) = next.pop() {
            if !state.null_keys.insert(node) {
                continue;
            }
            let Some(spec) = state.nodes.get(node.index()) else { continue };
            next.extend(spec.parents.iter().copied());
            // Past a repartition topic, what writes it.
            let read = spec.source_topics();
            let writes = |other: &NodeSpec| other.sink_topic().is_some_and(|topic| read.iter().any(|t| t == topic));
            let repartition = read.iter().any(|topic| state.repartition.contains_key(topic));
            let sinks = state.nodes.iter().enumerate().filter(|(_, other)| repartition && writes(other));
            next.extend(sinks.map(|(index, _)| NodeId::new(index)));
        }
    }

    /// Runs `work` when the topology is frozen, before anything is derived from it: for what depends on what came later.
    pub fn at_build(&self, work: impl FnOnce(&Draft) + Send + 'static) {
        self.state().at_build.push(Box::new(work));
    }

    /// The topology, frozen.
    ///
    /// # Errors
    /// All mistakes that were made.
    pub fn freeze(&self, settings: &TopologySettings) -> Result<Topology, TopologyErrors> {
        loop {
            let work = std::mem::take(&mut self.state().at_build);
            if work.is_empty() {
                break;
            }
            for work in work {
                work(self);
            }
        }
        let state = self.state();
        match TopologyErrors::of(state.mistakes.clone()) {
            Some(mistakes) => Err(mistakes),
            None => Ok(Topology::of(&state, settings)),
        }
    }
}

impl DraftState {
    /// Topics may be read by one source only, a pattern's included.
    fn check_source(&mut self, node: &NodeSpec) {
        let NodeKind::Source { topics, .. } = &node.kind else { return };
        let others = self.nodes.iter().filter_map(|other| match &other.kind {
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
                let words = || {
                    format!("Pattern {pattern} will match a topic that has already been registered by another source.")
                };
                matched.then(words).into_iter().collect()
            }
        };
        self.mistakes.extend(mistakes.into_iter().map(TopologyError::Invalid));
    }
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
    regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(topic))
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.state().nodes.iter().map(|node| &node.name)).finish()
    }
}
