//! `cargo xtask check` and `cargo xtask ci`: what must hold for a commit.

use anyhow::Result;

use crate::{layers, process, rocksdb, setup, test, tidy, workspace};

/// Everything that a look at the source can tell, cheapest first.
///
/// # Errors
/// With the first check that fails.
pub(crate) fn check() -> Result<()> {
    process::run(workspace::cargo().args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    layers::run()?;
    // Clippy compiles dependencies, RocksDB among them.
    setup::run(setup::Need::Compilers)?;
    rocksdb::run()?;
    process::run(workspace::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if process::output(workspace::cargo().args(["deny", "--version"])).is_ok() {
        process::run(workspace::cargo().args(["deny", "check"]))?;
    } else {
        println!("check: cargo-deny is not installed, deny.toml is not checked");
    }
    println!("\ncheck: passed");
    Ok(())
}

/// The checks, then the tests.
///
/// # Errors
/// With the first step that fails.
pub(crate) fn run() -> Result<()> {
    check()?;
    test::run(test::With::Broker)
}
