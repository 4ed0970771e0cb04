//! What an archive of RocksDB depends on, as a name for its folder.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// Variables that change how the C++ is compiled.
const FLAGS: [&str; 8] = [
    "CC",
    "CFLAGS",
    "CXX",
    "CXXFLAGS",
    "ROCKSDB_CXX_STD",
    "ROCKSDB_INCLUDE_DIR",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
];

/// Version, target, compiler and flags.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    /// The `rocksdb` entry of `[workspace.dependencies]`.
    pub(super) requirement: toml::Value,
    /// Of `librocksdb-sys` in `Cargo.lock`: it carries the C++ sources.
    pub(super) sources: String,
    pub(super) target: String,
    pub(super) compiler: String,
    pub(super) flags: Vec<(String, String)>,
}

impl Key {
    /// Reads the workspace's files and asks the compilers.
    pub(super) fn of_this_machine(root: &Path) -> Result<Self> {
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
        let cxx = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        let compiler = process::output(Command::new(&cxx).arg("--version"))
            .with_context(|| format!("no C++ compiler (`{cxx}`): `cargo xtask setup` finds or installs one"))?;
        let rustc = process::output(Command::new("rustc").arg("-vV"))?;
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
        let flags =
            FLAGS.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect::<Vec<_>>();
        Ok(Self {
            requirement: requirement(&manifest)?,
            sources: locked_sources(&lock)?,
            target: std::env::var("CARGO_BUILD_TARGET").unwrap_or_else(|_| host.to_owned()),
            compiler: compiler.lines().next().unwrap_or_default().to_owned(),
            flags,
        })
    }

    pub(super) fn version(&self) -> &str {
        self.requirement.get("version").and_then(toml::Value::as_str).unwrap_or("*").trim_start_matches('=')
    }

    fn features(&self) -> Vec<&str> {
        let listed = self.requirement.get("features").and_then(toml::Value::as_array);
        listed.into_iter().flatten().filter_map(toml::Value::as_str).collect()
    }

    /// Everything, a line each: kept beside the archive.
    pub(super) fn text(&self) -> String {
        let mut text = format!("rocksdb ={}\nlibrocksdb-sys {}\n", self.version(), self.sources);
        let _ = writeln!(text, "features {}", self.features().join(" "));
        let _ = writeln!(text, "target {}\ncompiler {}", self.target, self.compiler);
        for (name, value) in &self.flags {
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }

    /// The folder's name: what a person wants to read, and a digest of the rest.
    pub(super) fn folder(&self) -> String {
        format!("rocksdb-{}-{}-{:016x}", self.version(), self.target, digest(self.text().as_bytes()))
    }
}

/// FNV-1a: the standard library's hash may differ from one Rust to the next, a folder's name must not.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn requirement(manifest: &str) -> Result<toml::Value> {
    let manifest: toml::Table = manifest.parse().context("Cargo.toml is not TOML")?;
    let found =
        manifest.get("workspace").and_then(|table| table.get("dependencies")).and_then(|all| all.get("rocksdb"));
    found.cloned().context("no `rocksdb` in [workspace.dependencies]")
}

fn locked_sources(lock: &str) -> Result<String> {
    let lock: toml::Table = lock.parse().context("Cargo.lock is not TOML")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let is_sources =
        |package: &&toml::Value| package.get("name").and_then(toml::Value::as_str) == Some("librocksdb-sys");
    let found = packages.iter().find(is_sources).and_then(|package| package.get("version"));
    Ok(found.and_then(toml::Value::as_str).context("Cargo.lock has no librocksdb-sys")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.dependencies]\nrocksdb = { version = '=1.2.3', features = ['lz4'] }\n";
    const LOCK: &str = "[[package]]\nname = 'librocksdb-sys'\nversion = '0.9.0+4.5.6'\n";

    fn key() -> Key {
        Key {
            requirement: requirement(MANIFEST).expect("well formed"),
            sources: locked_sources(LOCK).expect("well formed"),
            target: "somewhere".to_owned(),
            compiler: "c++ 12".to_owned(),
            flags: vec![("CXXFLAGS".to_owned(), "-O2".to_owned())],
        }
    }

    #[test]
    fn the_text_says_what_the_archive_depends_on() {
        let expected = "rocksdb =1.2.3\nlibrocksdb-sys 0.9.0+4.5.6\nfeatures lz4\ntarget somewhere\ncompiler c++ 12\n\
                        CXXFLAGS=-O2\n";
        assert_eq!(key().text(), expected);
        assert!(key().folder().starts_with("rocksdb-1.2.3-somewhere-"));
    }

    #[test]
    fn anything_that_changes_the_archive_changes_its_folder() {
        let mut names = vec![key().folder()];
        for change in [
            (|key| key.sources = "0.9.1".to_owned()) as fn(&mut Key),
            |key| key.target = "elsewhere".to_owned(),
            |key| key.compiler = "c++ 13".to_owned(),
            |key| key.flags.clear(),
            |key| key.requirement = requirement(&MANIFEST.replace("lz4", "zstd")).expect("well formed"),
        ] {
            let mut changed = key();
            change(&mut changed);
            names.push(changed.folder());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6);
    }

    #[test]
    fn the_digest_is_fnv_1a() {
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
