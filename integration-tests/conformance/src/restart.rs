//! Every scenario once more, cut at random steps: commit, close, start again over the same topics, with the state directory kept
//! or wiped. All that follows must be as it is without the restart.
//!
//! Stores are restored, and the stream time of operators is kept with the offsets. What else an operator keeps to itself is not,
//! here as in Java: when a join looked last for what has closed, the numbers of records that wait, the schedules of punctuators.
//! Scenarios that show it are on the list of [`exceptions`]; where such a run differs from the whole one, it must equal one whose
//! task was closed and made anew over the very same open stores: so much is lost, and nothing of what stores hold. Such a cut is
//! passed in part. Of the others on the list nothing can be said, and what is not on it must equal the whole run.
//!
//! Both runs have no record caches: a cache still shows what its store has forgotten, and a restart begins with an empty one, in
//! Java too.

pub mod exceptions;

use anyhow::Result;
use headwater::testing::StateOnDisk;

use crate::compare::compare;
use crate::differs;
use crate::interpret::{Cache, Cut, Run, Stores};
use crate::report::Verdict;
use crate::scenario::Scenario;
use crate::suite::outcome;

use self::exceptions::Shows;

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
    let exception = exceptions::of(&name);
    let stays_on_disk = stores == Stores::RocksDb && cuts.state == StateOnDisk::Kept;
    let undefined = exception.filter(|exception| match exception.shows {
        Shows::Always => true,
        Shows::WithoutDisk => !stays_on_disk,
        Shows::InPart => false,
    });
    if let Some(reason) = differs::reason(&name).or(undefined.map(|exception| exception.reason)) {
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
    let verdict = |after: usize| -> Result<Verdict> {
        let here = run(Some((after, cuts.state)))?;
        let mut compared = compare(&whole, &here, steps);
        if let (Err(_), Some(exception)) = (&compared, exception.filter(|listed| listed.shows == Shows::InPart)) {
            let anew = run(Some((after, StateOnDisk::HandedOver)))?;
            compared = compare(&anew, &here, steps);
            if compared.is_ok() {
                return Ok(Verdict::PassedInPart(exception.reason.to_owned()));
            }
        }
        Ok(match compared {
            Ok(()) => Verdict::Passed,
            Err(difference) => Verdict::Failed(format!(
                "{place}\n  restarted after step {after} with its state {:?}\n{}",
                cuts.state,
                difference.report(scenario)
            )),
        })
    };
    let told = |after: usize| {
        verdict(after).unwrap_or_else(|error| Verdict::Failed(format!("{place}, step {after}\n  {error:#}")))
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
}
