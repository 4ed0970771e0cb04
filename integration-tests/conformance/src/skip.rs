//! Which scenarios are left out on which stores: the library has all that they use.

use crate::interpret::Stores;
use crate::scenario::{Scenario, Spec};

/// The name that a scenario is counted under that shows what window stores do only on disk, when it is run without one.
pub const ON_DISK: &str = "a window store on disk";

/// Why a scenario is not run on these stores; `None`: it is.
pub fn reason(scenario: &Scenario, stores: Stores) -> Option<&'static str> {
    (stores == Stores::Memory && shows_disk_order(scenario)).then_some(ON_DISK)
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

fn processor_type(statement: Spec<'_>) -> Option<&str> {
    statement.object("processor").and_then(|processor| processor.text("type"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

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
}
