//! What `start` says of settings.
#![allow(missing_docs, reason = "a test")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use tracing_subscriber::util::SubscriberInitExt as _;

fn application() -> headwater::runtime::Builder<headwater::FromFeatures> {
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>("in").to("out");
    let state = std::env::temp_dir().join(format!("headwater-settings-{}", std::process::id()));
    let application = KafkaStreams::builder(builder.build().expect("a topology")).application_id("settings");
    application.state_dir(state)
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn settings_that_do_nothing_are_told_of_on_the_cluster_in_this_process_too() {
    let cluster = Cluster::new(Arc::new(ManualClock::default()));
    let log = Log::default();
    let writer = log.clone();
    let logged = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).set_default();
    let application = application().on(&cluster);
    let application = application.set("commit.intervall.ms", "5").set("consumer.enable.auto.commit", "true");
    application.drive().expect("an application");
    drop(logged);
    let log = String::from_utf8(log.0.lock().expect("the log").clone()).expect("text");
    let warned =
        "commit.intervall.ms was supplied but is not used: there is no such setting; did you mean commit.interval.ms?";
    assert!(log.lines().any(|line| line.contains("WARN") && line.ends_with(warned)), "{log}");
    let guarded = "Unexpected user-specified consumer config 'consumer.enable.auto.commit' found.";
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(guarded)), "{log}");
}

#[cfg(feature = "kafka")]
#[test]
fn settings_of_clients_that_cannot_be_are_refused_before_anything_starts() {
    let refused = |key: &str, value: &str| {
        let application = application().bootstrap_servers("127.0.0.1:9").set(key, value);
        let error = application.start().map(drop).expect_err("it was not refused");
        assert_eq!(error.kind(), headwater::ErrorKind::Config, "{error}");
        error.to_string()
    };
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
