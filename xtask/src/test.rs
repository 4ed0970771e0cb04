//! `cargo xtask test`: the README's test command.
//!
//! It finds or installs what the machine lacks, has RocksDB compiled once, starts a real broker, runs every test of the
//! workspace with the broker's address, and the recorded scenarios on both stores, restarted, and on three partitions, and seeds of the simulator. The broker ends with it, whatever
//! happens in between.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::failures::Failures;
use crate::kafka::{self, Broker, Jars};
use crate::{page, process, rocksdb, setup, simulate, workspace};

/// So many seeds are simulated.
const SEEDS: &str = "2000";

/// Whether a real broker takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Broker,
    NoBroker,
}

/// Runs everything.
///
/// # Errors
/// With the first step that fails.
pub(crate) fn run(with: With) -> Result<()> {
    match with {
        With::Broker => {
            setup::run(setup::Need::Everything)?;
            rocksdb::run()?;
            let jars = Jars::fetch()?;
            let broker = Broker::start(&jars)?;
            println!("kafka: Kafka {} answers on {}", kafka::VERSION, broker.bootstrap());
            let mut variables = kafka::variables(&broker.bootstrap(), &jars)?;
            // All else is tested without a browser too.
            let browser = page::modules().map(|modules| variables.push((page::VARIABLE, modules)));
            cargo_test(&variables)?;
            if let Err(error) = browser {
                println!("\ntest: the page was not looked at in a browser: {error:#}");
            }
        }
        With::NoBroker => {
            setup::run(setup::Need::Compilers)?;
            rocksdb::run()?;
            cargo_test(&[])?;
        }
    }
    for stores in ["memory", "rocksdb"] {
        conformance(&["--stores", stores])?;
    }
    for (stores, state) in [("memory", "wiped"), ("rocksdb", "kept"), ("rocksdb", "wiped")] {
        conformance(&["--restart", state, "--stores", stores])?;
    }
    conformance(&["--partitions", "3"])?;
    simulate::run(&["--seeds", SEEDS])?;
    match with {
        With::Broker => {
            println!(
                "\ntest: every test passed, with a real broker, and the scenarios on both stores, restarted too, and on \
                 three partitions, and {SEEDS} seeds of the simulator"
            );
        }
        With::NoBroker => println!(
            "\ntest: passed without a broker. Skipped: every test that meets a real Kafka (client-kafka's conformance \
             suite, a cluster of three whose brokers crash, exactness under rolling, exactly-once while processes are killed and requests are lost, Kafka's own tools, Java beside us, the page in a browser)"
        ),
    }
    Ok(())
}

/// Runs the tests with what they are to know of a real Kafka, and nothing else of it.
fn cargo_test(variables: &[(&str, String)]) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    for name in kafka::VARIABLES.into_iter().chain([page::VARIABLE]) {
        command.env_remove(name);
    }
    let mut failures = Failures::default();
    let ended = process::run_and_hear(command.envs(variables.iter().map(|(name, value)| (name, value))), |line| {
        failures.take(line);
    });
    if ended.is_err() {
        println!("\ntest: what failed, once more:\n{}", failures.told());
    }
    ended
}

/// `cargo xtask conformance`: the recorded scenarios of Java Kafka Streams.
///
/// # Errors
/// When a scenario differs.
pub(crate) fn conformance(arguments: &[&str]) -> Result<()> {
    let mut command = interpreter();
    // Thousands of stores are opened for some rows each: where there is a disk in memory, nobody waits for theirs.
    let in_memory = Path::new("/dev/shm");
    if std::env::var_os("TMPDIR").is_none() && in_memory.is_dir() {
        command.env("TMPDIR", in_memory);
    }
    process::run(command.args(arguments))
}

/// `cargo xtask golden`.
///
/// # Errors
/// When the subcommand fails.
pub(crate) fn golden(arguments: &[&str]) -> Result<()> {
    process::run(interpreter().arg("golden").args(arguments))
}

fn interpreter() -> Command {
    let mut command = workspace::cargo();
    command.args(["run", "--release", "-p", "headwater-conformance", "--bin", "conformance", "--"]);
    command
}
