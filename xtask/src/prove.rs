//! `cargo xtask kill` and `cargo xtask torn`: exactly-once on real brokers, for as long as one likes.

use anyhow::Result;

use crate::kafka::{self, Broker, Jars};
use crate::{process, rocksdb, setup, workspace};

/// Processes are killed, on a cluster of the program's own.
///
/// # Errors
/// When something is lost, doubled, torn or wrong.
pub(crate) fn kill(arguments: &[&str]) -> Result<()> {
    let jars = jars()?;
    run("kill", arguments, &[("HEADWATER_KAFKA_LIBS", jars.libs().display().to_string())])
}

/// Requests of transactions are lost, late and repeated, on a broker that ends with the program.
///
/// # Errors
/// As [`kill`].
pub(crate) fn torn(arguments: &[&str]) -> Result<()> {
    let jars = jars()?;
    let broker = Broker::start(&jars)?;
    run("torn", arguments, &kafka::variables(&broker.bootstrap(), &jars)?)
}

fn jars() -> Result<Jars> {
    setup::run(setup::Need::Everything)?;
    rocksdb::run()?;
    Jars::fetch()
}

/// Runs a program of the integration tests.
fn run(name: &str, arguments: &[&str], variables: &[(&str, String)]) -> Result<()> {
    let program = ["run", "--release", "-p", "headwater-integration-tests", "--bin", name, "--"];
    let variables = variables.iter().map(|(name, value)| (name, value));
    process::run(workspace::cargo().args(program).args(arguments).envs(variables))
}
