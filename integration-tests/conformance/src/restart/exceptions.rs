//! Scenarios of which no restart can be judged, by name, each with the reason. At most fifty, and nothing else.

/// What a restart changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Whatever state is kept: nothing can be compared.
    Always,
    /// Where stores do not lie on disk and stay there: nothing can be compared then.
    WithoutDisk,
}

/// Scenarios with the same reason.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// What is lost, in the words it is counted under.
    pub reason: &'static str,
    /// What that changes.
    pub shows: Shows,
    /// `area/name`.
    pub scenarios: &'static [&'static str],
}

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "the order in which keys were read, which no changelog says, in Java too",
        shows: Shows::Always,
        scenarios: &["processor/commands-lru"],
    },
    Exception {
        reason: "the numbers of duplicates in memory, which are given anew, in Java too",
        shows: Shows::Always,
        scenarios: &["processor/window-commands-duplicates-in-memory"],
    },
    Exception {
        reason: "a store in memory or a buffer without changelog begins empty",
        shows: Shows::Always,
        scenarios: &["cogroup/in-memory-unlogged", "processor/counter-no-log", "suppress/final-unnamed-no-log"],
    },
    Exception {
        reason: "a store without changelog that is wiped begins empty",
        shows: Shows::WithoutDisk,
        scenarios: &[
            "aggregate/count-no-logging",
            "generated/drawn-1929",
            "generated/drawn-2302",
            "generated/drawn-57",
            "join-stream-stream/join-no-logging",
            "optimization/reuse-logging-off",
            "session/no-log",
            "versioned/commands-unlogged",
        ],
    },
];

/// The exception that names a scenario.
pub fn of(name: &str) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| exception.scenarios.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_short_and_names_scenarios_that_exist_once() {
        let mut names: Vec<&str> = EXCEPTIONS.iter().flat_map(|exception| exception.scenarios).copied().collect();
        assert!(names.len() <= 50, "{}", names.len());
        for name in &names {
            assert!(crate::suite::own_scenarios().join(format!("{name}.json")).is_file(), "{name}");
        }
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None);
    }
}
