//! Real clients pass the suite of the client traits, where there is a broker to run it on.
//!
//! `HEADWATER_TEST_BOOTSTRAP` names it (`host:port`); `cargo xtask kafka up` starts one.

use std::time::Duration;

use headwater_client::conformance::{CASES, Suite};
use headwater_client::{ClientConfig, ClientError, ClientSupplier};
use headwater_client_kafka::KafkaClients;
use headwater_record::Deadline;

/// What librdkafka does otherwise: to `rd_kafka_producev` a timestamp of zero means the present.
const KNOWN_TO_DEVIATE: [&str; 1] = ["a timestamp of zero is kept"];

#[test]
fn real_clients_pass_the_suite_but_for_the_known_deviations() {
    let Ok(servers) = std::env::var("HEADWATER_TEST_BOOTSTRAP") else {
        println!("skipped: HEADWATER_TEST_BOOTSTRAP names no broker");
        return;
    };
    let clients = KafkaClients::new();
    let config = ClientConfig::new().with("bootstrap.servers", servers);
    // Runs on one broker must not meet.
    let started = clients.clock().now();
    let prefix = format!("conformance-{started}-{}", std::process::id());
    let suite = Suite::new(&clients, &config, &prefix);
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let outcome = case(&suite);
        println!("{} ms: {name}: {outcome:?}", clients.clock().now().since(started).as_millis());
        if KNOWN_TO_DEVIATE.contains(name) {
            assert!(outcome.is_err(), "{name}: holds now; take it off the list of deviations");
        } else {
            failed.extend(outcome.err().map(|failure| (*name, failure)));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn requests_to_nobody_end_by_their_deadline_and_name_the_setting() {
    let clients = KafkaClients::new();
    // Nothing listens on port 1.
    let config = ClientConfig::new().with("bootstrap.servers", "127.0.0.1:1");
    let until = || Deadline::after(clients.clock().now(), Duration::from_secs(3));
    let begin = clients.clock().now();
    let listed = clients.admin(&config).unwrap().list_topics(until());
    let counted = clients.producer(&config).unwrap().partition_count(&"t".into(), until());
    let fetched = clients.membership("g", &config).unwrap().committed_offsets("g", &[], false, until());
    let took = clients.clock().now().since(begin);
    assert!(took < Duration::from_mins(2), "three requests of at most 3 s took {took:?}");
    for error in [listed.unwrap_err(), counted.unwrap_err(), fetched.unwrap_err()] {
        match &error {
            ClientError::Unavailable { .. } => assert!(error.to_string().contains("bootstrap.servers"), "{error}"),
            ClientError::TimedOut { .. } => {}
            other => panic!("{other}"),
        }
    }
}
