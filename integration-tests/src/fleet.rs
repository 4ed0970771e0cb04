//! Several programs of one test, by name: whatever goes wrong is told with the logs of all of them.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::signal::Signal;

use crate::program::{Program, wait_for};

/// The programs that run, and the logs of those that have ended.
#[derive(Debug)]
pub struct Fleet {
    patience: Duration,
    running: BTreeMap<String, Program>,
    ended: Vec<(String, Vec<String>)>,
}

impl Fleet {
    /// No programs yet; `patience` ends a wait that will never come to it.
    pub fn new(patience: Duration) -> Self {
        Fleet { patience, running: BTreeMap::new(), ended: Vec::new() }
    }

    /// Starts a program under a name that none has that runs.
    pub fn start(&mut self, name: &str, command: &mut Command) -> Result<()> {
        ensure!(!self.running.contains_key(name), "{name} runs already");
        self.running.insert(name.to_owned(), Program::start(command)?);
        Ok(())
    }

    /// The names of those that run.
    pub fn names(&self) -> Vec<String> {
        self.running.keys().cloned().collect()
    }

    /// What a running program has written so far.
    pub fn log(&self, name: &str) -> Result<Vec<String>> {
        Ok(self.running.get(name).with_context(|| format!("{name} does not run"))?.log())
    }

    /// Sends SIGTERM, waits for the end, which must be a success, and returns what the program has written.
    pub fn terminate(&mut self, name: &str) -> Result<Vec<String>> {
        let program = self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        let (status, log) = program.terminate(self.patience)?;
        self.ended.push((name.to_owned(), log.clone()));
        ensure!(status.success(), "{name} ended with {status}");
        Ok(log)
    }

    /// Kills a program, which can do nothing about it, and returns what it had written.
    pub fn kill(&mut self, name: &str) -> Result<Vec<String>> {
        let program = self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        program.signal(Signal::SIGKILL)?;
        let (_, log) = program.wait(self.patience)?;
        self.ended.push((name.to_owned(), log.clone()));
        Ok(log)
    }

    /// Sends a running program a signal.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        self.running.get(name).with_context(|| format!("{name} does not run"))?.signal(signal)
    }

    /// Ends all that run.
    pub fn terminate_all(&mut self) -> Result<()> {
        self.names().iter().try_for_each(|name| self.terminate(name).map(drop))
    }

    /// An error when a program has ended by itself.
    pub fn all_run(&mut self) -> Result<()> {
        for (name, program) in &mut self.running {
            ensure!(program.runs()?, "{name} has ended by itself");
        }
        Ok(())
    }

    /// Waits until `found` gives something; a program that ends meanwhile is an error.
    pub fn wait_for<T>(&mut self, what: &str, mut found: impl FnMut(&Self) -> Result<Option<T>>) -> Result<T> {
        let patience = self.patience;
        wait_for(what, patience, || {
            self.all_run()?;
            found(self)
        })
    }

    /// Waits until `way` says that all is done: how much is, and how much there is to do. The patience begins anew with each step,
    /// so that a slow machine may take its time.
    pub fn wait_until_done(&mut self, what: &str, mut way: impl FnMut() -> Result<(i64, i64)>) -> Result<()> {
        let mut last = -1;
        loop {
            let (done, all) = self.wait_for(what, |_| {
                let (done, all) = way()?;
                Ok((done >= all || done > last).then_some((done, all)))
            })?;
            if done >= all {
                return Ok(());
            }
            last = done;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The result of a test, a failure with the logs of all programs.
    pub fn tell<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| anyhow!("{error:#}\n{}", self.logs()))
    }

    fn logs(&self) -> String {
        let ended = self.ended.iter().map(|(name, log)| format!("--- {name}, which has ended\n{}\n", log.join("\n")));
        let running = self.running.iter();
        let running = running.map(|(name, program)| format!("--- {name}, which runs\n{}\n", program.log().join("\n")));
        ended.chain(running).collect()
    }
}
