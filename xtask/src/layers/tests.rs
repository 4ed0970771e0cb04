//! Forbidden edges are found in made-up workspaces; the real table agrees with itself.

use super::*;

fn table() -> Table {
    Table::parse(include_str!("../../layers.toml")).expect("layers.toml is well formed")
}

/// A workspace in `/w` as `cargo metadata` would tell it: folders with the folders and packages that they use.
fn metadata(packages: &[(&str, &[&str])]) -> Value {
    let packages: Vec<Value> = packages
        .iter()
        .map(|(folder, uses)| {
            let dependencies: Vec<Value> = uses
                .iter()
                .map(|used| {
                    if used.contains('/') {
                        serde_json::json!({"name": "headwater-x", "path": format!("/w/{used}")})
                    } else {
                        serde_json::json!({"name": used})
                    }
                })
                .collect();
            serde_json::json!({"manifest_path": format!("/w/{folder}/Cargo.toml"), "dependencies": dependencies})
        })
        .collect();
    serde_json::json!({"workspace_root": "/w", "packages": packages})
}

fn check(workspace: &[(&str, &[&str])]) -> Vec<String> {
    findings(&table(), &packages(&metadata(workspace)).expect("metadata is read"))
}

#[test]
fn edges_of_the_design_are_allowed() {
    let found = check(&[
        ("crates/record", &["bytes"]),
        ("crates/store", &["crates/record", "crates/window"]),
        ("crates/client-kafka", &["crates/client", "kafka-protocol", "tokio"]),
        ("crates/store-rocksdb", &["crates/store", "rocksdb"]),
        ("crates/testing", &["crates/runtime", "crates/client-memory", "crates/store-memory"]),
        ("crates/headwater", &["crates/dsl", "crates/runtime", "tokio"]),
        ("integration-tests", &["crates/headwater", "crates/store-rocksdb"]),
        ("integration-tests/conformance", &["crates/headwater"]),
        ("xtask", &["anyhow"]),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn an_edge_that_is_never_allowed_fails_with_its_reason() {
    let found = check(&[("crates/runtime", &["crates/client-kafka"])]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("runtime -> client-kafka: never: "), "{found:?}");
}

#[test]
fn edges_up_and_sideways_fail() {
    let found = check(&[("crates/window", &["crates/store"]), ("crates/client-memory", &["crates/client-kafka"])]);
    assert_eq!(found.len(), 2);
    let found = check(&[("crates/store-memory", &["crates/topology"]), ("crates/record", &["crates/headwater"])]);
    assert_eq!(
        found,
        [
            "store-memory -> topology: points sideways within row 3",
            "record -> headwater: points up, from row 0 to row 6"
        ]
    );
}

#[test]
fn third_party_libraries_stay_where_they_belong() {
    let found = check(&[
        ("crates/runtime", &["kafka-protocol", "tokio"]),
        ("crates/headwater", &["rocksdb"]),
        ("integration-tests", &["kafka-protocol", "tokio"]),
    ]);
    let edges: Vec<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(
        edges,
        [
            "runtime -> kafka-protocol",
            "runtime -> tokio",
            "headwater -> rocksdb",
            "integration-tests -> kafka-protocol"
        ]
    );
}

#[test]
fn the_conformance_interpreter_sees_only_the_facade_and_nothing_sees_tools() {
    let found = check(&[("integration-tests/conformance", &["crates/runtime"]), ("crates/headwater", &["x/xtask"])]);
    assert_eq!(found.len(), 2);
    let found = check(&[("benches", &["benches/../xtask"]), ("crates/unheard-of", &[])]);
    assert_eq!(found.len(), 2);
    assert!(found[1].contains("has no row"), "{found:?}");
}

#[test]
fn a_table_that_contradicts_itself_fails() {
    let text = "
        third_party = []
        tools = {}
        crates.low = { row = 0, may = ['high'] }
        crates.high = { row = 1, may = ['low', 'nobody'] }
        [[never]]
        from = 'high'
        to = 'low'
        reason = 'so it is'
    ";
    let found = Table::parse(text).expect("well formed").contradictions();
    assert_eq!(
        found,
        [
            "layers.toml: high may use `nobody`, which has no row",
            "layers.toml: low -> high does not go down",
            "layers.toml: high -> low is both allowed and never allowed",
        ]
    );
}
