//! Scenarios that a restart changes, by name, each with the reason. At most fifty, and nothing else.

/// So many scenarios may be listed.
pub const MOST: usize = 50;

/// So many are.
pub const LISTED: usize = {
    let (mut listed, mut left) = (0, EXCEPTIONS);
    while let [exception, others @ ..] = left {
        listed += exception.scenarios.len();
        left = others;
    }
    listed
};

const _: () = assert!(LISTED <= MOST, "too many exceptions");

/// What a restart changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Whatever state is kept: nothing can be compared.
    Always,
    /// Where stores do not lie on disk and stay there: nothing can be compared then.
    WithoutDisk,
    /// What an operator keeps to itself: a run that differs from the whole one must equal one over the very same open stores.
    InPart,
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
    Exception {
        reason: "when a join looked last for what has closed, which it forgets, in Java too",
        shows: Shows::InPart,
        scenarios: &[
            "generated/drawn-101963",
            "generated/seed-10",
            "generated/seed-11",
            "join-stream-stream/left-join-mixed-sides",
            "join-stream-stream/outer-join-asymmetric-close",
            "join-stream-stream/outer-join-mixed-sides",
            "join-stream-stream/outer-join-out-of-order-no-emit",
        ],
    },
    Exception {
        reason: "the numbers of records that wait for a grace period, which go on from those that wait still",
        shows: Shows::InPart,
        scenarios: &[
            "generated/seed-32",
            "join-stream-table/join-grace",
            "join-stream-table/join-grace-out-of-order",
            "join-stream-table/join-grace-zero",
            "join-stream-table/left-join-grace",
        ],
    },
    Exception {
        reason: "since when a task waits for an input (max.task.idle.ms), which begins anew, in Java too",
        shows: Shows::InPart,
        scenarios: &["headers-and-time/idle-pattern-and-topic"],
    },
    Exception {
        reason: "the schedules of punctuators, which begin anew, in Java too",
        shows: Shows::InPart,
        scenarios: &[
            "generated/seed-48",
            "processor/count-and-punctuate",
            "processor/punctuator-cancel",
            "processor/punctuator-start-future",
            "processor/punctuator-start-stream",
            "processor/punctuator-start-wall",
            "processor/stream-time-punctuator",
            "processor/wall-clock-punctuator",
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
    fn the_list_names_scenarios_that_exist_once() {
        let mut names: Vec<&str> = EXCEPTIONS.iter().flat_map(|exception| exception.scenarios).copied().collect();
        assert_eq!(names.len(), LISTED);
        for name in &names {
            assert!(crate::suite::own_scenarios().join(format!("{name}.json")).is_file(), "{name}");
        }
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None);
    }
}
