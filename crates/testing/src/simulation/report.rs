//! What came of a seed.

use std::fmt;

/// What kind of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A result that should be there is not.
    Lost,
    /// A result is there more often than it should be.
    Doubled,
    /// Results of one key are all there, in another order.
    Reordered,
    /// Readers of committed records see what was aborted.
    AbortedRead,
    /// Of what is written together to several topics only some is there.
    Torn,
    /// A result that should not be there at all: state was wrong when it was made.
    Wrong,
    /// A store holds something else than its changelog says.
    StateAgainstChangelog,
    /// An offset was committed beyond what was read, or went back.
    CommittedOffset,
    /// Records were deleted before they were processed for good.
    Purged,
    /// An instance ended by itself.
    Died,
    /// It did not come to rest within the bounded number of turns after the last fault.
    Stuck,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub kind: Kind,
    /// Where, and what was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// What came of one seed.
#[derive(Clone, Debug)]
#[must_use]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was drawn: guarantee, protocol, standbys.
    pub world: String,
    /// All promises that were broken.
    pub violations: Vec<Violation>,
    /// How often an instance died in the middle of a turn or between two.
    pub crashes: u32,
    /// How often one stood still in the middle of a turn.
    pub pauses: u32,
    /// How many faults of the cluster were planned.
    pub faults: u32,
    /// How many turns all instances took together.
    pub turns: u64,
    /// How many records were fed.
    pub fed: usize,
    /// What happened, line by line; empty unless it was [asked for](super::Simulation::traced).
    pub trace: String,
}

impl Report {
    /// Whether no promise was broken.
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, world, crashes, pauses, faults, turns, fed, .. } = self;
        let outcome = if self.passed() { "passed" } else { "failed" };
        write!(
            f,
            "seed {seed} {outcome}: {world}; {fed} records, {turns} turns, {crashes} crashes, {pauses} pauses, {faults} faults"
        )?;
        for violation in self.violations.iter().take(10) {
            write!(f, "\n  {violation}")?;
        }
        match self.violations.len().saturating_sub(10) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
