//! `merge.repartition.topics`: one repartition right below the operator that changes the key, in the place of those that the
//! operators further below need (Java's `InternalStreamsBuilder#mergeRepartitionTopics`).

use std::sync::Arc;

use super::Plan;
use super::operators::Operators;
use crate::node::repartition::{MakeRepartition, Movable};
use crate::node::{Effect, NodeSpec, SinkTopic, SourceTopics};
use crate::port::{AnyMake, Listener, edge_of};
use crate::{NodeId, TopologyError};

/// Operators that change keys, or merges below them, with the filters of the repartitions that one is to replace.
type Groups = Vec<(NodeId, Vec<NodeId>)>;

pub(super) fn apply(plan: &mut Plan) -> Result<(), TopologyError> {
    for (changer, repartitions) in groups(plan) {
        if !repartitions.is_empty() {
            merge(plan, changer, &repartitions)?;
        }
    }
    Ok(())
}

fn groups(plan: &Plan) -> Groups {
    let operators = plan.operators();
    let effect = |operator| plan.graph.node(operator).map_or(Effect::Plain, |spec| spec.effect);
    let mut groups: Groups = Vec::new();
    let mut merges = Vec::new();
    for operator in operators.all() {
        match effect(operator) {
            Effect::ChangesKey => groups.push((operator, Vec::new())),
            Effect::Merges => merges.push(operator),
            _ if plan.movable(operator).is_some() => {
                let changes = |above| matches!(effect(above), Effect::ChangesKey | Effect::ChangesValue);
                let nearest = operators.find(operator, &changes);
                let changer = operators.find(operator, &|above| effect(above) == Effect::ChangesKey);
                if let Some((_, repartitions)) =
                    groups.iter_mut().find(|(other, _)| Some(*other) == changer && nearest == changer)
                {
                    repartitions.push(operator);
                }
            }
            _ => {}
        }
    }
    below_merges(&operators, groups, &merges)
}

/// The groups where merges stand for the operators above them, if all that those would repartition is below the merge.
fn below_merges(operators: &Operators, mut groups: Groups, merges: &[NodeId]) -> Groups {
    let below = |operator, of| operators.find(operator, &|above| operators.is_child(above, of)).is_some();
    let (mut merged, mut replaced): (Groups, Vec<NodeId>) = (Vec::new(), Vec::new());
    for merge in merges {
        let mut together: Vec<NodeId> = Vec::new();
        for (changer, repartitions) in &groups {
            if repartitions.iter().all(|repartition| below(*repartition, *merge)) && below(*merge, *changer) {
                let others = repartitions.iter().filter(|repartition| !together.contains(repartition));
                together.extend(others.copied().collect::<Vec<_>>());
                replaced.push(*changer);
            }
        }
        merged.push((*merge, together));
    }
    groups.retain(|(changer, _)| !replaced.contains(changer));
    groups.extend(merged);
    groups
}

/// The repartition that stands for others, while they move below it.
struct Merged {
    filter: NodeId,
    source: NodeId,
    topic: String,
    /// What brings its filter to life; its source hands on the same edge.
    make: AnyMake,
    /// The filter as a child of the operator above it, which is known with the first operator that moves.
    below: Option<Listener>,
}

/// Puts one repartition below `changer` in the place of those that begin with `repartitions`.
fn merge(plan: &mut Plan, changer: NodeId, repartitions: &[NodeId]) -> Result<(), TopologyError> {
    let replaced: Vec<Movable> = repartitions.iter().filter_map(|filter| plan.movable(*filter)).collect();
    let Some((first, others)) = replaced.split_first() else { return Ok(()) };
    let mut merged = add(plan, &first.topic, &*first.make.merged(others), changer);
    for filter in repartitions {
        let Some(replaced) = plan.movable(*filter) else { continue };
        let operators = plan.operators();
        let child = operators.find(*filter, &|above| operators.is_child(above, changer));
        let Some(child) = child else { return Err(no_child(plan, &replaced)) };
        for node in operators.nodes(child) {
            // Of a node to which null keys mean something, all that is above knows.
            let keeps_null_keys = plan.graph.node(*node).is_some_and(|spec| spec.keeps_null_keys);
            move_below(plan, *node, changer, &mut merged)?;
            if let Some(filter) = plan.graph.node_mut(merged.filter) {
                filter.keeps_null_keys |= keeps_null_keys;
            }
        }
        leave_out(plan, *filter, &replaced);
        plan.graph.repartition.remove(&replaced.topic);
        rename_copartitioned(plan, &replaced.topic, &merged.topic);
    }
    plan.graph.repartition.insert(merged.topic.clone(), None);
    if let Some(below) = merged.below {
        plan.attach(merged.filter, changer, below);
    }
    Ok(())
}

