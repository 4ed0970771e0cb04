//! Where things are: the repository, the user's cache, and the `cargo` to call.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let xtask =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or(xtask.clone(), Path::to_path_buf)
}

/// `<user cache>/headwater`: what is fetched or compiled once per machine. `HEADWATER_CACHE` names another folder.
///
/// # Errors
/// When neither that variable nor `XDG_CACHE_HOME` nor `HOME` is set.
pub(crate) fn cache() -> Result<PathBuf> {
    cache_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
        .context("no place for a cache: set HOME, XDG_CACHE_HOME or HEADWATER_CACHE")
}

fn cache_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(own) = variable("HEADWATER_CACHE") {
        return Some(PathBuf::from(own));
    }
    let user = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(user.join("headwater"))
}

/// `cargo` in the repository's root, without the variables that this process inherited from `.cargo/local.toml`: the
/// called `cargo` shall read that file itself, for it may have changed since.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for name in crate::rocksdb::inherited_variables() {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_its_own_variable_then_xdg_then_home() {
        let all = |name: &str| Some(OsString::from(format!("/of/{name}")));
        assert_eq!(cache_from(all), Some(PathBuf::from("/of/HEADWATER_CACHE")));
        let xdg = |name: &str| (name != "HEADWATER_CACHE").then(|| OsString::from(format!("/of/{name}")));
        assert_eq!(cache_from(xdg), Some(PathBuf::from("/of/XDG_CACHE_HOME/headwater")));
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/of/me"));
        assert_eq!(cache_from(home), Some(PathBuf::from("/of/me/.cache/headwater")));
        assert_eq!(cache_from(|_| None), None);
    }

    #[test]
    fn the_root_is_the_folder_of_the_workspace_manifest() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("xtask").is_dir());
    }
}
