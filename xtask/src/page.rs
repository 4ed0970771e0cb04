//! `cargo xtask page`: the page of the query server in a browser, on a real broker.
//!
//! What drives the browser comes from npm, by the lock file beside the test, and lies in the cache.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::kafka::{self, Broker, Jars};
use crate::{process, rocksdb, setup, workspace};

/// What the test reads: the folder with the modules that drive Chromium. Without it the test says so and returns.
pub(crate) const VARIABLE: &str = "HEADWATER_PAGE_MODULES";

const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Looks at the page.
///
/// # Errors
/// When it does not show what there is.
pub(crate) fn run() -> Result<()> {
    setup::run(setup::Need::Everything)?;
    let modules = modules()?;
    rocksdb::run()?;
    let jars = Jars::fetch()?;
    let broker = Broker::start(&jars)?;
    let mut variables = kafka::variables(&broker.bootstrap(), &jars)?;
    variables.push((VARIABLE, modules));
    let test = ["test", "-p", "headwater-integration-tests", "--test", "page"];
    process::run(workspace::cargo().args(test).envs(variables))
}

/// The folder with the modules, installed unless the cache has those of the lock file, and a browser for them.
///
/// # Errors
/// When one of them is not there and cannot be installed.
pub(crate) fn modules() -> Result<String> {
    setup::run(setup::Need::Browser)?;
    let source = workspace::root().join("integration-tests/page");
    let folder = workspace::cache()?.join("page");
    if !is_of(&folder, &source)? {
        println!("page: installing what drives the browser");
        let partial = workspace::cache()?.join(format!("page.partial-{}", std::process::id()));
        let installed = install(&partial, &source).and_then(|()| replace(&folder, &partial));
        let _ = std::fs::remove_dir_all(&partial);
        installed?;
    }
    Ok(folder.display().to_string())
}

fn is_of(folder: &Path, source: &Path) -> Result<bool> {
    let [_, lock] = FILES;
    let wanted = std::fs::read(source.join(lock)).with_context(|| format!("cannot read {lock}"))?;
    let there = std::fs::read(folder.join(lock)).is_ok_and(|there| there == wanted);
    Ok(there && folder.join("node_modules").is_dir())
}

fn install(folder: &Path, source: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for file in FILES {
        std::fs::copy(source.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    // They need no scripts of their own: the browser is the system's.
    let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    process::run(Command::new("npm").current_dir(folder).args(words))
}

/// Another run may have done the same meanwhile.
fn replace(folder: &Path, partial: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    if std::fs::rename(partial, folder).is_err() && !folder.join("node_modules").is_dir() {
        anyhow::bail!("cannot move the modules to {}", folder.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_installed_anew_when_the_lock_file_is_another() {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let (source, folder) = (scratch.path().join("source"), scratch.path().join("cache"));
        std::fs::create_dir_all(&source).expect("a folder is made");
        std::fs::create_dir_all(folder.join("node_modules")).expect("folders are made");
        std::fs::write(source.join("package-lock.json"), "one").expect("a file is written");
        assert!(!is_of(&folder, &source).expect("it is read"));
        std::fs::write(folder.join("package-lock.json"), "one").expect("a file is written");
        assert!(is_of(&folder, &source).expect("it is read"));
        std::fs::write(source.join("package-lock.json"), "two").expect("a file is written");
        assert!(!is_of(&folder, &source).expect("it is read"));
    }
}
