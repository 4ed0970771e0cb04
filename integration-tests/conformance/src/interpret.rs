//! Builds a scenario's program through the public facade and runs it on the test driver.

mod cogrouped;
mod contents;
mod drive;
mod failure;
mod foreign_key;
mod function;
mod grouped;
mod hand;
mod join;
mod key;
mod option;
mod print;
mod processor;
mod program;
mod regrouped;
mod serde;
mod shape;
mod split;
mod spread;
mod store;
mod stream;
mod suppress;
mod table;
mod windowed;

use anyhow::{Context, Result};
use headwater::processor::TopologySettings;
use headwater::store::RowFormat;

use self::contents::Keeping;
pub use self::drive::{Cache, Cut, Run};
use self::print::Printout;
use self::program::Program;
pub use self::spread::{Feeding, Spread, spread};
use crate::outcome::Outcome;
use crate::scenario::Scenario;

/// What Java's recordings call the application.
const APPLICATION: &str = "app";

/// Which stores the programs get where they do not choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stores {
    /// Everything in memory.
    #[default]
    Memory,
    /// Persistent stores on RocksDB.
    RocksDb,
}

/// Runs a scenario whose operators are all there.
///
/// # Errors
/// When the scenario is none that the format knows, or the library did what no program should see.
pub fn run(scenario: &Scenario, run: Run) -> Result<Outcome> {
    let settings = settings(scenario, run.cache)?;
    let (program, shaping) = written(scenario, &settings)?;
    let mut outcome = Outcome::default();
    let topology = match program.build(scenario.build_config.then_some(&shaping)) {
        Ok(topology) => topology,
        Err(mistakes) => {
            outcome.error = Some(failure::of_building(&mistakes));
            return Ok(outcome);
        }
    };
    outcome.describe = Some(topology.describe().split('\n').map(str::to_owned).collect());
    outcome.branches = program.branches().clone();
    shape::read(&topology, &mut outcome)?;
    if let Some(steps) = &scenario.steps {
        // Stores are read as they will lie, which the driver's settings may say where those of the build do not.
        let topology = match scenario.setting("dsl.store.format") {
            Some(format) => topology.with_default_row_format(RowFormat::of_setting(format)),
            None => topology,
        };
        let keeping = program.keeping(&topology, Keeping::new(scenario, run.stores));
        drive::drive(topology, &settings, steps, scenario.start_ms, run, &keeping, &mut outcome)?;
        if outcome.error.is_none() {
            outcome.printed = program.prints.iter().map(Printout::lines).collect();
        }
    }
    Ok(outcome)
}

/// The program that a scenario writes, and the settings that shape its topology.
fn written<'a>(scenario: &'a Scenario, settings: &[(String, String)]) -> Result<(Program<'a>, TopologySettings)> {
    let shaping: TopologySettings = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut program = Program::new(scenario, &shaping)?;
    for statement in scenario.dsl().into_iter().flatten() {
        program.statement(statement).with_context(|| statement.to_string())?;
    }
    for operation in scenario.topology() {
        program.operation(operation).with_context(|| operation.to_string())?;
    }
    Ok((program, shaping))
}

/// The settings in the library's words: Java's names, the format's own values replaced.
fn settings(scenario: &Scenario, cache: Cache) -> Result<Vec<(String, String)>> {
    let value = |key: &str, value: &str| match (key, value) {
        ("deserialization.exception.handler", "continue") => Ok("LogAndContinueExceptionHandler".to_owned()),
        ("deserialization.exception.handler", "fail") => Ok("LogAndFailExceptionHandler".to_owned()),
        ("processing.exception.handler", "continue") => Ok("LogAndContinueProcessingExceptionHandler".to_owned()),
        ("processing.exception.handler", "fail") => Ok("LogAndFailProcessingExceptionHandler".to_owned()),
        ("deserialization.exception.handler" | "processing.exception.handler", other) => {
            anyhow::bail!("no handler `{other}`")
        }
        (_, value) => Ok(value.to_owned()),
    };
    let given = scenario.config.iter().map(|(key, given)| Ok((key.clone(), value(key, given)?)));
    let uncached = (cache == Cache::Off).then(|| Ok(("statestore.cache.max.bytes".to_owned(), "0".to_owned())));
    std::iter::once(Ok(("application.id".to_owned(), APPLICATION.to_owned()))).chain(given).chain(uncached).collect()
}
