//! Installs packages with `apt-get` where that is allowed without a question, otherwise says what to type.

use std::process::Command;

use anyhow::{Result, bail};

use super::{Missing, privilege};
use crate::process;

/// Installs what is missing.
pub(super) fn packages(missing: &[Missing]) -> Result<()> {
    if process::output(Command::new("apt-get").arg("--version")).is_err() {
        bail!("{}", advice_elsewhere(missing));
    }
    let Some(prefix) = privilege() else {
        let names = names(missing, known_to_apt);
        bail!("set-up: please type\n\n  sudo apt-get update && sudo apt-get install -y {}\n", names.join(" "));
    };
    // The lists of a fresh image are empty; without network the packages may be in the cache all the same.
    if let Err(error) = process::run(&mut apt(prefix, &["update", "-q"])) {
        println!("setup: {error}");
    }
    let names = names(missing, known_to_apt);
    let words: Vec<&str> =
        ["install", "-y", "-q", "--no-install-recommends"].into_iter().chain(names.iter().copied()).collect();
    process::run(&mut apt(prefix, &words))
}

fn apt(prefix: &[&str], words: &[&str]) -> Command {
    let typed: Vec<&str> = prefix
        .iter()
        .copied()
        .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .chain(words.iter().copied())
        .collect();
    let (program, arguments) = typed.split_first().unwrap_or((&"apt-get", &[]));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn known_to_apt(name: &str) -> bool {
    process::output(Command::new("apt-cache").args(["show", "--no-all-versions", name])).is_ok()
}

/// Debian's packages for what is missing: of each, the first list that this release has, else the last.
fn names(missing: &[Missing], known: impl Fn(&str) -> bool) -> Vec<&'static str> {
    missing
        .iter()
        .filter_map(|one| one.debian.iter().find(|list| list.iter().all(|name| known(name))).or(one.debian.last()))
        .flat_map(|list| list.iter().copied())
        .collect()
}

fn advice_elsewhere(missing: &[Missing]) -> String {
    let lines: Vec<String> = missing
        .iter()
        .map(|one| {
            let debian = one.debian.last().copied().unwrap_or_default().join(" ");
            format!("  {} (Debian: {debian})", one.what)
        })
        .collect();
    format!("set-up: please install\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::super::{CXX, JDK, LIBCLANG};
    use super::*;

    #[test]
    fn packages_are_those_of_the_release() {
        let bookworm = names(&[LIBCLANG, JDK], |_| true);
        assert_eq!(bookworm, ["libclang1-14", "libclang-common-14-dev", "openjdk-17-jdk-headless"]);
        let later = names(&[CXX, LIBCLANG, JDK], |name| !name.contains("1-14") && !name.contains("17"));
        assert_eq!(later, ["g++", "libclang-dev", "default-jdk-headless"]);
        assert_eq!(names(&[LIBCLANG], |_| false), ["libclang-dev"]);
    }

    #[test]
    fn apt_never_asks() {
        let command = apt(&["sudo", "-n"], &["install", "-y", "g++"]);
        assert_eq!(process::typed(&command), "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y g++");
    }

    #[test]
    fn other_systems_are_told_what_is_missing() {
        assert!(advice_elsewhere(&[CXX]).contains("a C++ compiler"));
    }
}
