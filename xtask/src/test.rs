//! `cargo xtask test`: the README's test command.
//!
//! It finds or installs what the machine lacks, has RocksDB compiled once, starts a real broker, runs every test of the
//! workspace with the broker's address, and the recorded scenarios on both stores. The broker ends with it, whatever
//! happens in between.

use std::process::Command;

use anyhow::Result;

use crate::kafka::{self, Broker, Jars};
use crate::{process, rocksdb, setup, workspace};

/// Whether a real broker takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Broker,
    NoBroker,
}

/// `host:port` of a broker that tests may use; tests that need one and do not see this say so and return.
const BOOTSTRAP: &str = "HEADWATER_TEST_BOOTSTRAP";
/// The folder with Kafka's jars, for tests that call Kafka's own tools.
const LIBS: &str = "HEADWATER_KAFKA_LIBS";
/// The folder with the jars of Java Kafka Streams, for tests that run it beside ours.
const STREAMS_LIBS: &str = "HEADWATER_STREAMS_LIBS";

/// Runs everything.
///
/// # Errors
/// With the first step that fails.
pub(crate) fn run(with: With) -> Result<()> {
    match with {
        With::Broker => {
            setup::run(setup::Need::Everything)?;
            rocksdb::run()?;
            let (jars, streams) = (Jars::fetch()?, kafka::streams_libs()?);
            let broker = Broker::start(&jars)?;
            println!("kafka: Kafka {} answers on {}", kafka::VERSION, broker.bootstrap());
            let (bootstrap, libs) = (broker.bootstrap(), jars.libs());
            cargo_test(|tests| {
                tests.env(BOOTSTRAP, bootstrap).env(LIBS, libs).env(STREAMS_LIBS, streams);
            })?;
        }
        With::NoBroker => {
            setup::run(setup::Need::Compilers)?;
            rocksdb::run()?;
            cargo_test(|tests| {
                tests.env_remove(BOOTSTRAP).env_remove(LIBS).env_remove(STREAMS_LIBS);
            })?;
        }
    }
    for stores in ["memory", "rocksdb"] {
        conformance(&["--stores", stores])?;
    }
    match with {
        With::Broker => println!("\ntest: every test passed, with a real broker, and the scenarios on both stores"),
        With::NoBroker => println!(
            "\ntest: passed without a broker. Skipped: every test that meets a real Kafka (client-kafka's conformance \
             suite, exactness under rolling, Kafka's own tools, Java beside us)"
        ),
    }
    Ok(())
}

fn cargo_test(prepare: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["test", "--workspace"]);
    prepare(&mut command);
    process::run(&mut command)
}

/// `cargo xtask conformance`: the recorded scenarios of Java Kafka Streams.
///
/// # Errors
/// When a scenario differs.
pub(crate) fn conformance(arguments: &[&str]) -> Result<()> {
    process::run(interpreter().args(arguments))
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
