//! `cargo xtask layers`: the crates' dependencies against the allowed edges of `layers.toml`.
//!
//! Kinds of dependencies are not told apart: a dev-dependency that points up makes a crate as hard to take out as any
//! other. The facade alone may be one of any crate: examples in the documentation are written with its paths, which are all
//! that a user has.

mod table;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{process, workspace};

/// What examples are written with.
const FACADE: &str = "headwater";
use table::Table;

/// One package of the workspace, as `cargo metadata` tells it.
#[derive(Debug)]
struct Package {
    /// `store` for `crates/store`, otherwise the folder below the root (`integration-tests/conformance`).
    place: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug)]
struct Dependency {
    name: String,
    /// Set when it is a package of this workspace.
    place: Option<String>,
    /// Whether it is there for tests and examples alone.
    dev: bool,
}

/// Reads the workspace and fails with every edge that is not allowed.
///
/// # Errors
/// When an edge is forbidden, or Cargo cannot read the workspace.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let text = process::output(workspace::cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).context("`cargo metadata` did not write JSON")?;
    let table = Table::read(&root.join("xtask/layers.toml"))?;
    let packages = packages(&metadata)?;
    let findings = findings(&table, &packages);
    if !findings.is_empty() {
        bail!("layers: {} forbidden\n  {}", findings.len(), findings.join("\n  "));
    }
    let edges: usize = packages.iter().map(|package| workspace_edges(package).count()).sum();
    println!("layers: {} packages, {edges} edges between them, all allowed", packages.len());
    Ok(())
}

fn packages(metadata: &Value) -> Result<Vec<Package>> {
    let root = text_of(metadata, "workspace_root").context("metadata without a workspace root")?;
    let packages = list_of(metadata, "packages").context("metadata without packages")?;
    packages.iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &str, package: &Value) -> Result<Package> {
    let manifest = text_of(package, "manifest_path").context("a package without a manifest")?;
    let folder = manifest.strip_suffix("/Cargo.toml").context("a manifest with another name")?;
    let dependencies = list_of(package, "dependencies").context("a package without dependencies")?;
    let dependencies = dependencies
        .iter()
        .map(|dependency| {
            let name = text_of(dependency, "name").context("a dependency without a name")?.to_owned();
            let dev = text_of(dependency, "kind") == Some("dev");
            Ok(Dependency { name, place: text_of(dependency, "path").map(|folder| place(root, folder)), dev })
        })
        .collect::<Result<_>>()?;
    Ok(Package { place: place(root, folder), dependencies })
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list_of<'a>(value: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    value.get(name).and_then(Value::as_array)
}

fn place(root: &str, folder: &str) -> String {
    let below = folder.strip_prefix(root).unwrap_or(folder).trim_start_matches('/');
    below.strip_prefix("crates/").unwrap_or(below).to_owned()
}

fn workspace_edges(package: &Package) -> impl Iterator<Item = &str> {
    let is_for_examples = |dependency: &Dependency| dependency.dev && dependency.place.as_deref() == Some(FACADE);
    let counted = package.dependencies.iter().filter(move |dependency| !is_for_examples(dependency));
    counted.filter_map(|dependency| dependency.place.as_deref())
}

/// Every forbidden edge, in words.
fn findings(table: &Table, packages: &[Package]) -> Vec<String> {
    let mut found = table.contradictions();
    for package in packages {
        let from = package.place.as_str();
        if !table.knows(from) {
            found.push(format!("`{from}` has no row: say in xtask/layers.toml where it stands"));
            continue;
        }
        for to in workspace_edges(package) {
            if !table.allows(from, to) {
                found.push(format!("{from} -> {to}: {}", table.why_not(from, to)));
            }
        }
        for dependency in package.dependencies.iter().filter(|dependency| dependency.place.is_none()) {
            if let Some(reason) = table.absence(from, &dependency.name) {
                found.push(format!("{from} -> {}: {reason}", dependency.name));
            }
        }
    }
    found
}
