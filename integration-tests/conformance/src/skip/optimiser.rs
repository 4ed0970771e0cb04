//! Whether Java's optimiser would change the plan of a program.
//!
//! The program's logical graph is drawn as Java's `InternalStreamsBuilder` draws it, as far as `topology.optimization` looks
//! at it, and one of its three rules is asked: whether repartitions would move below the operator that changed the key. The
//! other two, about topics that tables are read from and streams joined with themselves, are there.

mod graph;
mod program;
#[cfg(test)]
mod tests;

use crate::scenario::Scenario;

/// Whether the settings ask for a rule that finds something to do.
pub(super) fn changes_the_plan(scenario: &Scenario) -> bool {
    let Some(rules) = scenario.setting("topology.optimization").filter(|_| scenario.build_config).and_then(Rules::read)
    else {
        return false;
    };
    let Some(statements) = scenario.dsl() else { return false };
    let drawn = program::draw(statements);
    rules.merge && drawn.merging_repartitions_changes_it()
}

#[derive(Clone, Copy)]
struct Rules {
    merge: bool,
}

impl Rules {
    /// The rules that a setting names; `None` when building refuses the setting.
    fn read(setting: &str) -> Option<Rules> {
        match setting {
            "none" => return Some(Rules { merge: false }),
            "all" => return Some(Rules { merge: true }),
            _ => {}
        }
        setting.split(',').map(str::trim).try_fold(Rules { merge: false }, |rules, name| match name {
            "reuse.ktable.source.topics" => Some(Rules { ..rules }),
            "merge.repartition.topics" => Some(Rules { merge: true }),
            "single.store.self.join" => Some(rules),
            _ => None,
        })
    }
}
