//! Every scenario once more, cut at random steps: commit, close, start again over the same topics, with the state directory kept
//! or wiped. All that follows must be as it is without the restart.
//!
//! What an operator keeps to itself is not restored, here as in Java: its own stream time, by which it tells late records and
//! closed windows, the schedules of punctuators, and what closures hold. Where a run differs from the whole one, it must equal one
//! whose task was closed and made anew over the very same open stores: so much is lost, and nothing of what stores hold.
//!
//! Both runs have no record caches: a cache still shows what its store has forgotten, and a restart begins with an empty one, in
//! Java too.

use anyhow::Result;
use headwater::testing::StateOnDisk;

use crate::compare::compare;
use crate::interpret::{Cache, Cut, Run, Stores};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::suite::outcome;
use crate::{differs, skip};

/// Scenarios in which a restart shows, each with the reason. At most fifty, and nothing else.
pub const EXCEPTIONS: &[(&str, &str)] = &[
    ("processor/commands-lru", "a changelog does not say in which order keys were read, in Java too"),
    ("processor/window-commands-duplicates-in-memory", "duplicates are numbered anew, in Java too"),
];

/// Why no restart can be judged of a scenario with a store or a buffer without changelog.
const UNLOGGED: &str = "a store without changelog begins empty";

/// What is cut, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// With which state a program starts again.
    pub state: StateOnDisk,
    /// From which the places of the cuts are drawn.
    pub seed: u64,
    /// How many restarts each scenario is tried with, one at a time.
    pub count: usize,
}

/// A verdict for each cut of a scenario; none of one that has no steps.
pub fn judge(scenario: &Scenario, stores: Stores, cuts: Cuts) -> Vec<Verdict> {
    let name = scenario.name();
    let steps = scenario.steps.as_deref().unwrap_or_default();
    if steps.is_empty() {
        return Vec::new();
    }
    if let Some(reason) = skip::reason(scenario, stores) {
        return vec![Verdict::Skipped(reason.to_owned())];
    }
    let exception = EXCEPTIONS.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| *reason);
    let unlogged = scenario.statements().any(|statement| statement.to_string().contains("\"logging\":false"));
    let exception = exception.or_else(|| unlogged.then_some(UNLOGGED));
    if let Some(reason) = differs::reason(&name).or(exception) {
        return vec![Verdict::Differs(reason.to_owned())];
    }
    let run = |after: Option<(usize, StateOnDisk)>| {
        let cut = after.map(|(after, state)| Cut { after, state });
        outcome(scenario, Run { stores, cut, cache: Cache::Off })
    };
    let place = format!("{}: {}", scenario.file.display(), scenario.title);
    let whole = match run(None) {
        Ok(whole) => whole,
        Err(error) => return vec![Verdict::Failed(format!("{place}\n  {error:#}"))],
    };
    let verdict = |after: usize| -> Result<Option<String>> {
        let here = run(Some((after, cuts.state)))?;
        if compare(&whole, &here, steps).is_ok() {
            return Ok(None);
        }
        let anew = run(Some((after, StateOnDisk::HandedOver)))?;
        Ok(compare(&anew, &here, steps).err().map(|difference| difference.report(scenario)))
    };
    let told = |after: usize| {
        let of_cut = format!("{place}\n  restarted after step {after} with its state {:?}", cuts.state);
        match verdict(after) {
            Ok(None) => Verdict::Passed,
            Ok(Some(difference)) => Verdict::Failed(format!("{of_cut}\n{difference}")),
            Err(error) => Verdict::Failed(format!("{of_cut}\n  {error:#}")),
        }
    };
    places(&name, steps.len(), cuts).into_iter().map(told).collect()
}

/// After which steps a scenario of so many is cut: each place at most once, in order.
fn places(name: &str, steps: usize, cuts: Cuts) -> Vec<usize> {
    let mut state = name.bytes().fold(cuts.seed, |state, byte| next(state ^ u64::from(byte)));
    let mut all: Vec<usize> = (1..=steps).collect();
    let mut chosen = Vec::new();
    while chosen.len() < cuts.count && !all.is_empty() {
        state = next(state);
        chosen.push(all.swap_remove((state % all.len() as u64) as usize));
    }
    chosen.sort_unstable();
    chosen
}

/// The next of a row of numbers that look random (`SplitMix64`).
fn next(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_within_the_scenario_and_differ() {
        let cuts = Cuts { state: StateOnDisk::Wiped, seed: 7, count: 3 };
        assert_eq!(places("a/b", 2, cuts), [1, 2]);
        let many = places("a/b", 100, cuts);
        assert_eq!(many.len(), 3);
        assert!(many.iter().all(|place| (1..=100).contains(place)) && many.windows(2).all(|pair| pair[0] < pair[1]));
        assert_ne!(many, places("a/c", 100, cuts));
        assert_ne!(many, places("a/b", 100, Cuts { seed: 8, ..cuts }));
    }

    #[test]
    fn the_list_of_exceptions_is_short_and_names_scenarios_that_exist() {
        assert!(EXCEPTIONS.len() <= 50);
        for (name, reason) in EXCEPTIONS {
            assert!(crate::suite::own_scenarios().join(format!("{name}.json")).is_file(), "{name}");
            assert!(!reason.is_empty(), "{name}");
        }
    }
}
