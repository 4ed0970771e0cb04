//! On what each statement is called: streams and tables share the names of operators.

use std::collections::BTreeMap;

use crate::scenario::{Scenario, Spec};

/// On what a statement is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The builder, or something that nobody made.
    Builder,
    /// A stream.
    Stream,
    /// A table.
    Table,
    /// A global table.
    GlobalTable,
    /// A stream that is grouped, windowed or cogrouped.
    GroupedStream,
    /// A table that is grouped.
    GroupedTable,
    /// A topology, by hand.
    Topology,
}

/// A statement, on what it is called, and what its `other` is.
#[derive(Clone, Copy, Debug)]
pub struct Used<'a> {
    /// On what.
    pub on: Place,
    /// What `other` names.
    pub other: Place,
    /// The statement.
    pub statement: Spec<'a>,
}

impl Used<'_> {
    /// Whether this joins these two.
    pub fn joins(&self, left: Place, right: Place) -> bool {
        let joins = matches!(self.statement.op(), "join" | "left_join" | "outer_join");
        joins && self.on == left && self.other == right
    }
}

/// All statements of a scenario with their places.
pub(super) struct Places<'a>(Vec<Used<'a>>);

impl<'a> Places<'a> {
    /// Follows the ids of a scenario.
    pub(super) fn of(scenario: &'a Scenario) -> Places<'a> {
        let mut ids: BTreeMap<&str, Place> = BTreeMap::new();
        let mut placed = Vec::new();
        for statement in scenario.dsl().into_iter().flatten() {
            let place = |field| statement.text(field).and_then(|id| ids.get(id)).copied().unwrap_or(Place::Builder);
            let (on, other) = (place("on"), place("other"));
            for branch in statement.objects("branches").chain(statement.object("default")) {
                if let Some(id) = branch.text("id") {
                    ids.insert(id, Place::Stream);
                }
            }
            if let Some(id) = statement.text("id") {
                ids.insert(id, made(on, statement.op()));
            }
            placed.push(Used { on, other, statement });
        }
        placed.extend(scenario.topology().map(|statement| Used {
            on: Place::Topology,
            other: Place::Builder,
            statement,
        }));
        Places(placed)
    }

    /// In order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Used<'a>> {
        self.0.iter().copied()
    }
}

/// What an operator makes.
fn made(on: Place, op: &str) -> Place {
    match op {
        "stream" | "to_stream" => Place::Stream,
        "global_table" => Place::GlobalTable,
        "table" | "to_table" | "count" | "reduce" | "aggregate" => Place::Table,
        "group_by" | "group_by_key" if on == Place::Table => Place::GroupedTable,
        "group_by" | "group_by_key" | "windowed_by" | "cogroup" => Place::GroupedStream,
        _ => on,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn operators_are_told_apart_by_what_they_are_called_on() {
        let text = r#"{"title": "t", "dsl": [
            {"op": "stream", "id": "s", "topic": "in"}, {"op": "filter", "id": "f", "on": "s"},
            {"op": "to_table", "id": "t", "on": "f"}, {"op": "filter", "id": "tf", "on": "t"},
            {"op": "group_by", "id": "g", "on": "tf"}, {"op": "count", "id": "c", "on": "g"},
            {"op": "to_stream", "id": "o", "on": "c"}, {"op": "to", "on": "o"}]}"#;
        let scenario = Scenario::parse(Path::new("a/b.json"), text).unwrap();
        let places: Vec<Place> = Places::of(&scenario).iter().map(|used| used.on).collect();
        let (stream, table) = (Place::Stream, Place::Table);
        assert_eq!(places, [Place::Builder, stream, stream, table, table, Place::GroupedTable, table, stream]);
    }
}
