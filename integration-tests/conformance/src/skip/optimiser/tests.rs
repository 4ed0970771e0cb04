//! Programs whose plan the optimiser changes, and programs whose plan it leaves alone.

use std::path::Path;

use super::*;

const STREAM: &str = r#"{"op": "stream", "id": "s", "topic": "in"}"#;
const TABLE: &str = r#"{"op": "table", "id": "t", "topic": "in"}"#;
const SELECT: &str = r#"{"op": "select_key", "id": "k", "on": "s", "key": "v"}"#;

fn changes(setting: &str, statements: &[&str]) -> bool {
    let text = format!(
        r#"{{"title": "t", "config": {{"topology.optimization": "{setting}"}}, "dsl": [{}]}}"#,
        statements.join(", ")
    );
    changes_the_plan(&Scenario::parse(Path::new("a/b.json"), &text).unwrap())
}

fn count(on: &str, store: &str) -> String {
    format!(r#"{{"op": "count", "on": "{on}", "materialized": {{"store": "{store}"}}}}"#)
}

fn group(id: &str, on: &str) -> String {
    format!(r#"{{"op": "group_by_key", "id": "{id}", "on": "{on}"}}"#)
}

#[test]
fn a_program_without_repartitions_and_table_stores_keeps_its_plan() {
    assert!(!changes("all", &[STREAM, &group("g", "s"), &count("g", "c")]));
    assert!(!changes("all", &[TABLE, r#"{"op": "to_stream", "id": "x", "on": "t"}"#]));
    assert!(!changes("all", &[STREAM, r#"{"op": "to_table", "on": "s"}"#]));
}

#[test]
fn a_source_table_with_a_store_is_no_reason() {
    let stored = r#"{"op": "table", "id": "t", "topic": "in", "materialized": {"store": "x"}}"#;
    assert!(!changes("all", &[stored]));
    assert!(!changes("reuse.ktable.source.topics", &[stored]));
}

#[test]
fn two_repartitions_below_one_key_changer_become_one() {
    let program = [STREAM, SELECT, &group("g", "k"), &count("g", "c"), &group("h", "k"), &count("h", "d")];
    assert!(changes("all", &program));
    assert!(changes("merge.repartition.topics, single.store.self.join", &program));
    assert!(!changes("reuse.ktable.source.topics", &program));
    assert!(!changes("none", &program));
    assert!(!changes("none,merge.repartition.topics", &program));
}

#[test]
fn one_named_repartition_right_below_its_key_changer_stays() {
    assert!(!changes("all", &[STREAM, SELECT, &group("g", "k"), &count("g", "c")]));
    let filter = r#"{"op": "filter", "id": "f", "on": "k", "predicate": "v > always"}"#;
    assert!(changes("all", &[STREAM, SELECT, filter, &group("g", "f"), &count("g", "c")]));
    let unnamed = r#"{"op": "count", "on": "g"}"#;
    assert!(changes("all", &[STREAM, SELECT, &group("g", "k"), unnamed]));
    let sink = r#"{"op": "to", "on": "k", "topic": "out"}"#;
    assert!(changes("all", &[STREAM, SELECT, sink, &group("g", "k"), &count("g", "c")]));
}

#[test]
fn a_value_changer_below_the_key_changer_and_an_explicit_repartition_hold_it_back() {
    let values = r#"{"op": "map_values", "id": "m", "on": "k", "value": "v"}"#;
    assert!(!changes("all", &[STREAM, SELECT, values, &group("g", "m"), &count("g", "c"), &group("h", "m")]));
    let explicit = r#"{"op": "repartition", "id": "r", "on": "k"}"#;
    assert!(!changes("all", &[STREAM, SELECT, explicit, &group("g", "r"), &count("g", "c")]));
}

#[test]
fn settings_that_build_does_not_get_change_nothing() {
    let program = [STREAM, SELECT, &group("g", "k"), &count("g", "c"), &group("h", "k"), &count("h", "d")].join(", ");
    let with = |build: bool| {
        let text = format!(
            r#"{{"title": "t", "config": {{"topology.optimization": "all"}}, "build_config": {build}, "dsl": [{program}]}}"#
        );
        changes_the_plan(&Scenario::parse(Path::new("a/b.json"), &text).unwrap())
    };
    assert!(with(true) && !with(false));
}
