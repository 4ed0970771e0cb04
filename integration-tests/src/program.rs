//! Programs that a test starts, reads and ends, always by their process id.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running program whose standard error is kept. It is killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts `command`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(Program { child, log, reader: Some(reader) })
    }

    /// The lines that it has written to standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which signals it has a handler for, and which it ignores: a bit for each, from SIGHUP on, as Linux tells it.
    pub fn handled_and_ignored(&self) -> Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let bits = |name| {
            let bits = status.lines().find_map(|line| line.strip_prefix(name)).context("Linux tells it")?;
            Ok::<_, anyhow::Error>(u64::from_str_radix(bits.trim(), 16)?)
        };
        Ok((bits("SigCgt:")?, bits("SigIgn:")?))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(self, patience: Duration) -> Result<(ExitStatus, Vec<String>)> {
        self.signal(Signal::SIGTERM)?;
        self.wait(patience)
    }

    /// Waits for the end, to which it comes by itself, and for the last line.
    pub fn wait(mut self, patience: Duration) -> Result<(ExitStatus, Vec<String>)> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                // The end of the program is the end of its standard error.
                let _ = self.reader.take().map(JoinHandle::join);
                return Ok((status, self.log()));
            }
            if began.elapsed() > patience {
                bail!("the program did not end within {patience:?}:\n{}", self.log().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `found` gives something; the time-out only ends a run that will never come to it.
pub fn wait_for<T>(what: &str, patience: Duration, mut found: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = found()? {
            return Ok(found);
        }
        if began.elapsed() > patience {
            bail!("waited {patience:?} in vain: {what}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
