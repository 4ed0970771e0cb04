//! The delayed end on a real broker, under both of Kafka's protocols: requests of transactions are lost, late and repeated.
//! `cargo xtask torn` does the same for as long as one likes.
#![allow(missing_docs, reason = "a test of real applications on a real broker")]

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::torn::{Mischief, Plan, run, under_protocol_one};

fn plan(mischief: Mischief, faults: u32, longest: Duration) -> Plan {
    Plan { applications: 8, faults, mischief, longest, seed: 1 }
}

/// In one test: the version of transactions is the broker's.
#[test]
fn no_transaction_is_torn_by_what_the_network_does_to_its_requests() -> Result<()> {
    let test = "no_transaction_is_torn_by_what_the_network_does_to_its_requests";
    let Some(broker) = Broker::of_this_run(test) else { return Ok(()) };
    let is_whole = |mischief| {
        let report = run(&broker, &plan(mischief, 80, Duration::from_secs(5)), |_| {})?;
        let _ = writeln!(std::io::stderr(), "{test}: {report}");
        ensure!(report.faults.are_none(), "{mischief:?}: {report}");
        Ok(())
    };
    is_whole(Mischief::Everything)?;
    under_protocol_one(&broker, || {
        is_whole(Mischief::NoEndTwice)?;
        // That a transaction is torn would be seen.
        let report = run(&broker, &plan(Mischief::OnlyTwice, 80, Duration::from_secs(2)), |_| {})?;
        ensure!(report.faults.doubled + report.faults.torn > 0, "ends came twice, and nobody saw it: {report}");
        Ok(())
    })
}
