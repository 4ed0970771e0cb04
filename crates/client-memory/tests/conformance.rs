//! The in-process cluster passes the suite of the client traits, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use headwater_client::ClientConfig;
use headwater_client::conformance::{
    CASES, Case, Failure, Suite, TRANSACTION_CASES, member_is_removed_when_its_session_times_out,
    waiting_keeps_the_lease,
};
use headwater_client_memory::{Cluster, ClusterConfig, ManualClock, TransactionProtocol};
use headwater_record::Timestamp;

/// Runs `check` on a suite over a new cluster.
fn with_suite<T>(check: impl FnOnce(&Suite<'_>) -> T) -> T {
    with_protocol(TransactionProtocol::Two, check)
}

fn with_protocol<T>(transaction_protocol: TransactionProtocol, check: impl FnOnce(&Suite<'_>) -> T) -> T {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let config = ClusterConfig { transaction_protocol, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(clock.clone()), config);
    let config = ClientConfig::new();
    let advance = |duration: Duration| clock.advance(duration);
    check(&Suite::new(&cluster, &config, "conformance").with_virtual_time(&advance))
}

#[test]
fn every_case_passes_on_a_cluster_of_its_own() {
    let failed: Vec<(&str, Failure)> =
        CASES.iter().filter_map(|(name, case)| with_suite(case).err().map(|failure| (*name, failure))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[allow(clippy::redundant_closure_for_method_calls, reason = "the method's lifetime is not general enough")]
#[test]
fn all_cases_pass_one_after_another_on_one_cluster() {
    let failed: Vec<_> = with_suite(|suite| suite.run()).into_iter().filter(|(_, outcome)| outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Runs transactions on a cluster of their own each, and once more all on one.
fn transactions(protocol: TransactionProtocol) {
    let failed = |suite: &Suite<'_>, (name, case): &Case| case(suite).err().map(|failure| (*name, failure));
    let alone = TRANSACTION_CASES.iter().filter_map(|case| with_protocol(protocol, |suite| failed(suite, case)));
    let alone: Vec<(&str, Failure)> = alone.collect();
    assert!(alone.is_empty(), "{alone:#?}");
    let together: Vec<(&str, Failure)> =
        with_protocol(protocol, |suite| TRANSACTION_CASES.iter().filter_map(|case| failed(suite, case)).collect());
    assert!(together.is_empty(), "{together:#?}");
}

#[test]
fn transactions_pass_under_protocol_one() {
    transactions(TransactionProtocol::One);
}

#[test]
fn transactions_pass_under_protocol_two() {
    transactions(TransactionProtocol::Two);
}

#[test]
fn a_member_that_waits_keeps_its_lease() {
    with_suite(|suite| waiting_keeps_the_lease(suite, Duration::from_secs(45))).unwrap();
}

#[test]
fn a_silent_member_is_removed_after_its_session_timeout() {
    with_suite(member_is_removed_when_its_session_times_out).unwrap();
}
