//! `cargo xtask simulate`: the simulator, and whether it finds bugs that were put back.
//!
//! Each file of `integration-tests/bugs` says in its first lines what the bug is, and takes a guard out of the product. The bugs are put
//! into a copy of the repository, one at a time; the product itself has no switch for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// So many seeds are tried before a bug counts as not found.
const SEEDS: &str = "3000";

/// A bug that can be put back.
#[derive(Debug)]
struct Bug {
    name: String,
    patch: PathBuf,
}

/// Runs the simulator with these arguments, or looks for bugs.
///
/// # Errors
/// When a seed fails, or a bug is not found.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["--bugs"] => find(""),
        ["--bugs", name] => find(name),
        arguments => {
            let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
            let mut command = simulator(&workspace::root());
            command.arg("--").args(["--jobs", &jobs]).args(arguments);
            process::run(&mut command)
        }
    }
}

fn simulator(root: &Path) -> Command {
    let mut command = workspace::cargo();
    command.current_dir(root);
    command.args(["run", "--quiet", "--profile", "simulate", "-p", "headwater-simulation", "--bin", "simulate"]);
    // The simulated disk writes many small files.
    if std::env::var_os("TMPDIR").is_none() && Path::new("/dev/shm").is_dir() {
        command.env("TMPDIR", "/dev/shm");
    }
    command
}

/// All bugs, in order.
fn bugs() -> Result<Vec<Bug>> {
    let folder = workspace::root().join("integration-tests/bugs");
    let mut bugs = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let patch = entry?.path();
        if patch.extension().is_some_and(|extension| extension == "patch") {
            let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            bugs.push(Bug { name, patch });
        }
    }
    bugs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(bugs)
}

/// Puts the bugs whose names contain `part` into a copy, one after the other, and has the simulator look for each.
fn find(part: &str) -> Result<()> {
    let copy = workspace::root().join("target/bugs");
    let bugs: Vec<Bug> = bugs()?.into_iter().filter(|bug| bug.name.contains(part)).collect();
    if bugs.is_empty() {
        bail!("no bug has {part:?} in its name");
    }
    copy_sources(&copy)?;
    let mut missed = Vec::new();
    for bug in &bugs {
        patch(&copy, bug, &[])?;
        let outcome = simulate(&copy);
        patch(&copy, bug, &["--reverse"])?;
        let said = outcome?;
        if let Some((after, violation)) = found(&said) {
            println!("{}: after {after} seeds, {violation}", bug.name);
        } else {
            println!("{}: not in {SEEDS} seeds", bug.name);
            missed.push(bug.name.as_str());
        }
    }
    if !missed.is_empty() {
        bail!("not found: {}", missed.join(", "));
    }
    println!("{} bugs, all found", bugs.len());
    Ok(())
}

/// Brings the sources that are under version control, and what tells Cargo of this machine, to `copy`. What is the same already stays as it
/// is, so that little has to be compiled.
fn copy_sources(copy: &Path) -> Result<()> {
    let root = workspace::root();
    let listed = process::output(Command::new("git").arg("ls-files").current_dir(&root))?;
    for name in listed.lines().chain([".cargo/local.toml"]) {
        let (from, to) = (root.join(name), copy.join(name));
        let Ok(content) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(copy))?;
        std::fs::write(&to, content).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

fn patch(root: &Path, bug: &Bug, how: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    // The copy lies within the repository, and is none of it.
    command.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root));
    command.arg("apply").args(how).arg(&bug.patch).current_dir(root);
    process::output(&mut command).with_context(|| format!("bug {} does not go with the sources", bug.name))?;
    Ok(())
}

fn simulate(copy: &Path) -> Result<String> {
    let mut command = simulator(copy);
    command.env("CARGO_TARGET_DIR", copy.join("target"));
    command.args(["--", "--until-failed", "--seeds", SEEDS]);
    let Output { stdout, stderr, .. } = command.output().context("cannot start the simulator")?;
    let said = String::from_utf8_lossy(&stdout).into_owned();
    if !said.contains(" passed, ") {
        bail!("the simulator did not come to an end:\n{}", String::from_utf8_lossy(&stderr));
    }
    Ok(said)
}

/// After how many seeds, and which violation.
fn found(said: &str) -> Option<(u64, String)> {
    let mut lines = said.lines().skip_while(|line| !line.contains(" failed: "));
    let failed = lines.next()?;
    let violation = if failed.contains("it panicked") { Some(failed) } else { lines.next() };
    let (passed, _) = said.lines().last()?.split_once(" passed, ")?;
    Some((passed.trim().parse::<u64>().ok()? + 1, violation?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_can_be_put_back() {
        let bugs = bugs().expect("there are bugs");
        assert!(bugs.len() >= 12, "{} bugs", bugs.len());
        for bug in &bugs {
            let checked = process::output(
                Command::new("git").args(["apply", "--check"]).arg(&bug.patch).current_dir(workspace::root()),
            );
            assert!(checked.is_ok(), "bug {} does not go with the sources: {checked:?}", bug.name);
            let said = std::fs::read_to_string(&bug.patch).expect("a patch is text");
            assert!(!said.starts_with("diff"), "bug {} does not say what it is", bug.name);
        }
    }

    #[test]
    fn what_the_simulator_says_of_the_first_seed_that_failed_is_read() {
        let said = "windows, seed 7 failed: exactly_once_v2\n  Lost: counts, key a\n  again: cargo\n8 seeds took 1.0 s\n7 passed, 1 failed\n";
        assert_eq!(found(said), Some((8, "Lost: counts, key a".to_owned())));
        assert_eq!(found("3000 seeds took 1.0 s\n3000 passed, 0 failed\n"), None);
    }
}
