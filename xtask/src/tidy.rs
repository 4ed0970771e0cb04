//! `cargo xtask tidy`: rules of the source that no compiler knows.
//!
//! What the rules forbid is data, in `xtask/tidy.toml`; files that were too long when the limit came are listed in
//! `xtask/tidy-ratchet.toml` with the length that they may have, which only shrinks.

mod documents;
mod first_command;
mod length;
mod paths;
mod safety;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{process, workspace};
use documents::Named;
use length::Ratchet;
use source::Source;

/// Folders whose Rust files the rules speak of.
const RUST: [&str; 4] = ["crates/", "xtask/", "integration-tests/", "benches/"];

/// `xtask/tidy.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Lines that a Rust file may have.
    file_length: usize,
    /// Parts of type names, with what to write instead.
    type_name_parts: std::collections::BTreeMap<String, String>,
    /// Kafka's own words, which stay whatever their parts.
    kafka_names: Vec<String>,
    /// Pieces of code, with what to write instead.
    code: std::collections::BTreeMap<String, String>,
    /// First folders of absolute paths that exist on one machine only.
    machine_folders: Vec<String>,
    /// Folders whose sub-folders are persons.
    home_folders: Vec<String>,
    registry_hosts: Vec<String>,
    /// Files that may name hosts: this list's own file and what Cargo writes.
    may_name_hosts: Vec<String>,
    /// Packages that the README's first command must not compile.
    not_in_first_command: Vec<String>,
}

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1; 0 speaks of the whole file.
    line: usize,
    message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.message),
            line => write!(out, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Reads every file under version control, and those that soon will be, and fails with all findings.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let rules: Rules = toml::from_str(&read(&root.join("xtask/tidy.toml"))?).context("xtask/tidy.toml")?;
    let ratchet = Ratchet::parse(&read(&root.join("xtask/tidy-ratchet.toml"))?)?;
    let sources = sources(&root)?;
    let mut findings = findings(&rules, &ratchet, &sources);
    findings.extend(first_command::check(&root, &rules.not_in_first_command)?);
    findings.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    if !findings.is_empty() {
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        bail!("tidy: {} findings\n  {}", lines.len(), lines.join("\n  "));
    }
    println!("tidy: {} files, nothing found", sources.len());
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn sources(root: &Path) -> Result<Vec<Source>> {
    let listed = process::output(std::process::Command::new("git").current_dir(root).args([
        // CI's checkout may belong to another user.
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let texts = listed.split('\0').filter(|path| !path.is_empty()).filter_map(|path| {
        // Deleted and not yet committed: nothing to say about those. Of what is not text, as pictures, documents name the path.
        let bytes = std::fs::read(root.join(path)).ok()?;
        Some(Source::new(path, String::from_utf8(bytes).unwrap_or_default()))
    });
    Ok(texts.collect())
}

fn findings(rules: &Rules, ratchet: &Ratchet, sources: &[Source]) -> Vec<Finding> {
    let mut found = ratchet.check(rules.file_length, sources);
    found.extend(settings::check(sources));
    let files = sources.iter().map(|source| source.path.as_str()).collect();
    let named = Named { files, sources, commands: crate::commands().collect() };
    for source in sources {
        found.extend(paths::check(rules, source));
        if source.is_document() {
            found.extend(documents::check(&named, source));
        }
        if source.is_rust() {
            found.extend(module_docs(source));
            found.extend(words::check(rules, source));
            found.extend(safety::check(source));
        }
    }
    found
}

fn module_docs(source: &Source) -> Option<Finding> {
    let documented = source.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 8);
    (!documented).then(|| source.finding(1, "the first line says what the file is for: `//! ...`"))
}
