//! Instances of an application on a cluster in this process, each with its query server.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses what it needs")]
#![allow(clippy::disallowed_methods, reason = "a test beside applications with threads waits for them")]

pub mod schema;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::query::{Builder, KeyText, QueryServer, Serving};
use headwater::record::{Headers, Topic};
use headwater::runtime::SystemClock;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Only ends a test that hangs.
pub const PATIENCE: Duration = Duration::from_mins(2);
pub const PARTITIONS: i32 = 4;
pub const KEYS: i64 = 20;

pub fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64>("numbers");
    let grouped = numbers.group_by_key();
    grouped.count_with(Materialized::named("counts"));
    let second = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    grouped.windowed_by(second).count_with(Materialized::named("windows").with_retention(Duration::from_hours(1)));
    let sessions = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(50));
    grouped.windowed_by(sessions).count_with(Materialized::named("sessions").with_retention(Duration::from_hours(1)));
    let prices = Materialized::versioned("prices", Duration::from_hours(1));
    builder.table_with("prices", Consumed::<String, i64>::by_type(), prices);
    builder.table_with("raw", Consumed::<Vec<u8>, i64>::by_type(), Materialized::named("raw"));
    builder.global_table_with("shops", Consumed::<String, String>::by_type(), Materialized::named("shops"));
    builder.build().unwrap()
}

pub struct World {
    pub cluster: Cluster,
    /// The `commit.interval.ms` of those that are started from now on.
    pub commit_interval_ms: u32,
}

/// An instance and its server.
pub struct Instance {
    pub streams: KafkaStreams,
    pub serving: Serving,
    pub host: String,
    state: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(SystemClock), config);
        for topic in ["numbers", "prices", "raw", "shops"] {
            cluster.create_topic(topic, PARTITIONS).unwrap();
        }
        World { cluster, commit_interval_ms: 50 }
    }

    pub async fn start(&self) -> Instance {
        self.start_with(|builder| builder).await
    }

    /// With a server that `with` makes.
    pub async fn start_with(&self, with: impl FnOnce(Builder) -> Builder) -> Instance {
        let state = tempfile::tempdir().unwrap();
        let port = free_port();
        let streams = self.streams(state.path(), port);
        let builder = QueryServer::builder(&streams)
            .key_value(&StoreHandle::<String, i64>::named("counts"))
            .key_value(&StoreHandle::<String, String>::named("shops"))
            .key_value_with(&StoreHandle::<Vec<u8>, i64>::named("raw"), KeyText::base64())
            .window(&StoreHandle::<String, i64>::named("windows"))
            .session(&StoreHandle::<String, i64>::named("sessions"))
            .versioned(&StoreHandle::<String, i64>::named("prices"));
        let serving = with(builder).build().unwrap().serve().await.unwrap();
        Instance { streams, host: serving.address().to_string(), serving, state }
    }

    fn streams(&self, state: &Path, port: u16) -> KafkaStreams {
        let builder = KafkaStreams::builder(topology()).application_id("asked").on(&self.cluster).state_dir(state);
        let builder = builder.set("dsl.store.suppliers.class", "in_memory").set("num.standby.replicas", "1");
        let builder = builder.set("heartbeat.interval.ms", "200").set("statestore.cache.max.bytes", "0");
        let builder = builder.set("sasl.jaas.config", "nobody's business");
        let builder = builder.set("application.server", format!("127.0.0.1:{port}"));
        builder
            .set("commit.interval.ms", self.commit_interval_ms.to_string())
            .set("poll.ms", "10")
            .threads(1)
            .start()
            .unwrap()
    }

    /// The number `n` is its key's, and says how many that has had before.
    pub fn feed(&self, n: i64) {
        let (key, value) = (key(n % KEYS), (n / KEYS).to_be_bytes());
        self.put("numbers", key.as_bytes(), &value, n * 10);
    }

    pub fn put(&self, topic: &str, key: &[u8], value: &[u8], time: i64) {
        let (topic, time) = (Topic::from(topic), Timestamp::from_millis(time));
        self.cluster.produce(&topic, Some(key), Some(value), time, &Headers::new()).unwrap();
    }

    /// Everything that the tests ask for: 60 of each key, ten prices, two shops, two raw keys.
    pub fn feed_all(&self) {
        (0..60 * KEYS).for_each(|n| self.feed(n));
        (0..10_i64).for_each(|n| self.put("prices", b"pen", &n.to_be_bytes(), n * 100));
        self.put("shops", b"s1", b"Rome", 1);
        self.put("shops", b"s/2 ?", b"Oslo", 1);
        self.put("raw", &[0xfb, 0xff], &1_i64.to_be_bytes(), 1);
        self.put("raw", &[0xfb, 0x00], &2_i64.to_be_bytes(), 1);
    }
}

pub fn key(number: i64) -> String {
    format!("k{number:02}")
}

/// A port that nobody has just now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The status, the head and the body that `host` answers `request` with.
pub async fn exchange(host: &str, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The server may end the connection of one who says more than it reads.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, head.to_lowercase(), body.to_owned())
}

pub async fn get_text(host: &str, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let (status, _, body) = exchange(host, &request).await;
    (status, body)
}

pub async fn get(host: &str, path: &str) -> (u16, Value) {
    let (status, body) = get_text(host, path).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {status}, {error}: {body}")))
}

/// What is asked until it is there.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asked = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("it never came to this: {what}"))
}

/// Until `host` counts everything that was fed, in every store.
pub async fn wait_for_all(hosts: &[&str]) {
    wait_for("everything is there", || async {
        let (mut counted, mut windows, mut sessions) = (0, 0, 0);
        for host in hosts {
            counted += sum(host, "counts/keys").await?;
            windows += sum(host, "windows/windows").await?;
            sessions += sum(host, "sessions/sessions").await?;
        }
        (counted == 60 * KEYS && windows == counted && sessions == counted).then_some(())
    })
    .await;
}

/// The sum of a store's values on `host`, over all pages; `None` when it has no answer.
async fn sum(host: &str, path: &str) -> Option<i64> {
    let (mut sum, mut after) = (0, String::new());
    loop {
        let (status, page) = get(host, &format!("/v1/stores/{path}?{after}")).await;
        if status != 200 {
            return None;
        }
        sum += page["entries"].as_array()?.iter().filter_map(|entry| entry["value"].as_i64()).sum::<i64>();
        match page["next"].as_str() {
            Some(next) => after = format!("after={next}"),
            None => return Some(sum),
        }
    }
}
