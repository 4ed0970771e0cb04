//! Random programs: the oracle draws them, Java runs them, and they run here until enough of them could.

use anyhow::{Result, bail};

use crate::oracle::Oracle;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;

/// Seeds that are drawn at a time: at least, and at most.
const BATCH: (usize, usize) = (20, 500);

/// Of so many programs none could run: then no later one will.
const HOPELESS: usize = 2_000;

/// How far a random run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Scenarios that ran.
    pub run: usize,
    /// Seeds that were drawn for them.
    pub drawn: usize,
}

/// Has `judge` judge scenarios of the seeds from `seed` on until `wanted` of them have run, not been skipped. When one fails, its
/// file is kept.
///
/// # Errors
/// When the oracle fails, or nothing that it draws can run.
pub fn run(
    wanted: usize,
    seed: u64,
    judge: impl Fn(&Scenario) -> Vec<Verdict>,
    report: &mut Report<'_>,
) -> Result<Drawn> {
    let oracle = Oracle::build()?;
    let mut folder = tempfile::Builder::new().prefix("headwater-random-").tempdir()?;
    let mut so_far = Drawn { run: 0, drawn: 0 };
    let mut next = seed;
    while so_far.run < wanted {
        if so_far.run == 0 && so_far.drawn >= HOPELESS {
            bail!("of {} random programs none could run", so_far.drawn);
        }
        let count = batch(wanted, so_far);
        let files = oracle.generate(next, count, folder.path())?;
        next += count as u64;
        for file in files {
            if so_far.run == wanted {
                break;
            }
            let scenario = Scenario::read(&file)?;
            let before = report.counts();
            for verdict in judge(&scenario) {
                report.add("random", verdict)?;
            }
            let after = report.counts();
            so_far.drawn += 1;
            so_far.run += usize::from(after.skipped == before.skipped);
            if after.failed == before.failed {
                std::fs::remove_file(&file)?;
            } else {
                folder.disable_cleanup(true);
            }
        }
    }
    Ok(so_far)
}

/// How many seeds to draw next: as many as the share that could run so far makes likely to be enough.
fn batch(wanted: usize, so_far: Drawn) -> usize {
    let missing = wanted.saturating_sub(so_far.run);
    let share = if so_far.run == 0 { 4 } else { so_far.drawn.div_ceil(so_far.run) };
    missing.saturating_mul(share).clamp(BATCH.0, BATCH.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_the_share_of_programs_that_can_run() {
        assert_eq!(batch(10, Drawn { run: 0, drawn: 0 }), 40);
        assert_eq!(batch(10, Drawn { run: 4, drawn: 40 }), 60);
        assert_eq!(batch(1_000, Drawn { run: 0, drawn: 0 }), 500);
        assert_eq!(batch(10, Drawn { run: 9, drawn: 20 }), 20);
    }
}
