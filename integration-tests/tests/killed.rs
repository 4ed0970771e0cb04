//! Exactly-once on three brokers and RocksDB, while processes are killed, with and without their state, and stand still, and
//! brokers come and go. `cargo xtask kill` does the same for as long as one likes.
#![allow(missing_docs, reason = "a test of real programs on real brokers")]

use std::io::Write as _;

use anyhow::Result;
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::cluster::Cluster;
use headwater_integration_tests::kill::{Plan, run};

#[test]
fn nothing_is_lost_doubled_or_torn_whoever_is_killed() -> Result<()> {
    let test = "nothing_is_lost_doubled_or_torn_whoever_is_killed";
    let Some(libs) = Broker::jars_of_this_run(test) else { return Ok(()) };
    let program = env!("CARGO_BIN_EXE_kill").into();
    let plan = Plan { program, seed: 2, kills: 30, stops: 10, bounces: 6, rate: 400 };
    let report = run(&plan, &mut Cluster::start(&libs)?, |_| {})?;
    let _ = writeln!(std::io::stderr(), "{test}: {report}");
    Ok(())
}
