//! Windows that are closed when no records come, on a real broker and RocksDB: told once, whoever has their task, and late what comes after.
#![allow(missing_docs, reason = "a test of a real application on a real broker")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::runtime::{CloseOptions, DropReason, State};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::program::wait_for;

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
const IDLE: Duration = Duration::from_secs(3);
const PARTITIONS: i32 = 3;
const KEYS: i64 = 12;

struct Fleet {
    broker: Broker,
    id: String,
    guarantee: &'static str,
}

impl Fleet {
    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    /// Counts of two seconds, told by a suppression and by the aggregate itself.
    fn topology(&self) -> Result<Topology> {
        let builder = StreamsBuilder::new();
        // The value is its time.
        let input = Consumed::<String, String>::by_type()
            .with_timestamp_from(|record| record.value.parse().map_or(record.timestamp, Timestamp::from_millis));
        let grouped = builder.stream_with(self.topic("in"), input).group_by_key();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(2));
        let told = |name: &'static str, table: KTable<Windowed<String>, i64>| {
            let texts = table
                .to_stream()
                .map(move |key, count| (format!("{name} {}", key.key), count.unwrap_or_default().to_string()));
            texts.to_with(&self.topic("out"), Produced::by_type());
        };
        let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).after_idle(IDLE);
        told("suppressed", grouped.windowed_by(windows).count().suppress(finals));
        let closes = grouped.windowed_by(windows).emit_strategy(EmitStrategy::OnWindowCloseOrIdle(IDLE));
        told("closed", closes.count());
        Ok(builder.build()?)
    }

    fn start(&self, state: &Path, number: usize) -> Result<KafkaStreams> {
        let streams = KafkaStreams::builder(self.topology()?)
            .application_id(&self.id)
            .bootstrap_servers(&self.broker.bootstrap)
            .state_dir(state.join(number.to_string()))
            .set("processing.guarantee", self.guarantee)
            .set("commit.interval.ms", "200")
            .start()?;
        wait_for("an instance runs", PATIENCE, || {
            ensure!(!streams.state().is_final(), "it has ended: {:?}", streams.close(CloseOptions::default()));
            Ok((streams.state() == State::Running).then_some(()))
        })?;
        Ok(streams)
    }

    /// A record of each key at this time.
    fn feed(&self, time: &str) -> Result<()> {
        let keys: Vec<String> = (0..KEYS).map(|key| format!("k{key}")).collect();
        self.broker.produce(&self.topic("in"), keys.iter().map(|key| (Some(key.as_bytes()), time.as_bytes())))
    }

    fn told(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default();
        let mut told = BTreeMap::<String, Vec<String>>::new();
        for (key, value) in self.broker.read(&self.topic("out"))? {
            told.entry(text(key)).or_default().push(text(value));
        }
        Ok(told)
    }

    fn wait_until_committed(&self, records: i64) -> Result<()> {
        wait_for("all is committed", PATIENCE, || {
            Ok((self.broker.committed(&self.id, &self.topic("in"))? == records).then_some(()))
        })
    }
}

fn late(streams: &KafkaStreams) -> u64 {
    let tasks = streams.snapshot().threads.into_iter().flat_map(|thread| thread.tasks.into_values());
    tasks.map(|task| task.dropped.get(&DropReason::Late).copied().unwrap_or_default()).sum()
}

fn closes_once(guarantee: &'static str) -> Result<()> {
    let Some(broker) = Broker::of_this_run("windows_close_once_when_no_records_come") else { return Ok(()) };
    let id = format!("idle-{}-{}", guarantee.replace('_', "-"), std::process::id());
    let fleet = Fleet { broker, id, guarantee };
    for topic in ["in", "out"] {
        fleet.broker.make_topic(&fleet.topic(topic), PARTITIONS)?;
    }
    let state = tempfile::tempdir()?;
    let first = fleet.start(state.path(), 1)?;
    fleet.feed("1000")?;
    fleet.wait_until_committed(KEYS)?;
    let expected: BTreeMap<String, Vec<String>> = (0..KEYS)
        .flat_map(|key| ["suppressed", "closed"].map(|name| (format!("{name} k{key}"), vec!["1".to_owned()])))
        .collect();
    let told = wait_for("all windows are told", PATIENCE, || {
        let told = fleet.told()?;
        Ok((told.len() == expected.len()).then_some(told))
    })?;
    ensure!(told == expected, "{told:?}");
    // Late for both, here and where the tasks go.
    fleet.feed("1500")?;
    fleet.wait_until_committed(2 * KEYS)?;
    wait_for("they were late", PATIENCE, || Ok((late(&first) == 2 * KEYS.unsigned_abs()).then_some(())))?;
    let second = fleet.start(state.path(), 2)?;
    first.close(CloseOptions::default().timeout(PATIENCE))?;
    fleet.feed("1600")?;
    fleet.wait_until_committed(3 * KEYS)?;
    // Once more: what is told of this closes nothing twice.
    fleet.feed("5000")?;
    let told = wait_for("the next windows are told", PATIENCE, || {
        let told = fleet.told()?;
        Ok(told.values().all(|counts| counts.len() == 2).then_some(told))
    });
    let told = told.or_else(|_| fleet.told())?;
    let twice = expected.into_iter().map(|(key, counts)| (key, [counts.clone(), counts].concat())).collect();
    ensure!(told == twice, "{told:?}");
    second.close(CloseOptions::default().timeout(PATIENCE))?;
    Ok(())
}

#[test]
fn windows_close_once_when_no_records_come() -> Result<()> {
    closes_once("at_least_once")
}

#[test]
fn windows_close_once_when_no_records_come_exactly_once() -> Result<()> {
    closes_once("exactly_once_v2")
}
