//! Topologies of joins that nobody would write: each is built, comes to life, and its tasks are planned and given out.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::dsl::{BufferConfig, Joined, KStream, KTable, Materialized, StreamsBuilder, Suppressed, TableJoined};
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::{Topology, TopologySettings};
use headwater::record::{DefaultSerde, Timestamp};
use headwater::runtime::State;
use headwater::testing::TopologyTestDriver;
use headwater::window::{JoinWindows, TimeWindows};
use proptest::prelude::*;

const PARTITIONS: i32 = 2;
const STEPS: usize = 14;

/// One operator: which, its variant, and which of the streams and tables that there are it takes.
type Step = (u8, u8, usize, usize);

#[derive(Default)]
struct Parts {
    streams: Vec<KStream<String, String>>,
    tables: Vec<KTable<String, String>>,
}

fn pair(one: Option<&String>, other: Option<&String>) -> String {
    format!("{one:?}{other:?}")
}

fn valued() -> Materialized<String, String> {
    Materialized::inherited().with_value_serde(String::default_serde())
}

fn letter(row: &str) -> Option<String> {
    row.get(..1).map(str::to_owned)
}

impl Parts {
    fn stream(&self, at: usize) -> KStream<String, String> {
        self.streams[at % self.streams.len()].clone()
    }

    fn table(&self, at: usize) -> KTable<String, String> {
        self.tables[at % self.tables.len()].clone()
    }

    /// Adds what the step says.
    fn add(&mut self, builder: &StreamsBuilder, number: usize, (kind, variant, one, other): Step) {
        match kind {
            0 => self.streams.push(builder.stream(&*format!("stream-{}", one % 3))),
            1 => self.tables.push(builder.table(&format!("table-{number}"))),
            2 => self.streams.push(self.stream(one).select_key(|key, value| format!("{key}{value}"))),
            3 => self.streams.push(self.stream(one).repartition()),
            4 => self.streams.push(self.stream(one).merge(&self.stream(other))),
            5 => self.streams.push(self.join_streams(variant, one, other)),
            6 | 7 => self.streams.push(self.join_stream_and_table(variant, one, other)),
            8 | 9 => self.tables.push(self.join_tables(variant, one, other)),
            10 | 11 => self.tables.push(self.join_by_foreign_key(variant, one, other)),
            _ => self.change(variant, one),
        }
    }

    fn join_streams(&self, variant: u8, one: usize, other: usize) -> KStream<String, String> {
        let (left, right) = (self.stream(one), self.stream(other));
        let second = Duration::from_secs(1);
        let windows = JoinWindows::of_time_difference_and_grace(second, second);
        match variant % 3 {
            0 => left.join(&right, |_, one, other| pair(Some(one), Some(other)), windows),
            1 => left.left_join(&right, |_, one, other| pair(Some(one), other), windows),
            _ => left.outer_join(&right, |_, one, other| pair(one, other), windows),
        }
    }

    fn join_stream_and_table(&self, variant: u8, one: usize, other: usize) -> KStream<String, String> {
        let (stream, table) = (self.stream(one), self.table(other));
        match variant % 2 {
            0 => stream.join_table_with(&table, |_, one, other| pair(Some(one), Some(other)), Joined::by_type()),
            _ => stream.left_join_table_with(&table, |_, one, other| pair(Some(one), other), Joined::by_type()),
        }
    }

    fn join_tables(&self, variant: u8, one: usize, other: usize) -> KTable<String, String> {
        let (left, right) = (self.table(one), self.table(other));
        let joined = match variant % 3 {
            0 => left.join(&right, |one, other| pair(Some(one), Some(other))),
            1 => left.left_join(&right, |one, other| pair(Some(one), other)),
            _ => left.outer_join(&right, pair),
        };
        joined.map_values_with(|_, value| value.clone(), valued())
    }

    fn join_by_foreign_key(&self, variant: u8, one: usize, other: usize) -> KTable<String, String> {
        let (left, right, joined) = (self.table(one), self.table(other), TableJoined::inherited());
        match variant % 2 {
            0 => left.join_on_with(
                &right,
                |_, row| letter(row),
                |one, other| pair(Some(one), Some(other)),
                joined,
                valued(),
            ),
            _ => left.left_join_on_with(
                &right,
                |_, row| letter(row),
                |one, other| pair(Some(one), other),
                joined,
                valued(),
            ),
        }
    }

    /// Of streams tables, and of tables streams.
    fn change(&mut self, variant: u8, one: usize) {
        match variant % 7 {
            0 => self.tables.push(self.stream(one).to_table()),
            1 => self.tables.push(self.stream(one).group_by_key().aggregate(String::new, |_, value, all| all + value)),
            2 => {
                let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
                let counts = self.stream(one).group_by_key().windowed_by(windows).count();
                let last = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()));
                self.streams.push(last.to_stream().map(|windowed, count| (windowed.key.clone(), format!("{count:?}"))));
            }
            3 => self.tables.push(self.table(one).filter(|_, value| !value.is_empty())),
            4 => {
                let grouped = self.table(one).group_by(|key, value| (value.clone(), key.clone()));
                self.tables.push(grouped.reduce(|all, value| all + value, |all, _| all));
            }
            5 => {
                let limit = BufferConfig::max_records(9).emit_early_when_full();
                let suppressed = Suppressed::until_time_limit(Duration::from_secs(1), limit);
                self.tables.push(self.table(one).suppress(suppressed));
            }
            _ => self.streams.push(self.table(one).to_stream().map_values(|_, value| format!("{value:?}"))),
        }
    }
}

fn builder_of(steps: &[Step]) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let mut parts = Parts { streams: vec![builder.stream("stream-0")], tables: vec![builder.table("table")] };
    for (number, step) in steps.iter().enumerate() {
        parts.add(&builder, number, *step);
    }
    parts.streams.iter().for_each(|stream| stream.to("out"));
    parts.tables.iter().for_each(|table| table.to_stream().for_each(|_, _| ()));
    builder
}

fn comes_to_life(topology: &Topology) {
    TopologyTestDriver::new(topology.clone()).unwrap().close().unwrap();
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let cluster = Cluster::new(Arc::new(clock.clone()));
    let tables = (0..STEPS).map(|number| format!("table-{number}"));
    let streams = (0..3).map(|number| format!("stream-{number}"));
    for topic in tables.chain(streams).chain(["table".to_owned(), "out".to_owned()]) {
        cluster.create_topic(topic, PARTITIONS).unwrap();
    }
    let builder = KafkaStreams::builder(topology.clone()).application_id("random").on(&cluster);
    let mut instance = builder.set("dsl.store.suppliers.class", "in_memory").drive().unwrap();
    for _ in 0..500 {
        instance.turn();
        clock.advance(Duration::from_millis(20));
        if instance.state() == State::Running {
            return;
        }
    }
    panic!("it never came to run: {:?}; {}", instance.state(), topology.describe());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Joins by foreign keys made topologies that could not be built (KAFKA-9500), or whose assignor never came to an end
    /// (KAFKA-10689).
    #[test]
    fn whatever_is_joined_runs(
        steps in prop::collection::vec((0..16_u8, any::<u8>(), any::<usize>(), any::<usize>()), 0..STEPS),
    ) {
        let builder = builder_of(&steps);
        comes_to_life(&builder.build().unwrap());
        // Where repartitions cannot be merged, building says so.
        let all = TopologySettings::new().with("topology.optimization", "all");
        if let Ok(optimized) = builder.build_with(&all) {
            comes_to_life(&optimized);
        }
    }
}
