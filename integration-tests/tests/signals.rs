//! Which signals close an application, as Linux tells it of a real process.
#![allow(missing_docs, reason = "a test of real programs")]

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_integration_tests::program::{Program, wait_for};
use nix::sys::signal::Signal;

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(1);

fn bit(signal: Signal) -> u64 {
    1 << (signal as i32 - 1)
}

/// An application that waits for a broker which is not there, once it listens to signals. `nohup` or not, whatever these tests are
/// started by.
fn listening(nohup: bool, state: &std::path::Path) -> Result<Program> {
    let application = env!("CARGO_BIN_EXE_word_lengths");
    let mut command = Command::new(if nohup { "nohup" } else { "env" });
    if !nohup {
        command.arg("--default-signal=HUP");
    }
    command.args([application, "127.0.0.1:1", "lines", "lengths", "application.id=signals"]);
    command.arg(format!("state.dir={}", state.display()));
    let program = Program::start(&mut command)?;
    wait_for("it listens", PATIENCE, || {
        Ok((program.handled_and_ignored()?.0 & bit(Signal::SIGTERM) != 0).then_some(()))
    })?;
    Ok(program)
}

fn ends_well_by(signal: Signal, program: Program) -> Result<()> {
    program.signal(signal)?;
    let (status, log) = program.wait(PATIENCE)?;
    ensure!(status.success(), "{signal}: {status}:\n{}", log.join("\n"));
    Ok(())
}

#[test]
fn what_tells_a_process_to_end_closes_its_application() -> Result<()> {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        let state = tempfile::tempdir()?;
        ends_well_by(signal, listening(false, state.path())?)?;
    }
    Ok(())
}

#[test]
fn a_signal_that_the_process_was_started_to_ignore_stays_ignored() -> Result<()> {
    let state = tempfile::tempdir()?;
    let program = listening(true, state.path())?;
    let (handled, ignored) = program.handled_and_ignored()?;
    ensure!(ignored & bit(Signal::SIGHUP) != 0, "it is not ignored: {ignored:x}");
    ensure!(handled & bit(Signal::SIGHUP) == 0, "it is handled: {handled:x}");
    ends_well_by(Signal::SIGTERM, program)
}
