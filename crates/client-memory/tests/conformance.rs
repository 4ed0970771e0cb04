//! The in-process cluster passes the suite of the client traits, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use headwater_client::ClientConfig;
use headwater_client::conformance::{CASES, Failure, Suite, member_is_removed_when_its_session_times_out};
use headwater_client_memory::{Cluster, ManualClock};
use headwater_record::Timestamp;

/// Runs `check` on a suite over a new cluster.
fn with_suite<T>(check: impl FnOnce(&Suite<'_>) -> T) -> T {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let cluster = Cluster::new(Arc::new(clock.clone()));
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

#[test]
fn a_silent_member_is_removed_after_its_session_timeout() {
    with_suite(member_is_removed_when_its_session_times_out).unwrap();
}
