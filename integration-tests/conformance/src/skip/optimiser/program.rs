//! Draws the graph of a program: which nodes each operator adds, in Java's order.

use std::collections::BTreeMap;

use super::graph::{Graph, Place, Sort};
use crate::scenario::Spec;

/// What a statement's id stands for.
#[derive(Clone, Debug)]
enum Handle {
    Stream {
        at: Place,
        repartition_required: bool,
    },
    Table {
        at: Place,
    },
    /// A grouped stream, windowed or not.
    Grouped {
        at: Place,
        repartition_required: bool,
        /// The repartition topic's name was given: aggregations of this id share one repartition.
        named: bool,
        /// Under which id the shared repartition is found.
        id: String,
    },
    GroupedTable {
        at: Place,
    },
}

struct Drawing<'a> {
    graph: Graph,
    handles: BTreeMap<&'a str, Handle>,
    shared: BTreeMap<String, Place>,
    /// The last repartition for a join of each stream.
    for_joins: BTreeMap<Place, Place>,
}

/// Draws the statements of a builder. What it does not know (cogroups) stands alone: such programs do not run yet.
pub(super) fn draw<'a>(statements: impl Iterator<Item = Spec<'a>>) -> Graph {
    let mut drawing =
        Drawing { graph: Graph::new(), handles: BTreeMap::new(), shared: BTreeMap::new(), for_joins: BTreeMap::new() };
    for statement in statements {
        let made = drawing.statement(statement);
        if let (Some(id), Some(handle)) = (statement.text("id"), made) {
            drawing.handles.insert(id, handle);
        }
    }
    drawing.graph
}

/// Whether a statement's store has a name or supplier, so that it can be queried.
fn is_queryable(statement: Spec<'_>) -> bool {
    statement
        .object("materialized")
        .is_some_and(|materialized| materialized.has("store") || materialized.has("supplier"))
}

impl<'a> Drawing<'a> {
    fn statement(&mut self, statement: Spec<'a>) -> Option<Handle> {
        let root: Place = 0;
        match statement.op() {
            "stream" => {
                let at = self.graph.add(Sort::Plain, &[root]);
                return Some(Handle::Stream { at, repartition_required: false });
            }
            "table" => {
                let at = self.graph.add(Sort::Plain, &[root]);
                return Some(Handle::Table { at });
            }
            "add_state_store" => {
                self.graph.add(Sort::Plain, &[root]);
                return None;
            }
            _ => {}
        }
        match statement.text("on").and_then(|on| self.handles.get(on)).cloned()? {
            Handle::Stream { at, repartition_required } => self.on_stream(statement, at, repartition_required),
            Handle::Table { at } => Some(self.on_table(statement, at)),
            Handle::Grouped { at, repartition_required, named, id } => {
                Some(self.on_grouped(statement, at, repartition_required, named, id))
            }
            Handle::GroupedTable { at } => {
                let repartition = self.graph.add(Sort::Plain, &[at]);
                let at = self.graph.add(Sort::Plain, &[repartition]);
                Some(Handle::Table { at })
            }
        }
    }

    fn on_stream(&mut self, statement: Spec<'a>, at: Place, required: bool) -> Option<Handle> {
        let graph = &mut self.graph;
        let (sort, repartition_required) = match statement.op() {
            "select_key" | "map" | "flat_map" => (Sort::ChangesKey, true),
            "map_values" | "flat_map_values" | "process_values" => (Sort::ChangesValue, required),
            "process" => (Sort::Plain, true),
            "repartition" => (Sort::Plain, false),
            "split" => {
                self.split(statement, at, required);
                return None;
            }
            "merge" => {
                let other = statement.text("other").and_then(|other| self.handles.get(other));
                let Some(Handle::Stream { at: other, repartition_required }) = other else { return None };
                let at = graph.add(Sort::Merge, &[at, *other]);
                return Some(Handle::Stream { at, repartition_required: required || *repartition_required });
            }
            "join" | "left_join" | "outer_join" => return Some(self.join(statement, at, required)),
            "to_table" => {
                let generated = !statement.has("named");
                let parent = if required { graph.add(Sort::Repartition { generated }, &[at]) } else { at };
                let at = graph.add(Sort::Plain, &[parent]);
                return Some(Handle::Table { at });
            }
            op @ ("group_by" | "group_by_key") => {
                let by = op == "group_by";
                let at = if by { graph.add(Sort::ChangesKey, &[at]) } else { at };
                let named = statement.object("grouped").is_some_and(|grouped| grouped.has("name"));
                let id = statement.text("id").unwrap_or_default().to_owned();
                return Some(Handle::Grouped { at, repartition_required: by || required, named, id });
            }
            _ => (Sort::Plain, required),
        };
        let at = graph.add(sort, &[at]);
        Some(Handle::Stream { at, repartition_required })
    }

