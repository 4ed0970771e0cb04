//! What `start` says of settings on the environment that the features make: a real cluster, which these settings do not lead to.
#![cfg(feature = "kafka")]
#![allow(missing_docs, reason = "a test")]

use headwater::ErrorKind;
use headwater::prelude::*;

fn refused(key: &str, value: &str) -> String {
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>("in").to("out");
    let state = std::env::temp_dir().join(format!("headwater-settings-{}", std::process::id()));
    let application = KafkaStreams::builder(builder.build().expect("a topology"))
        .application_id("settings")
        .bootstrap_servers("127.0.0.1:9")
        .state_dir(state)
        .set(key, value);
    let error = application.start().map(drop).expect_err("it was not refused");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

#[test]
fn settings_of_clients_that_cannot_be_are_refused_before_anything_starts() {
    let cases = [
        ("bootstrap.servers", "127.0.0.1:99999", "Invalid port in bootstrap.servers: 127.0.0.1:99999"),
        (
            "bootstrap.servers",
            "a.invalid:1,b.invalid:2",
            "No resolvable bootstrap urls given in bootstrap.servers: a.invalid:1",
        ),
        ("bootstrap.servers", " ", "bootstrap.servers"),
        ("client.dns.lookup", "default", "client.dns.lookup: \"default\" is not one of use_all_dns_ips"),
        ("security.protocol", "SSL", "security.protocol=SSL is not supported yet"),
        ("producer.acks", "two", "acks=two: it is 0, 1 or all"),
        ("producer.compression.type", "brotli", "compression.type=brotli"),
        ("consumer.fetch.min.bytes", "-1", "fetch.min.bytes: \"-1\" is not a number"),
        ("restore.consumer.check.crcs", "perhaps", "check.crcs: \"perhaps\" is neither true nor false"),
        ("main.consumer.isolation.level", "none", "isolation.level: \"none\" is neither"),
    ];
    for (key, value, said) in cases {
        let error = refused(key, value);
        assert!(error.contains(said), "{key}={value}: {error}");
    }
}
