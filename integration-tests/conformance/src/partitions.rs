//! Programs as applications on several partitions, with two stream threads, against the same program on one.
//!
//! On one it runs on the test driver. [`plan`] says beforehand, from the program's operators and inputs, what of it is the same on
//! several partitions; what it cannot say that of is left out, with the reason. Neither run has record caches: what they hold
//! back depends on when is committed.

mod advance;
mod equal;
mod flow;
mod operators;
mod reason;
mod rule;
#[cfg(test)]
mod tests;

use anyhow::{Result, bail};
use headwater::record::Partition;

pub use self::flow::Told;
pub use self::reason::Reason;
pub use self::rule::{Plan, plan};

use self::equal::{Topics, compare};
use crate::differs;
use crate::interpret::{Cache, Feeding, Run, Spread, Stores, spread};
use crate::report::Verdict;
use crate::scenario::{Action, Scenario};
use crate::suite::{caught, outcome};

/// Scenarios in which a test driver does something else than an application, each with the reason.
pub const EXCEPTIONS: &[(&str, &str)] =
    &[("errors/deserialization-global", "a driver leaves out what a global table cannot read, in Java too")];

/// Runs a scenario's program on so many partitions and on one, unless it is left out, and compares.
pub fn judge(scenario: &Scenario, stores: Stores, partitions: Partition) -> Verdict {
    let name = scenario.name();
    let exception = EXCEPTIONS.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| *reason);
    if let Some(reason) = differs::reason(&name).or(exception) {
        return Verdict::Differs(reason.to_owned());
    }
    let plan = match plan(scenario, partitions) {
        Ok(plan) => plan,
        Err(reason) => return Verdict::Skipped(reason.to_owned()),
    };
    let left_out = plan.left_out;
    match difference(scenario, plan, stores, partitions) {
        Ok(None) => left_out.map_or(Verdict::Passed, |reason| Verdict::PassedInPart(reason.to_owned())),
        Ok(Some(found)) => Verdict::Failed(format!("{}: {}\n  {found}", scenario.file.display(), scenario.title)),
        Err(error) => Verdict::Failed(format!("{}: {}\n  {error:#}", scenario.file.display(), scenario.title)),
    }
}

/// The first difference between the program on so many partitions and on one.
fn difference(scenario: &Scenario, plan: Plan, stores: Stores, partitions: Partition) -> Result<Option<String>> {
    let Plan { steps, told, until_ms, at_once, left_out } = plan;
    let mut fed = scenario.clone();
    fed.steps = Some(steps);
    let whole = outcome(&fed, Run { stores, cache: Cache::Off, ..Run::default() })?;
    if let Some(error) = whole.error {
        bail!("on one partition: {error:?}");
    }
    let mut alone = Topics::new();
    for (topic, records) in whole.steps.into_iter().flatten().flatten() {
        alone.entry(topic).or_default().extend(records.into_iter().map(|record| (0, record)));
    }
    for feeding in [Feeding::OneByOne, Feeding::AtOnce].into_iter().take(1 + usize::from(at_once)) {
        let Spread { topics, tables } = caught(|| spread(&fed, stores, partitions, feeding))?;
        let mut told = told.clone();
        if left_out.is_none() {
            // A topic of the input may serve as changelog.
            let own = tables.into_iter().filter(|table| !inputs(&fed).any(|input| input == table));
            told.extend(own.map(|table| (table, Told::Last)));
        }
        if let Err(found) = compare(&told, until_ms, &alone, &topics) {
            return Ok(Some(format!("fed {feeding}: {found}")));
        }
    }
    Ok(None)
}

/// The topics of a scenario's input.
fn inputs(scenario: &Scenario) -> impl Iterator<Item = &String> {
    scenario.steps.iter().flatten().filter_map(|step| match &step.action {
        Action::Pipe(input) => Some(&input.topic),
        Action::AdvanceWallClock { .. } => None,
    })
}
