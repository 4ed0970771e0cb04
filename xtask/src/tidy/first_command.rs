//! The README's first command compiles within minutes: nothing heavy is among what it pulls in.

use std::path::Path;

use anyhow::Result;

use super::Finding;
use crate::{process, workspace};

const README: &str = "README.md";

/// Reads the command from the README and asks Cargo what it needs.
pub(super) fn check(root: &Path, banned: &[String]) -> Result<Vec<Finding>> {
    let readme = std::fs::read_to_string(root.join(README)).unwrap_or_default();
    let Some(selection) = selection(&readme) else {
        return Ok(vec![finding(
            "its first `cargo run` command names a package: `cargo run -p headwater ...`".to_owned(),
        )]);
    };
    let tree = process::output(workspace::cargo().arg("tree").args(&selection).args([
        "-e",
        "normal,build,dev",
        "--prefix",
        "none",
    ]))?;
    Ok(heavy(&tree, banned))
}

/// The words of the first `cargo run` that choose packages and features.
pub(super) fn selection(readme: &str) -> Option<Vec<String>> {
    let command =
        readme.lines().map(|line| line.trim().trim_start_matches("$ ")).find(|line| line.starts_with("cargo run"))?;
    let mut words = command.split_whitespace().take_while(|word| *word != "--");
    let mut selection = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-p" | "--package" | "-F" | "--features" => {
                selection.extend([word.to_owned(), words.next()?.to_owned()]);
            }
            "--no-default-features" | "--all-features" => selection.push(word.to_owned()),
            _ => {}
        }
    }
    selection.iter().any(|word| word == "-p" || word == "--package").then_some(selection)
}

/// Banned packages in the lines of `cargo tree --prefix none`.
pub(super) fn heavy(tree: &str, banned: &[String]) -> Vec<Finding> {
    let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    let found = names.into_iter().filter(|name| banned.iter().any(|banned| banned == name));
    found.map(|name| finding(format!("its first command compiles {name}"))).collect()
}

fn finding(message: String) -> Finding {
    Finding { path: README.to_owned(), line: 0, message }
}
