//! `layers.toml`, read: who may use whom.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The allowed edges as data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// The crates, by folder name below `crates/`.
    crates: BTreeMap<String, Crate>,
    /// Tools and proofs, by folder; nothing depends on them.
    tools: BTreeMap<String, Tool>,
    never: Vec<Never>,
    third_party: Vec<ThirdParty>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Crate {
    row: u8,
    may: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    /// Crates; `*` is any.
    may: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Never {
    from: String,
    to: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThirdParty {
    packages: Vec<String>,
    only_in: Vec<String>,
    /// First and last row that the rule speaks of; without it every package of the workspace.
    rows: Option<[u8; 2]>,
    reason: String,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    pub(super) fn knows(&self, place: &str) -> bool {
        self.crates.contains_key(place) || self.tools.contains_key(place)
    }

    pub(super) fn allows(&self, from: &str, to: &str) -> bool {
        let may = match (self.crates.get(from), self.tools.get(from)) {
            (Some(one), _) => &one.may,
            (None, Some(tool)) => &tool.may,
            (None, None) => return false,
        };
        self.crates.contains_key(to) && may.iter().any(|name| name == to || name == "*")
    }

    /// The reason to print for an edge that is not allowed.
    pub(super) fn why_not(&self, from: &str, to: &str) -> String {
        if let Some(never) = self.never.iter().find(|never| never.from == from && never.to == to) {
            return format!("never: {}", never.reason);
        }
        if self.tools.contains_key(to) {
            return "nothing depends on tools and proofs".to_owned();
        }
        match (self.row(from), self.row(to)) {
            (Some(from), Some(to)) if to > from => format!("points up, from row {from} to row {to}"),
            (Some(from), Some(to)) if to == from => format!("points sideways within row {from}"),
            _ => "not among the allowed edges of xtask/layers.toml".to_owned(),
        }
    }

    /// Why `from` may not use this third-party package, if it may not.
    pub(super) fn absence(&self, from: &str, package: &str) -> Option<&str> {
        let rule = self.third_party.iter().find(|rule| rule.packages.iter().any(|name| name == package))?;
        let spoken_of = match (rule.rows, self.row(from)) {
            (None, _) => true,
            (Some([first, last]), Some(row)) => (first..=last).contains(&row),
            (Some(_), None) => false,
        };
        let excepted = rule.only_in.iter().any(|name| name == from);
        (spoken_of && !excepted).then_some(rule.reason.as_str())
    }

    /// The table against its own rule: arrows go down, and what is never allowed is not listed.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (from, one) in &self.crates {
            for to in &one.may {
                match self.row(to) {
                    None => found.push(format!("layers.toml: {from} may use `{to}`, which has no row")),
                    Some(row) if row >= one.row => {
                        found.push(format!("layers.toml: {from} -> {to} does not go down"));
                    }
                    Some(_) => {}
                }
            }
        }
        for Never { from, to, .. } in &self.never {
            if self.allows(from, to) {
                found.push(format!("layers.toml: {from} -> {to} is both allowed and never allowed"));
            }
        }
        found
    }

    fn row(&self, place: &str) -> Option<u8> {
        self.crates.get(place).map(|one| one.row)
    }
}
