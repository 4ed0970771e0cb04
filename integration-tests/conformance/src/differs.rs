//! Scenarios whose mistake this library's types make impossible, each with the reason. At most ten, and nothing else.

/// `area/name` and why the program cannot be written here.
pub const DIFFERS: &[(&str, &str)] = &[
    ("topology/unknown-parent", "a parent is a handle that some node has given: there is none of an unknown node"),
    (
        "topology/self-parent",
        "a parent is a handle that some node has given: there is none of a node before it is added",
    ),
    ("topology/sink-as-parent", "a sink gives no handle, since nothing can be put below it"),
    ("errors/negative-grace", "a duration is never negative"),
    ("errors/sliding-negative", "a duration is never negative"),
];

/// Why a scenario cannot be written with this library; `None`: it can.
pub fn reason(name: &str) -> Option<&'static str> {
    DIFFERS.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_short_and_names_scenarios_that_exist() {
        assert!(DIFFERS.len() <= 10);
        let scenarios = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        for (name, reason) in DIFFERS {
            assert!(scenarios.join(format!("{name}.json")).is_file(), "{name}");
            assert!(!reason.is_empty(), "{name}");
        }
    }
}
