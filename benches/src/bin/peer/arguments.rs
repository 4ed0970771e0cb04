//! The command line that `run.py` gives every contender.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Which topology.
    pub(crate) workload: String,
    /// `host:port`.
    pub(crate) bootstrap: String,
    /// The input topics.
    pub(crate) inputs: Vec<String>,
    /// The output topic; some workloads have none.
    pub(crate) output: Option<String>,
    /// `application.id`.
    pub(crate) application: String,
    /// `state.dir`.
    pub(crate) state_dir: PathBuf,
    /// Ends after so many processed records instead of at the end of the input.
    pub(crate) until: Option<u64>,
    /// Runs until SIGTERM and tells each change of state.
    pub(crate) serve: bool,
    /// Settings by Kafka's keys.
    pub(crate) settings: Vec<(String, String)>,
}

impl Arguments {
    /// From the process's own.
    pub(crate) fn parse() -> Result<Self> {
        Self::of(std::env::args().skip(1))
    }

    fn of(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let workload = words.next().context("the first argument names the workload")?;
        ensure!(!workload.starts_with("--"), "the first argument names the workload, not {workload}");
        let (mut bootstrap, mut inputs, mut state_dir) = (None, Vec::new(), None);
        let mut arguments = Arguments {
            application: format!("peer-{workload}"),
            workload,
            bootstrap: String::new(),
            inputs: Vec::new(),
            output: None,
            state_dir: PathBuf::new(),
            until: None,
            serve: false,
            settings: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| anyhow!("{word} needs a value"));
            let setting = match word.as_str() {
                "--cache" => Some("statestore.cache.max.bytes"),
                "--commit" => Some("commit.interval.ms"),
                "--threads" => Some("num.stream.threads"),
                "--standbys" => Some("num.standby.replicas"),
                _ => None,
            };
            if let Some(key) = setting {
                arguments.settings.push((key.to_owned(), value()?));
                continue;
            }
            match word.as_str() {
                "--bootstrap" => bootstrap = Some(value()?),
                "--in" => inputs = value()?.split(',').map(str::to_owned).collect(),
                "--out" => arguments.output = Some(value()?),
                "--app" => arguments.application = value()?,
                "--state-dir" => state_dir = Some(PathBuf::from(value()?)),
                "--until" => arguments.until = Some(value()?.parse().context("--until: it is a number of records")?),
                "--serve" => arguments.serve = true,
                "--eos" => arguments.set("processing.guarantee", "exactly_once_v2"),
                "--set" => {
                    let setting = value()?;
                    let (key, value) = setting.split_once('=').context("--set: it is key=value")?;
                    arguments.set(key, value);
                }
                _ => bail!("{word} is no argument of a contender"),
            }
        }
        ensure!(!inputs.is_empty(), "--in is missing");
        arguments.bootstrap = bootstrap.context("--bootstrap is missing")?;
        arguments.inputs = inputs;
        arguments.state_dir = state_dir.context("--state-dir is missing")?;
        Ok(arguments)
    }

    fn set(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
    }
}
