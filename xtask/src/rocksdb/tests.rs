//! The archive is deleted and comes back; Cargo sees what the cache has.

use std::process::Command;

use super::*;
use tempfile::TempDir;

struct Scratch {
    folder: TempDir,
    shelf: Shelf,
}

fn scratch() -> Scratch {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let root = folder.path().join("repository");
    std::fs::create_dir_all(root.join(".cargo")).expect("a scratch repository");
    let shelf = Shelf {
        folder: folder.path().join("cache/rocksdb/one"),
        local_config: root.join(".cargo/local.toml"),
        flags: "rocksdb =1.2.3\n".to_owned(),
    };
    Scratch { folder, shelf }
}

impl Scratch {
    /// A compiler that takes no ten minutes.
    fn compile(&self) -> Result<PathBuf> {
        let path = self.folder.path().join("compiled.a");
        std::fs::write(&path, "!<arch>\n")?;
        Ok(path)
    }

    fn config(&self) -> Option<String> {
        std::fs::read_to_string(&self.shelf.local_config).ok()
    }
}

#[test]
fn a_missing_archive_is_compiled_once_and_told_to_cargo() {
    let scratch = scratch();
    assert!(scratch.shelf.ensure(|| scratch.compile()).expect("it compiles"));
    assert_eq!(std::fs::read_to_string(scratch.shelf.archive()).expect("it is kept"), "!<arch>\n");
    let config: toml::Table = scratch.config().expect("it is written").parse().expect("it is TOML");
    assert_eq!(config["env"]["ROCKSDB_LIB_DIR"].as_str(), scratch.shelf.folder.to_str());
    assert_eq!(config["env"]["ROCKSDB_STATIC"].as_str(), Some("1"));
    let again = scratch.shelf.ensure(|| bail!("nothing to compile")).expect("it is there");
    assert!(!again);
}

#[test]
fn a_deleted_archive_is_untold_then_compiled_again() {
    let scratch = scratch();
    scratch.shelf.ensure(|| scratch.compile()).expect("it compiles");
    std::fs::remove_file(scratch.shelf.archive()).expect("it was there");
    assert!(!scratch.shelf.tell_cargo().expect("the file is removed"));
    assert_eq!(scratch.config(), None);
    assert!(scratch.shelf.ensure(|| scratch.compile()).expect("it compiles"));
    assert!(scratch.config().is_some());
}

#[test]
fn a_failed_compilation_leaves_cargo_without_the_variables() {
    let scratch = scratch();
    std::fs::write(&scratch.shelf.local_config, "[env]\nROCKSDB_LIB_DIR = 'gone'\n").expect("it is written");
    let error = scratch.shelf.ensure(|| bail!("no compiler")).expect_err("it cannot compile");
    assert_eq!(error.to_string(), "no compiler");
    assert_eq!(scratch.config(), None);
}

#[test]
fn a_stale_file_is_written_anew() {
    let scratch = scratch();
    scratch.shelf.ensure(|| scratch.compile()).expect("it compiles");
    std::fs::write(&scratch.shelf.local_config, "[env]\nROCKSDB_LIB_DIR = 'elsewhere'\n").expect("it is written");
    assert!(scratch.shelf.tell_cargo().expect("it is written anew"));
    assert_eq!(scratch.config(), Some(scratch.shelf.config()));
}

/// The same two files that the repository has, in a scratch crate whose build script reads the variable as that of
/// `librocksdb-sys` does.
#[test]
fn plain_cargo_runs_build_scripts_again_when_the_archive_comes_and_goes() {
    let scratch = scratch();
    let root = scratch.folder.path().join("repository");
    std::fs::create_dir_all(root.join("src")).expect("a source folder");
    let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("a scratch file is written");
    write(".cargo/config.toml", include_str!("../../../.cargo/config.toml"));
    write("Cargo.toml", "[package]\nname = 'seen'\nversion = '0.0.0'\nedition = '2024'\n[workspace]\n");
    write("build.rs", BUILD_SCRIPT);
    write("src/main.rs", "fn main() { print!(\"{}\", env!(\"SEEN\")); }\n");

    assert_eq!(seen(&root), "nothing");
    scratch.shelf.ensure(|| scratch.compile()).expect("it compiles");
    assert_eq!(seen(&root), scratch.shelf.folder.to_string_lossy());
    std::fs::remove_file(scratch.shelf.archive()).expect("it was there");
    scratch.shelf.tell_cargo().expect("the file is removed");
    assert_eq!(seen(&root), "nothing");
}

const BUILD_SCRIPT: &str = r#"
fn main() {
    println!("cargo:rerun-if-env-changed=ROCKSDB_LIB_DIR");
    println!("cargo:rustc-env=SEEN={}", std::env::var("ROCKSDB_LIB_DIR").unwrap_or("nothing".into()));
}
"#;

fn seen(root: &Path) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["run", "--quiet", "--offline", "--target-dir"]).arg(root.join("target"));
    for name in VARIABLES {
        cargo.env_remove(name);
    }
    crate::process::output(&mut cargo).expect("the scratch crate runs")
}
