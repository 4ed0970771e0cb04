//! Compiles RocksDB in a throw-away crate outside the repository.
//!
//! That crate depends on the `rocksdb` crate exactly as the workspace does and has no code of its own; Cargo tells where
//! the build script of `librocksdb-sys` left its archive. It has its own target directory, so that no other build waits
//! for its lock, and a build that was interrupted goes on where it was.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::VARIABLES;
use super::key::Key;
use crate::process;

/// Compiles and returns the archive's path.
pub(super) fn archive(folder: &Path, key: &Key) -> Result<PathBuf> {
    println!("rocksdb: compiling {} once for this machine; this takes ten minutes or more", key.version());
    std::fs::create_dir_all(folder.join("src"))?;
    write_if_different(&folder.join("Cargo.toml"), &manifest(key))?;
    write_if_different(&folder.join("src/main.rs"), "fn main() {}\n")?;
    process::run(cargo(folder).stdout(Stdio::inherit()))?;
    // Everything is fresh now: the second call only tells where things are.
    let messages = process::output(cargo(folder).args(["--quiet", "--message-format", "json"]))?;
    let out = out_dir(&messages).context("cargo did not name the output of librocksdb-sys")?;
    Ok(out.join(super::ARCHIVE))
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).args(["build", "--release", "--target-dir"]).arg(folder.join("target"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
}

fn manifest(key: &Key) -> String {
    format!(
        "[package]\nname = \"rocksdb-archive\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         rocksdb = {}\nlibrocksdb-sys = {{ version = \"={}\", default-features = false }}\n\n[workspace]\n",
        key.requirement,
        // What follows a `+` says which RocksDB it is and takes no part in a requirement.
        key.sources.split('+').next().unwrap_or_default()
    )
}

fn write_if_different(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn out_dir(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let text = |name| message.get(name).and_then(Value::as_str);
        let ours = text("reason")? == "build-script-executed" && text("package_id")?.contains("librocksdb-sys");
        ours.then(|| text("out_dir").map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_where_the_build_script_of_its_crate_wrote() {
        let messages = r#"
{"reason":"compiler-artifact","package_id":"registry#librocksdb-sys@0.19.0"}
{"reason":"build-script-executed","package_id":"registry#lz4-sys@1.11.1","out_dir":"/t/lz4/out"}
{"reason":"build-script-executed","package_id":"registry#librocksdb-sys@0.19.0","out_dir":"/t/rocksdb/out"}
"#;
        assert_eq!(out_dir(messages), Some(PathBuf::from("/t/rocksdb/out")));
        assert_eq!(out_dir("{}"), None);
    }
}
