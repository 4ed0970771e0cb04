//! What the library does not have yet, in one place: a scenario that uses any of it is skipped, and counted under it.

use crate::interpret::Stores;
use crate::scenario::{Scenario, Spec};

/// What comes later, by the name that a skipped scenario is counted under.
pub const LATER: &[(&str, Uses)] =
    &[("partitioner with headers", |statement| partitioners(statement).any(|chosen| chosen.contains("header:")))];

/// The name that a scenario is counted under that shows what window stores do only on disk, when it is run without one.
pub const ON_DISK: &str = "a window store on disk";

/// Whether a statement uses something.
pub type Uses = fn(Spec<'_>) -> bool;

/// Why a scenario cannot run yet; `None`: it can.
pub fn reason(scenario: &Scenario, stores: Stores) -> Option<&'static str> {
    let later = LATER.iter().find(|(_, uses)| scenario.statements().any(uses));
    let later = later.map(|(name, _)| *name);
    later.or_else(|| (stores == Stores::Memory && shows_disk_order(scenario)).then_some(ON_DISK))
}

/// Whether a processor lists the entries of a persistent window or session store: in memory they have another order.
fn shows_disk_order(scenario: &Scenario) -> bool {
    let lists = scenario
        .statements()
        .any(|statement| matches!(processor_type(statement), Some("window_commands" | "session_commands")));
    lists && scenario.statements().flat_map(described).any(|store| store.is("persistent"))
}

/// The stores that a statement describes.
fn described(statement: Spec<'_>) -> impl Iterator<Item = Spec<'_>> {
    let connected = statement.object("processor").map(|processor| processor.objects("connected_stores"));
    statement.object("store").into_iter().chain(connected.into_iter().flatten())
}

/// The partitioners of what a statement writes.
fn partitioners(statement: Spec<'_>) -> impl Iterator<Item = &str> {
    let options = ["produced", "repartitioned"].into_iter().filter_map(move |option| statement.object(option));
    options.filter_map(|option| option.text("partitioner"))
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
        reason(&Scenario::parse(Path::new("a/b.json"), &text).unwrap(), Stores::Memory)
    }

    #[test]
    fn the_order_of_a_persistent_window_store_is_only_shown_on_disk() {
        let reasons = |kind: &str, persistent: bool, processor: &str| {
            let text = format!(
                r#"{{"title": "t", "dsl": [{{"op": "add_state_store", "store": {{"kind": "{kind}", "persistent": {persistent}}}}},
                    {{"op": "process", "on": "a", "processor": {{"type": "{processor}"}}}}]}}"#
            );
            let scenario = Scenario::parse(Path::new("a/b.json"), &text).unwrap();
            (reason(&scenario, Stores::Memory), reason(&scenario, Stores::RocksDb))
        };
        assert_eq!(reasons("window", true, "window_commands"), (Some(ON_DISK), None));
        assert_eq!(reasons("session", true, "session_commands"), (Some(ON_DISK), None));
        assert_eq!(reasons("session", false, "session_commands"), (None, None));
        assert_eq!(reasons("kv", true, "kv_commands"), (None, None));
    }

    #[test]
    fn a_scenario_is_skipped_only_for_what_is_listed() {
        let cases = [
            (r#"{"op": "stream", "topic": "in"}"#, None),
            (
                r#"{"op": "table", "id": "a", "topic": "a"}, {"op": "left_join", "on": "a", "other": "a", "foreign_key": "v"}"#,
                None,
            ),
            (r#"{"op": "cogroup", "on": "a"}"#, None),
            (r#"{"op": "global_table", "topic": "g"}"#, None),
            (r#"{"op": "to", "produced": {"partitioner": "v > length"}}"#, None),
            (r#"{"op": "to", "produced": {"partitioner": "header:to"}}"#, Some("partitioner with headers")),
            (
                r#"{"op": "repartition", "repartitioned": {"partitioner": "header:to"}}"#,
                Some("partitioner with headers"),
            ),
            (r#"{"op": "add_global_store", "topic": "g"}"#, None),
            (r#"{"op": "add_read_only_state_store", "topic": "g"}"#, None),
            (r#"{"op": "add_state_store", "store": {"kind": "versioned"}}"#, None),
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
