//! Finds scenarios and runs them, each on its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::compare::compare;
use crate::differs;
use crate::interpret::{self, Run, Stores};
use crate::outcome::Outcome;
use crate::report::Verdict;
use crate::scenario::Scenario;

/// The scenarios of this repository.
pub fn own_scenarios() -> PathBuf {
    package().join("scenarios")
}

/// This package's folder.
pub(crate) fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// The `.json` files below a folder, or the file itself, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| path.display().to_string())? {
        let inner = entry?.path();
        if inner.is_dir() {
            found.extend(files(&inner)?);
        } else if inner.extension().is_some_and(|ending| ending == "json") {
            found.push(inner);
        }
    }
    found.sort();
    Ok(found)
}

/// The scenarios below a path whose name or title contains the filter.
///
/// # Errors
/// When a file is no scenario, or nothing was found.
pub fn chosen(path: &Path, filter: Option<&str>) -> Result<Vec<Scenario>> {
    let mut chosen = Vec::new();
    for file in files(path)? {
        let scenario = Scenario::read(&file)?;
        if filter.is_none_or(|text| scenario.name().contains(text) || scenario.title.contains(text)) {
            chosen.push(scenario);
        }
    }
    if chosen.is_empty() {
        bail!("no scenario below {} fits", path.display());
    }
    Ok(chosen)
}

/// Runs one scenario, unless the language makes it impossible, and compares.
pub fn judge(scenario: &Scenario, stores: Stores) -> Verdict {
    if let Some(reason) = differs::reason(&scenario.name()) {
        return Verdict::Differs(reason.to_owned());
    }
    let place = format!("{}: {}", scenario.file.display(), scenario.title);
    let Some(java) = &scenario.expected else {
        return Verdict::Failed(format!("{place}\n  `expected` is missing: `conformance golden` records it"));
    };
    match outcome(scenario, Run { stores, ..Run::default() }) {
        Ok(here) => match compare(java, &here, scenario.steps.as_deref().unwrap_or_default()) {
            Ok(()) => Verdict::Passed,
            Err(difference) => Verdict::Failed(difference.report(scenario)),
        },
        Err(error) => Verdict::Failed(format!("{place}\n  {error:#}")),
    }
}

/// What comes of a scenario. A panic is an error.
pub(crate) fn outcome(scenario: &Scenario, run: Run) -> Result<Outcome> {
    caught(|| interpret::run(scenario, run))
}

/// What comes of a run. A panic is an error.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        bail!("panicked: {}", text.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_repository_is_read_and_recorded() {
        let files = files(&own_scenarios()).unwrap();
        assert!(files.len() > 700, "{}", files.len());
        for file in files {
            let scenario = Scenario::read(&file).unwrap();
            let expected = scenario.expected.unwrap_or_else(|| panic!("{} has no `expected`", file.display()));
            assert_eq!(crate::compare::compare(&expected, &expected, &[]), Ok(()), "{}", file.display());
        }
    }

    #[test]
    fn every_function_that_a_scenario_names_is_known() {
        use crate::expr::{Aggregator, Expr, Initializer, ListExpr, Predicate, Reducer};
        for file in files(&own_scenarios()).unwrap() {
            let scenario = Scenario::read(&file).unwrap();
            for statement in scenario.statements() {
                let each = |name: &str, parse: &dyn Fn(&str) -> Result<()>| {
                    if let Some(text) = statement.text(name) {
                        parse(text).unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
                    }
                };
                each("list", &|text| ListExpr::parse(text).map(drop));
                each("joiner", &|text| Expr::parse(text).map(drop));
                each("topic_expr", &|text| Expr::parse(text).map(drop));
                each("foreign_key", &|text| Expr::parse(text).map(drop));
                each("initializer", &|text| Initializer::parse(text).map(drop));
                each("aggregator", &|text| Aggregator::parse(text).map(drop));
                each("reducer", &|text| Reducer::parse(text).map(drop));
                each("merger", &|text| Reducer::parse(text).map(drop));
                each("predicate", &|text| Predicate::parse(text).map(drop));
                if matches!(statement.op(), "map" | "map_values" | "select_key" | "flat_map" | "group_by") {
                    each("key", &|text| Expr::parse(text).map(drop));
                    each("value", &|text| Expr::parse(text).map(drop));
                }
                for option in ["produced", "repartitioned", "table_joined"].map(|option| statement.object(option)) {
                    for partitioner in ["partitioner", "other_partitioner"] {
                        if let Some(text) = option.and_then(|option| option.text(partitioner)) {
                            Expr::parse(text).unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
                        }
                    }
                }
                for branch in statement.objects("branches") {
                    Predicate::parse(branch.need("predicate").unwrap()).unwrap();
                }
            }
        }
    }
}
