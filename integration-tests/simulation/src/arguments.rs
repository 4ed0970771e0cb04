//! What is asked for.

use anyhow::{Context as _, Result, bail};

use crate::programs::PROGRAMS;

const USAGE: &str = "\
Usage: cargo xtask simulate [options]

  --seeds N         so many seeds (100)
  --from S          the first of them (0)
  --jobs J          so many at a time (1)
  --seed S --trace  one seed, and all that happens
  --program NAME    one application, and not one by each seed
  --until-failed    no more after the first that fails";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) from: u64,
    pub(crate) seeds: u64,
    pub(crate) jobs: u64,
    pub(crate) trace: bool,
    pub(crate) program: Option<String>,
    pub(crate) until_failed: bool,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// For what cannot be.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (from, seeds, jobs) = (0, 100, 1);
        let mut arguments = Arguments { from, seeds, jobs, trace: false, program: None, until_failed: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--seeds" => arguments.seeds = value()?.parse()?,
                "--from" => arguments.from = value()?.parse()?,
                "--jobs" => arguments.jobs = value()?.parse()?,
                "--seed" => (arguments.from, arguments.seeds) = (value()?.parse()?, 1),
                "--program" => arguments.program = Some(value()?),
                "--trace" => arguments.trace = true,
                "--until-failed" => arguments.until_failed = true,
                other => bail!("unknown argument {other}\n{USAGE}"),
            }
        }
        if let Some(name) = &arguments.program
            && PROGRAMS.iter().all(|(known, _)| known != name)
        {
            bail!("--program is one of {}", PROGRAMS.map(|(name, _)| name).join(", "));
        }
        Ok(arguments)
    }

    /// What a seed that is run again must be told besides.
    pub(crate) fn again(&self) -> String {
        self.program.as_ref().map(|name| format!(" --program {name}")).unwrap_or_default()
    }
}
