//! What a cluster of several brokers does to the clients, and what must come of it: leaders crash, move, freeze, all brokers go and
//! come back, topics and the beginnings of logs vanish, transactions are aborted. The clients are those of the traits; nothing here
//! knows what is behind them.
//!
//! `HEADWATER_KAFKA_LIBS` names the folder with the broker's jars; `cargo xtask test` sets it.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test of real clients on a real cluster"
)]

mod batches;
mod coordinators;
mod leaders;
mod outage;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Result;
use headwater::client::NewTopic;
use headwater::record::{Topic, TopicPartition};
use headwater_integration_tests::cluster::{Cluster, Shared};
use headwater_integration_tests::traffic::partitions;

/// Runs a test on the cluster of this run, alone.
fn on_cluster(test: &str, run: impl FnOnce(&mut Cluster) -> Result<()>) -> Result<()> {
    let Some(shared) = Shared::of_this_run(test)? else { return Ok(()) };
    // What the clients say of themselves, to whoever asks for it.
    if let Ok(level) = std::env::var("HEADWATER_TEST_LOG") {
        let level: tracing_subscriber::filter::LevelFilter = level.parse()?;
        let _ = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).try_init();
    }
    run(&mut *shared.alone()?)
}

/// Says something that is shown also of a test that passes.
fn tell(test: &str, what: &str) {
    let _ = writeln!(std::io::stderr(), "{test}: {what}");
}

/// Makes a topic that no other test has and gives its partitions.
fn make(
    cluster: &Cluster,
    topic: &str,
    partitions_count: i32,
    replication_factor: i16,
    configs: &[(&str, &str)],
) -> Result<Vec<TopicPartition>> {
    let name = format!("{topic}-{}", cluster.broker().clients().clock().now());
    let configs: BTreeMap<_, _> = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let topic = Topic::from(name.as_str());
    cluster.broker().make(NewTopic { topic, partitions: partitions_count, replication_factor, configs })?;
    Ok(partitions(&name, partitions_count))
}
