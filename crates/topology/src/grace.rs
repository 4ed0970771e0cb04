//! For how long the windows of a table are kept open: asked of the aggregates above it (Java's `GraphGraceSearchUtil`).

use std::time::Duration;

use crate::graph::Graph;
use crate::node::{NodeKind, NodeSpec};
use crate::{Draft, NodeId, TopologyError};

impl Draft {
    /// `node` aggregates by windows, which take late records for so long after their end. For sessions it is the grace period and
    /// the inactivity gap together.
    pub fn set_grace(&self, node: NodeId, grace: Duration) {
        self.change_node(node, |node| node.grace = Some(grace));
    }

    /// `node` has no place of its own in Java's graph of operators: it belongs to the node below it, and errors do not name it.
    pub fn belongs_below(&self, node: NodeId) {
        self.change_node(node, |node| node.part_of_below = true);
    }

    /// For how long the windows of what leaves `node` are kept open after their end: the longest of all aggregates above it.
    ///
    /// # Errors
    /// [`TopologyError::Invalid`] when there is a way up from `node` that meets no windows.
    pub fn window_grace(&self, node: NodeId) -> Result<Duration, TopologyError> {
        self.state().graph.grace_above(node, &mut Vec::new())
    }
}

impl Graph {
    /// `path` leads from the node that was asked for to the one above which to look.
    fn grace_above(&self, node: NodeId, path: &mut Vec<NodeId>) -> Result<Duration, TopologyError> {
        if let Some(grace) = self.node(node).and_then(|spec| spec.grace) {
            return Ok(grace);
        }
        path.push(node);
        let parents = self.operators_above(node);
        if parents.is_empty() {
            return Err(self.unwindowed(path));
        }
        let mut longest = Duration::ZERO;
        for parent in parents {
            longest = longest.max(self.grace_above(parent, path)?);
        }
        path.pop();
        Ok(longest)
    }

    /// The parents of `node`; past a repartition topic, those of what writes it.
    fn operators_above(&self, node: NodeId) -> Vec<NodeId> {
        let is_sink = |spec: &NodeSpec| matches!(spec.kind, NodeKind::Sink { .. });
        let above = self.above(node).into_iter();
        above
            .flat_map(|id| match self.node(id) {
                Some(sink) if is_sink(sink) => sink.parents.clone(),
                _ => vec![id],
            })
            .collect()
    }

    fn unwindowed(&self, path: &[NodeId]) -> TopologyError {
        let specs = path.iter().rev().filter_map(|node| self.node(*node));
        let names = specs.filter(|spec| !spec.part_of_below).map(|spec| &*spec.name);
        let names: Vec<&str> = std::iter::once("root").chain(names).collect();
        TopologyError::Invalid(format!(
            "Window close time is only defined for windowed computations. Got [{}].",
            names.join("->")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(draft: &Draft, name: &str, parents: &[NodeId]) -> NodeId {
        draft.add_node(NodeSpec::processor(name, parents))
    }

    #[test]
    fn the_longest_grace_of_all_ways_up_counts() {
        let draft = Draft::new();
        let (short, long) = (node(&draft, "short", &[]), node(&draft, "long", &[]));
        draft.set_grace(short, Duration::from_millis(5));
        draft.set_grace(long, Duration::from_millis(7));
        let merge = node(&draft, "merge", &[short, long]);
        let below = node(&draft, "below", &[merge]);
        assert_eq!(draft.window_grace(below), Ok(Duration::from_millis(7)));
        assert_eq!(draft.window_grace(short), Ok(Duration::from_millis(5)));
    }

    #[test]
    fn a_way_up_without_windows_is_a_mistake_that_names_its_operators() {
        let draft = Draft::new();
        let windowed = node(&draft, "windowed", &[]);
        draft.set_grace(windowed, Duration::ZERO);
        let (source, table) = (node(&draft, "source", &[]), NodeId::new(2));
        draft.belongs_below(source);
        node(&draft, "table", &[source]);
        let merge = node(&draft, "merge", &[windowed, table]);
        let error = draft.window_grace(merge).unwrap_err().to_string();
        assert!(error.ends_with("windowed computations. Got [root->table->merge]."), "{error}");
    }
}
