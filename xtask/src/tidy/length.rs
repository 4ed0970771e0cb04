//! How long files may be, and the ratchet for those that already were longer.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Finding, Source};

/// A listed file may be this much shorter than its entry before the entry must follow.
const SLACK: usize = 20;

/// `xtask/tidy-ratchet.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ratchet {
    #[serde(default)]
    lines: BTreeMap<String, usize>,
}

impl Ratchet {
    pub(super) fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("xtask/tidy-ratchet.toml")
    }

    /// Files over the limit or over their entry, and entries that have nothing left to allow.
    pub(super) fn check(&self, limit: usize, sources: &[Source]) -> Vec<Finding> {
        let mut found = Vec::new();
        for source in sources.iter().filter(|source| source.is_rust()) {
            let lines = source.text.lines().count();
            let message = match self.lines.get(&source.path).copied() {
                None if lines > limit => format!("{lines} lines, {limit} are allowed: cut it where the idea changes"),
                Some(entry) if lines > entry => format!("{lines} lines, its ratchet allows {entry}: it only shrinks"),
                Some(_) if lines <= limit => "short enough now: take it off xtask/tidy-ratchet.toml".to_owned(),
                Some(entry) if lines + SLACK < entry => {
                    format!("{lines} lines: lower its entry of {entry} in xtask/tidy-ratchet.toml")
                }
                _ => continue,
            };
            found.push(source.finding(0, message));
        }
        for path in self.lines.keys().filter(|path| sources.iter().all(|source| source.path != **path)) {
            let message = "no such file: take it off xtask/tidy-ratchet.toml".to_owned();
            found.push(Finding { path: path.clone(), line: 0, message });
        }
        found
    }
}