/// Adds a repartition through `topic`, below nothing yet.
fn add(plan: &mut Plan, topic: &str, make: &dyn MakeRepartition, changer: NodeId) -> Merged {
    let priority = plan.graph.node(changer).map_or(0, |spec| spec.priority);
    let mut add = |node: NodeSpec| {
        let id = NodeId::new(plan.graph.nodes.len());
        plan.graph.nodes.push(NodeSpec { priority, ..node });
        id
    };
    let filter = NodeSpec::processor(format!("{topic}-filter"), []);
    let filter = add(NodeSpec { part_of_below: true, ..filter });
    let sink = add(NodeSpec::sink(format!("{topic}-sink"), SinkTopic::Named(topic.to_owned()), [filter]));
    let source = add(NodeSpec::source(format!("{topic}-source"), SourceTopics::Named(vec![topic.to_owned()]), None));
    if let Some(spec) = plan.graph.node_mut(filter) {
        spec.listeners.push(Listener { child: sink, make: make.sink(sink), seen_as: None });
    }
    if let Some(spec) = plan.graph.node_mut(source) {
        spec.source = Some(make.source(source));
    }
    Merged { filter, source, topic: topic.to_owned(), make: make.filter(filter), below: None }
}

/// Moves `node` from below `changer`, if it is there, to below the source of `merged`.
fn move_below(plan: &mut Plan, node: NodeId, changer: NodeId, merged: &mut Merged) -> Result<(), TopologyError> {
    let Some(listener) = plan.detach(node, changer) else { return Ok(()) };
    let (adapted, edge) = (listener.adapted(), edge_of(&merged.make));
    let same_above = adapted.as_ref().is_some_and(|make| edge_of(make) == edge);
    let moved = if edge_of(&listener.make) == edge {
        Listener { seen_as: None, ..listener.clone() }
    } else if let Some(make) = adapted.filter(|_| same_above) {
        Listener { child: node, make, seen_as: None }
    } else {
        return Err(other_type(plan, node, changer, &merged.topic));
    };
    let seen_as = if same_above { None } else { listener.seen_as };
    merged.below.get_or_insert(Listener { child: merged.filter, make: Arc::clone(&merged.make), seen_as });
    plan.attach(node, merged.source, moved);
    Ok(())
}

/// Puts what is below the repartition `replaced` below what is above it.
fn leave_out(plan: &mut Plan, filter: NodeId, replaced: &Movable) {
    let parents = plan.graph.node(filter).map(|spec| spec.parents.clone()).unwrap_or_default();
    let children = plan.graph.node(replaced.source).map(|spec| spec.listeners.clone()).unwrap_or_default();
    for parent in parents {
        let Some(above) = plan.detach(filter, parent) else { continue };
        for child in &children {
            plan.attach(child.child, parent, child.behind(above.seen_as.as_ref()));
        }
    }
    for child in &children {
        plan.detach(child.child, replaced.source);
    }
    plan.gone.extend([filter, replaced.sink, replaced.source]);
}

fn rename_copartitioned(plan: &mut Plan, from: &str, to: &str) {
    for group in &mut plan.graph.copartition {
        if group.remove(from) {
            group.insert(to.to_owned());
        }
    }
}

/// Where Java fails too: another repartition has taken along what is below the operator that changes the key.
fn no_child(plan: &Plan, replaced: &Movable) -> TopologyError {
    let name = plan.graph.node(replaced.source).map_or_else(|| Arc::from(""), |spec| Arc::clone(&spec.name));
    TopologyError::Plan(format!(
        "Found a null keyChangingChild node for OptimizableRepartitionNode {name}: `merge.repartition.topics` cannot merge this repartition with another one that is reached by the same way, below a filter, a branch or merges; repartition before they part, with `repartition`, or leave this optimization out"
    ))
}

fn other_type(plan: &Plan, node: NodeId, changer: NodeId, topic: &str) -> TopologyError {
    let name = |node| plan.graph.node(node).map_or_else(|| Arc::from(""), |spec| Arc::clone(&spec.name));
    TopologyError::Plan(format!(
        "`merge.repartition.topics` would write what {} hands to {} to {topic}, whose records have another type by then; repartition right below {}, with `repartition`, or leave this optimization out",
        name(changer),
        name(node),
        name(changer)
    ))
}

impl Plan {
    fn operators(&self) -> Operators {
        Operators::of(&self.graph, &self.gone)
    }

    fn movable(&self, filter: NodeId) -> Option<Movable> {
        self.graph.node(filter)?.movable.clone()
    }

    /// Makes `child` a child of `parent`, unless it is one.
    fn attach(&mut self, child: NodeId, parent: NodeId, listener: Listener) {
        let Some(below) = self.graph.node_mut(child) else { return };
        if below.parents.contains(&parent) {
            return;
        }
        below.parents.push(parent);
        if let Some(above) = self.graph.node_mut(parent) {
            above.listeners.push(listener);
        }
    }

    /// Makes `child` no child of `parent` any more; how it was one.
    fn detach(&mut self, child: NodeId, parent: NodeId) -> Option<Listener> {
        let below = self.graph.node_mut(child)?;
        below.parents.retain(|other| *other != parent);
        let above = self.graph.node_mut(parent)?;
        let at = above.listeners.iter().position(|listener| listener.child == child)?;
        Some(above.listeners.remove(at))
    }
}
