//! State on disk is deleted where it is asked for, and comes back from the changelogs.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "a test beside an application with threads waits for it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::record::{Headers, Topic};
use headwater::runtime::{Builder, CloseOptions, SystemClock};
use headwater::{ErrorKind, FromFeatures};

fn cluster() -> Cluster {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    for topic in ["visits", "names", "counts"] {
        cluster.create_topic(topic, 1).expect("it is new");
    }
    put(&cluster, "names", "a", "Ada");
    cluster
}

fn put(cluster: &Cluster, topic: &str, key: &str, value: &str) {
    let time = Timestamp::from_millis(1);
    cluster
        .produce(&Topic::from(topic), Some(key.as_bytes()), Some(value.as_bytes()), time, &Headers::new())
        .expect("stored");
}

/// Counts visits under the names of a global table, with both stores on disk.
fn application(cluster: &Cluster, state: &Path) -> Builder<FromFeatures> {
    let builder = StreamsBuilder::new();
    let names = builder.global_table::<String, String>("names");
    let visits = builder.stream::<String, String>("visits");
    let named = visits.join_global(&names, |key, _| key.clone(), |_, _, name| name.clone());
    named.group_by_key().count_with(Materialized::named("visits-of-each")).to_stream().to("counts");
    KafkaStreams::builder(builder.build().expect("a topology"))
        .application_id("clean")
        .on(cluster)
        .state_dir(state)
        .set("statestore.cache.max.bytes", "0")
}

/// Has one visit counted, and gives the count.
fn count_a_visit(cluster: &Cluster, application: &KafkaStreams) -> Vec<u8> {
    let counts = Topic::from("counts");
    let before = cluster.records(&counts).len();
    put(cluster, "visits", "a", "now");
    while cluster.records(&counts).len() == before {
        assert!(!application.state().is_final(), "it failed");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (_, last) = cluster.records(&counts).pop().expect("a count");
    last.value.expect("a value").to_vec()
}

fn close(application: &KafkaStreams) {
    application.close(CloseOptions::default().timeout(Duration::from_secs(30))).expect("it closes");
}

#[test]
fn state_is_deleted_after_a_close_and_restored_by_the_next_start() {
    let (cluster, root) = (cluster(), tempfile::tempdir().expect("a directory"));
    let [task, global] = ["1_0", "global"].map(|name| root.path().join("clean").join(name));
    let running = application(&cluster, root.path()).start().expect("it starts");
    assert_eq!(count_a_visit(&cluster, &running), 1_i64.to_be_bytes());
    let refused = running.clean_up().expect_err("it runs");
    assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Config, "Cannot clean up while running."));
    close(&running);
    assert!(task.is_dir() && global.is_dir(), "a close keeps the state");
    running.clean_up().expect("it is closed");
    assert!(!task.exists() && !global.exists(), "nothing is left");

    // One that is closed is in nobody's way, though somebody holds it still.
    let again = application(&cluster, root.path()).start().expect("it starts again");
    assert_eq!(count_a_visit(&cluster, &again), 2_i64.to_be_bytes(), "the changelog had it");
    let refused = running.clean_up().expect_err("another one has the directory");
    assert!(refused.to_string().contains("is in use by another application"), "{refused}");
    close(&again);
}

#[test]
fn what_earlier_runs_left_is_deleted_before_a_start_that_asks_for_it() {
    let (cluster, root) = (cluster(), tempfile::tempdir().expect("a directory"));
    let left = ["1_0", "global"].map(|name| root.path().join("clean").join(name).join("left"));
    for (cleans, stays) in [(false, true), (true, false)] {
        for path in &left {
            std::fs::create_dir_all(path).expect("a directory");
        }
        let application = application(&cluster, root.path());
        let application = if cleans { application.clean_up() } else { application };
        let running = application.start().expect("it starts");
        let there = left.each_ref().map(|path| path.is_dir());
        close(&running);
        assert_eq!(there, [stays, stays]);
    }
}
