//! RocksDB compiled once per machine, whatever the profile or the target directory.
//!
//! `librocksdb.a` is kept in the user's cache, in a folder named after what it was compiled from and with. The ignored
//! file `.cargo/local.toml`, which `.cargo/config.toml` includes where it exists, holds the two variables by which the
//! build script of `librocksdb-sys` links that archive instead of compiling its own: so plain `cargo`, an editor and
//! xtask see the same values, and nothing is compiled again when one of them takes turns with another.

mod compile;
mod key;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;
use key::Key;

/// What the build script of `librocksdb-sys` reads.
const VARIABLES: [&str; 2] = ["ROCKSDB_LIB_DIR", "ROCKSDB_STATIC"];
const ARCHIVE: &str = "librocksdb.a";

/// One archive's place in the cache, and the file that tells Cargo of it.
#[derive(Debug)]
struct Shelf {
    folder: PathBuf,
    local_config: PathBuf,
    flags: String,
}

/// `cargo xtask rocksdb`: compiles the archive unless the cache has it.
///
/// # Errors
/// When it cannot be compiled or kept.
pub(crate) fn run() -> Result<()> {
    if let Some(own) = chosen_by_user() {
        println!("rocksdb: ROCKSDB_LIB_DIR={} is set: taken as it is", own.display());
        return Ok(());
    }
    let cache = workspace::cache()?;
    let (key, shelf) = shelf(&cache)?;
    if shelf.ensure(|| compile::archive(&cache.join("rocksdb-build"), &key))? {
        println!("rocksdb: compiled and kept in {}", shelf.folder.display());
    } else {
        println!("rocksdb: found in {}", shelf.folder.display());
    }
    Ok(())
}

/// `cargo xtask rocksdb --check`: says whether the cache has the archive, and makes Cargo's file agree.
///
/// # Errors
/// When it is not there.
pub(crate) fn check() -> Result<()> {
    let (_, shelf) = shelf(&workspace::cache()?)?;
    if !shelf.tell_cargo()? {
        bail!("rocksdb: not compiled yet for\n{}run `cargo xtask rocksdb`", shelf.flags);
    }
    println!("rocksdb: found in {}", shelf.folder.display());
    Ok(())
}

/// Variables that this process has from `.cargo/local.toml`, by way of the `cargo` that started it.
pub(crate) fn inherited_variables() -> &'static [&'static str] {
    if chosen_by_user().is_some() { &[] } else { &VARIABLES }
}

/// A RocksDB of the user's own, which stays as it is.
fn chosen_by_user() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("ROCKSDB_LIB_DIR")?);
    let ours = workspace::cache().is_ok_and(|cache| folder.starts_with(cache.join("rocksdb")));
    (!ours).then_some(folder)
}

fn shelf(cache: &Path) -> Result<(Key, Shelf)> {
    let root = workspace::root();
    let key = Key::of_this_machine(&root)?;
    let shelf = Shelf {
        folder: cache.join("rocksdb").join(key.folder()),
        local_config: root.join(".cargo/local.toml"),
        flags: key.text(),
    };
    Ok((key, shelf))
}

impl Shelf {
    fn archive(&self) -> PathBuf {
        self.folder.join(ARCHIVE)
    }

    /// Makes `.cargo/local.toml` agree with the cache. Whether the archive is there.
    fn tell_cargo(&self) -> Result<bool> {
        let there = self.archive().is_file();
        let wanted = there.then(|| self.config());
        let present = std::fs::read_to_string(&self.local_config).ok();
        match (&wanted, &present) {
            (Some(text), _) if wanted != present => write_whole(&self.local_config, text.as_bytes())?,
            (None, Some(_)) => std::fs::remove_file(&self.local_config)
                .with_context(|| format!("cannot remove {}", self.local_config.display()))?,
            _ => {}
        }
        Ok(there)
    }

    fn config(&self) -> String {
        let folder = toml::Value::String(self.folder.to_string_lossy().into_owned());
        format!(
            "# Written by `cargo xtask rocksdb`, removed by it when the archive is gone; not under version control.\n\
             [env]\nROCKSDB_LIB_DIR = {folder}\nROCKSDB_STATIC = \"1\"\n"
        )
    }

    /// Puts the archive in its place with `compile` (which returns where it left it) unless it is there. Whether it
    /// had to.
    fn ensure(&self, compile: impl FnOnce() -> Result<PathBuf>) -> Result<bool> {
        if self.tell_cargo()? {
            return Ok(false);
        }
        let compiled = compile()?;
        let bytes = std::fs::read(&compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
        std::fs::create_dir_all(&self.folder)?;
        write_whole(&self.folder.join("flags.txt"), self.flags.as_bytes())?;
        write_whole(&self.archive(), &bytes)?;
        if !self.tell_cargo()? {
            bail!("{} vanished while it was written", self.archive().display());
        }
        Ok(true)
    }
}

/// Writes a file so that nobody sees half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension(format!("{}.partial", std::process::id()));
    std::fs::write(&beside, bytes).with_context(|| format!("cannot write {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}
