//! What the library does not have yet, in one place: a scenario that uses any of it is skipped, and counted under it.

mod optimiser;
mod place;

use place::Places;
pub use place::{Place, Used};

use crate::scenario::{Scenario, Spec};

/// Operators and kinds of stores that come later, by the name that a skipped scenario is counted under.
pub const LATER: &[(&str, Uses)] = &[
    ("foreign-key join", |used| used.statement.has("foreign_key")),
    ("join with grace", |used| used.statement.object("joined").is_some_and(|joined| joined.has("grace_ms"))),
    ("stream-stream join", |used| used.joins(Place::Stream, Place::Stream)),
    ("cogroup", |used| used.statement.op() == "cogroup"),
    ("windows", |used| used.statement.op() == "windowed_by"),
    ("versioned store", |used| kinds(used.statement).any(|kind| kind == "versioned")),
    ("window store", |used| kinds(used.statement).any(|kind| kind.contains("window"))),
    ("session store", |used| kinds(used.statement).any(|kind| kind == "session")),
    ("versioned commands", |used| processor_type(used.statement) == Some("versioned_commands")),
];

/// The name that a scenario is counted under whose plan the optimiser would change.
pub const OPTIMISER: &str = "optimiser";

/// Whether a statement uses something.
pub type Uses = fn(Used<'_>) -> bool;

/// Why a scenario cannot run yet; `None`: it can.
pub fn reason(scenario: &Scenario) -> Option<&'static str> {
    let placed = Places::of(scenario);
    let later = LATER.iter().find(|(_, uses)| placed.iter().any(uses));
    later.map(|(name, _)| *name).or_else(|| optimiser::changes_the_plan(scenario).then_some(OPTIMISER))
}

/// The kinds of the stores that a statement names, whether added, supplied or connected by a processor.
fn kinds(statement: Spec<'_>) -> impl Iterator<Item = &str> {
    let supplied = statement.object("materialized").and_then(|materialized| materialized.object("supplier"));
    let connected = statement.object("processor").map(|processor| processor.objects("connected_stores"));
    let stores = statement.object("store").into_iter().chain(supplied).chain(connected.into_iter().flatten());
    stores.filter_map(|store| store.text("kind"))
}

fn processor_type(statement: Spec<'_>) -> Option<&str> {
    statement.object("processor").and_then(|processor| processor.text("type"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn reason_of(dsl: &str) -> Option<&'static str> {
        let text = format!(r#"{{"title": "t", "dsl": [{dsl}]}}"#);
        reason(&Scenario::parse(Path::new("a/b.json"), &text).unwrap())
    }

    #[test]
    fn a_scenario_is_skipped_only_for_what_is_listed() {
        let cases = [
            (r#"{"op": "stream", "topic": "in"}"#, None),
            (
                r#"{"op": "table", "id": "a", "topic": "a"}, {"op": "left_join", "on": "a", "other": "a", "foreign_key": "v"}"#,
                Some("foreign-key join"),
            ),
            (r#"{"op": "cogroup", "on": "a"}"#, Some("cogroup")),
            (r#"{"op": "global_table", "topic": "g"}"#, None),
            (r#"{"op": "add_global_store", "topic": "g"}"#, None),
            (r#"{"op": "add_read_only_state_store", "topic": "g"}"#, None),
            (r#"{"op": "add_state_store", "store": {"kind": "versioned"}}"#, Some("versioned store")),
            (r#"{"op": "table", "materialized": {"supplier": {"kind": "versioned"}}}"#, Some("versioned store")),
            (
                r#"{"op": "process", "processor": {"connected_stores": [{"kind": "kv"}, {"kind": "versioned"}]}}"#,
                Some("versioned store"),
            ),
            (r#"{"op": "process", "processor": {"type": "versioned_commands"}}"#, Some("versioned commands")),
        ];
        for (statement, expected) in cases {
            assert_eq!(reason_of(statement), expected, "{statement}");
        }
    }

    #[test]
    fn names_are_listed_once() {
        let mut names: Vec<&str> = LATER.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LATER.len());
    }
}
