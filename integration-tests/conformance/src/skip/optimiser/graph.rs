//! The logical graph, and the rule `merge.repartition.topics`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// A node's place in the graph; 0 is the root.
pub(super) type Place = usize;

/// What the optimiser sees in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Nothing.
    Plain,
    /// An operator that may change the key, and says so.
    ChangesKey,
    /// An operator that changes the value.
    ChangesValue,
    /// A merge of two streams.
    Merge,
    /// A repartition that may move; whether Java made up the topic's name.
    Repartition { generated: bool },
}

#[derive(Debug)]
struct Node {
    sort: Sort,
    parents: Vec<Place>,
    children: Vec<Place>,
    /// Of several additions of one node the last counts.
    priority: usize,
}

/// Nodes in the order of the program.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    additions: usize,
}

impl Graph {
    pub(super) fn new() -> Graph {
        let root = Node { sort: Sort::Plain, parents: Vec::new(), children: Vec::new(), priority: 0 };
        Graph { nodes: vec![root], additions: 1 }
    }

    pub(super) fn add(&mut self, sort: Sort, parents: &[Place]) -> Place {
        let place = self.nodes.len();
        self.nodes.push(Node { sort, parents: Vec::new(), children: Vec::new(), priority: 0 });
        for parent in parents {
            self.attach(place, *parent);
        }
        place
    }

    /// `addGraphNode`: a node may be added again, and is then built later.
    pub(super) fn attach(&mut self, place: Place, parent: Place) {
        let priority = self.additions;
        self.additions += 1;
        if let Some(node) = self.nodes.get_mut(place) {
            node.priority = priority;
            if !node.parents.contains(&parent) {
                node.parents.push(parent);
            }
        }
        if let Some(node) = self.nodes.get_mut(parent)
            && !node.children.contains(&place)
        {
            node.children.push(place);
        }
    }

    fn sort(&self, place: Place) -> Sort {
        self.nodes.get(place).map_or(Sort::Plain, |node| node.sort)
    }

    fn parents(&self, place: Place) -> &[Place] {
        self.nodes.get(place).map_or(&[], |node| &node.parents)
    }

    /// Whether `merge.repartition.topics` gives another topology: it does unless each group is one repartition whose topic the
    /// program names, right below its key changer, and building it that early leaves the order of building as it was.
    pub(super) fn merging_repartitions_changes_it(&self) -> bool {
        let mut early = BTreeMap::new();
        for (changer, repartitions) in self.groups() {
            for repartition in &repartitions {
                let stays = repartitions.len() == 1
                    && self.sort(*repartition) == Sort::Repartition { generated: false }
                    && self.parents(*repartition) == [changer];
                if !stays {
                    return true;
                }
                early.insert(*repartition, self.nodes.get(changer).map_or(0, |node| node.priority));
            }
        }
        self.build_order(&early) != self.build_order(&BTreeMap::new())
    }

    /// Per key changer, or merge below key changers, the repartitions that one repartition would replace.
    fn groups(&self) -> BTreeMap<Place, BTreeSet<Place>> {
        let places = || 0..self.nodes.len();
        let mut groups: BTreeMap<Place, BTreeSet<Place>> = places()
            .filter(|place| self.sort(*place) == Sort::ChangesKey)
            .map(|place| (place, BTreeSet::new()))
            .collect();
        for repartition in places().filter(|place| matches!(self.sort(*place), Sort::Repartition { .. })) {
            let changes_key = |place| self.sort(place) == Sort::ChangesKey;
            let nearest =
                self.ancestor(repartition, &|place| changes_key(place) || self.sort(place) == Sort::ChangesValue);
            let changer = self.ancestor(repartition, &changes_key);
            if let Some(changer) = changer.filter(|_| nearest == changer) {
                groups.entry(changer).or_default().insert(repartition);
            }
        }
        let below =
            |place: Place, of: Place| self.ancestor(place, &|ancestor| self.parents(ancestor).contains(&of)).is_some();
        let mut replaced = BTreeSet::new();
        let mut merged = BTreeMap::new();
        for merge in places().filter(|place| self.sort(*place) == Sort::Merge) {
            let mut together = BTreeSet::new();
            for (changer, repartitions) in &groups {
                if repartitions.iter().all(|repartition| below(*repartition, merge)) && below(merge, *changer) {
                    together.extend(repartitions);
                    replaced.insert(*changer);
                }
            }
            merged.insert(merge, together);
        }
        groups.extend(merged);
        groups.retain(|changer, _| !replaced.contains(changer));
        groups
    }

    /// Java's `findParentNodeMatching`: the node itself, a parent, or what the search above the last parent gives.
    fn ancestor(&self, place: Place, matches: &dyn Fn(Place) -> bool) -> Option<Place> {
        if matches(place) {
            return Some(place);
        }
        let mut found = None;
        for parent in self.parents(place) {
            if matches(*parent) {
                return Some(*parent);
            }
            found = self.ancestor(*parent, matches);
        }
        found
    }

    /// The order in which nodes are written, where some have another priority.
    fn build_order(&self, priorities: &BTreeMap<Place, usize>) -> Vec<Place> {
        let mut written = Vec::new();
        let mut queue = BinaryHeap::from([Reverse((0, 0))]);
        while let Some(Reverse((_, place))) = queue.pop() {
            if written.contains(&place) || !self.parents(place).iter().all(|parent| written.contains(parent)) {
                continue;
            }
            written.push(place);
            let Some(node) = self.nodes.get(place) else { continue };
            for child in &node.children {
                let own = self.nodes.get(*child).map_or(0, |child| child.priority);
                queue.push(Reverse((priorities.get(child).copied().unwrap_or(own), *child)));
            }
        }
        written
    }
}
