//! Exactly-once on three brokers and RocksDB, while processes are killed, with and without their state, and stand still, and
//! brokers come and go. `cargo xtask kill` does the same for as long as one likes.
#![allow(missing_docs, reason = "a test of real programs on real brokers")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::cluster::Cluster;
use headwater_integration_tests::kill::application::{Extent, topic};
use headwater_integration_tests::kill::input::Expected;
use headwater_integration_tests::kill::ledger::Ledger;
use headwater_integration_tests::kill::{Plan, make_topics, run};

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

#[test]
fn where_a_torn_event_lies_is_told() -> Result<()> {
    let Some(broker) = Broker::of_this_run("where_a_torn_event_lies_is_told") else { return Ok(()) };
    let (id, patience) = (format!("torn-event-{}", std::process::id()), Duration::from_mins(1));
    make_topics(&broker, &id, Extent::Together, 1, 1)?;
    for name in ["left", "right"] {
        broker.produce(&topic(&id, name), [(Some(&b"k"[..]), &b"1 a"[..])])?;
    }
    let mut ledger = Ledger::new(&broker, &id, Extent::Together)?;
    ledger.read_to_end(patience)?;
    let events = BTreeMap::from([("k".to_owned(), vec!["a".to_owned()])]);
    let faults = ledger.faults(&Expected { events, ..Expected::default() }, patience)?;
    let lies = format!("event 1 of k lies, committed or not, in {id}-left-0 at 0, {id}-right-0 at 0");
    ensure!(faults.torn == 1 && faults.examples.contains(&lies), "{faults}");
    Ok(())
}