    fn join(&mut self, statement: Spec<'a>, at: Place, required: bool) -> Handle {
        let named = |option| statement.object(option).is_some_and(|option| option.has("name"));
        let other = statement.text("other").and_then(|other| self.handles.get(other)).cloned();
        match other {
            Some(Handle::Stream { at: other, repartition_required }) => {
                let left = self.repartition_for_join(at, required, named("stream_joined"));
                let right = self.repartition_for_join(other, repartition_required, named("stream_joined"));
                self.graph.add(Sort::Plain, &[left]);
                self.graph.add(Sort::Plain, &[right]);
                let at = self.graph.add(Sort::Plain, &[left, right]);
                Handle::Stream { at, repartition_required: false }
            }
            Some(Handle::Table { .. }) => {
                let parent = self.repartition_for_join(at, required, named("joined"));
                Handle::Stream { at: self.graph.add(Sort::Plain, &[parent]), repartition_required: false }
            }
            _ => Handle::Stream { at: self.graph.add(Sort::Plain, &[at]), repartition_required: required },
        }
    }

    /// Joins of a stream that do not name their repartition share the last one.
    fn repartition_for_join(&mut self, at: Place, required: bool, named: bool) -> Place {
        if !required {
            return at;
        }
        if let Some(last) = self.for_joins.get(&at).filter(|_| !named) {
            return *last;
        }
        let repartition = self.graph.add(Sort::Repartition { generated: !named }, &[at]);
        self.for_joins.insert(at, repartition);
        repartition
    }

    fn split(&mut self, statement: Spec<'a>, at: Place, repartition_required: bool) {
        let split = self.graph.add(Sort::Plain, &[at]);
        for branch in statement.objects("branches").chain(statement.object("default")) {
            let at = self.graph.add(Sort::Plain, &[split]);
            if let Some(id) = branch.text("id") {
                self.handles.insert(id, Handle::Stream { at, repartition_required });
            }
        }
    }

    fn on_table(&mut self, statement: Spec<'a>, at: Place) -> Handle {
        let graph = &mut self.graph;
        match statement.op() {
            "to_stream" => {
                let at = graph.add(Sort::Plain, &[at]);
                let selects = statement.has("key");
                let at = if selects { graph.add(Sort::ChangesKey, &[at]) } else { at };
                Handle::Stream { at, repartition_required: selects }
            }
            "group_by" => Handle::GroupedTable { at: graph.add(Sort::Plain, &[at]) },
            _ => Handle::Table { at: graph.add(Sort::Plain, &[at]) },
        }
    }

    fn on_grouped(
        &mut self,
        statement: Spec<'a>,
        at: Place,
        repartition_required: bool,
        named: bool,
        id: String,
    ) -> Handle {
        if !matches!(statement.op(), "count" | "reduce" | "aggregate") {
            return Handle::Grouped { at, repartition_required, named, id };
        }
        let graph = &mut self.graph;
        let shared = self.shared.get(&id).copied().filter(|_| named);
        let parent = match shared {
            _ if !repartition_required => at,
            Some(repartition) => {
                graph.attach(repartition, at);
                repartition
            }
            None => {
                let generated = !named && !is_queryable(statement);
                let repartition = graph.add(Sort::Repartition { generated }, &[at]);
                self.shared.insert(id, repartition);
                repartition
            }
        };
        let at = graph.add(Sort::Plain, &[parent]);
        Handle::Table { at }
    }
}
