//! A serde is told the topic that its bytes really lie in, on both ends, as Java tells it.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::{BufferConfig, KStream, KTable, Topics};
use headwater::dsl::{Consumed, Grouped, Joined, Materialized, Produced, Repartitioned, StreamsBuilder, Suppressed};
use headwater::processor::{ProcessError, Processor, ProcessorContext, StoreAccess};
use headwater::record::{Encoded, Record, Serde, SerdeError, SharedSerde, Timestamp};
use headwater::store::{StoreKind, StoreSpec};
use headwater::testing::TopologyTestDriver;
use headwater::window::{SessionWindows, SlidingWindows, TimeWindows};

/// Writes the topic's name before each text, and reads what was written to the same topic only.
struct Branded;

impl Serde<String> for Branded {
    fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.extend_from_slice(format!("<{topic}>{value}").as_bytes());
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let own = text.strip_prefix(&format!("<{topic}>")).map(str::to_owned);
        own.ok_or_else(|| SerdeError::malformed::<String>(format!("{text:?} was read as of topic {topic}")))
    }
}

fn branded() -> SharedSerde<String> {
    Arc::new(Branded)
}

fn kept() -> Materialized<String, String> {
    Materialized::inherited().with_key_serde(branded()).with_value_serde(branded())
}

fn join(one: &str, other: &str) -> String {
    format!("{one}{other}")
}

/// Every operator that has a repartition topic or a store.
fn topology() -> headwater::processor::Topology {
    let builder = StreamsBuilder::new();
    let consumed = || Consumed::with(branded(), branded());
    let produced = || Produced::with(branded(), branded());
    let grouped = || Grouped::with(branded(), branded());
    let input: KStream<String, String> = builder.stream_with("in", consumed());
    let moved = input.select_key(|_, value| value.clone());

    moved.repartition_with(Repartitioned::with(branded(), branded())).to_with("repartitioned", produced());
    let reduced = moved.group_by_key_with(grouped()).reduce_with(|one, other| join(&one, other), kept());
    reduced.to_stream().to_with("reduced", Produced::inherited());
    let by_key = input.group_by_key_with(grouped());
    let minute = Duration::from_mins(1);
    let tumbling = TimeWindows::of_size_with_no_grace(minute);
    let windows = by_key.windowed_by(tumbling).reduce_with(|one, other| join(&one, other), kept());
    windows.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())).to_stream().for_each(|_, _| ());
    let sliding = SlidingWindows::of_time_difference_with_no_grace(minute);
    by_key.windowed_by(sliding).reduce_with(|one, other| join(&one, other), kept());
    let sessions = SessionWindows::of_inactivity_gap_with_no_grace(minute);
    by_key.windowed_by(sessions).reduce_with(|one, other| join(&one, other), kept());

    let table = builder.table_with("rows", consumed(), Materialized::inherited());
    let other = builder.table_with("others", consumed(), Materialized::named("kept"));
    let global = builder.global_table_with("shops", consumed(), Materialized::inherited());
    let joined = table.join(&other, |one, other| join(one, other)).to_stream();
    joined.map_values(|_, value| value.clone().unwrap_or_default()).to_with("joined", produced());
    let limited = table.suppress(Suppressed::until_time_limit(
        Duration::from_millis(5),
        BufferConfig::max_records(1).emit_early_when_full(),
    ));
    limited.to_stream().to_with("suppressed", Produced::inherited());
    let groups = table.group_by_with(|_, value| (value.clone(), value.clone()), Grouped::with(branded(), branded()));
    let sums = groups.reduce_with(|one, other| join(&one, other), |one, _| one, kept());
    sums.to_stream().to_with("sums", Produced::inherited());
    moved.to_table_with(kept()).to_stream().to_with("tabled", Produced::inherited());
    let joined = Joined::with(branded(), branded());
    moved.join_table_with(&other, |_, one, other| join(one, other), joined).to_with("found", produced());
    input.join_global(&global, |key, _| key.clone(), |_, one, shop| join(one, shop)).to_with("cities", produced());
    builder.build().unwrap()
}

#[test]
fn every_operator_tells_serdes_where_their_bytes_lie() {
    let driver = TopologyTestDriver::builder(topology()).setting("application.id", "app").build().unwrap();
    let mut at = 0;
    for topic in ["shops", "rows", "others", "in"] {
        for (key, value) in [("a", "a"), ("a", "b"), ("b", "a"), ("a", "a")] {
            at += 40_000;
            let headers = headwater::record::Headers::new();
            let bytes = |text: &str| format!("<{topic}>{text}").into_bytes();
            driver.pipe(topic, Some(&bytes(key)), Some(&bytes(value)), Timestamp::from_millis(at), &headers).unwrap();
        }
    }
    assert_eq!(driver.dropped_records(), 0);
    let written = driver.produced_topics();
    let internal = written.iter().filter(|topic| topic.as_str().starts_with("app-"));
    assert!(internal.count() >= 14, "{written:?}");
    for topic in &written {
        for record in driver.records(topic.as_str()) {
            let key = record.key.expect("every record has a key");
            let text = String::from_utf8_lossy(&key).into_owned();
            assert!(text.contains(&format!("<{topic}>")), "{topic} has the key {text:?}");
        }
    }
}

#[test]
fn a_table_of_a_stream_has_the_serdes_of_the_stream() {
    let builder = StreamsBuilder::new();
    let moved = builder.stream_with("in", Consumed::with(branded(), branded())).select_key(|_, value| value.clone());
    let table: KTable<String, String> = moved.to_table();
    table.to_stream().to_with("out", Produced::inherited().with_key_serde(branded()));
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    driver.input_topic_with("in", branded(), branded()).pipe("k".to_owned(), "v".to_owned()).unwrap();
    let value = driver.read_records("out").remove(0).value.unwrap();
    assert_eq!(String::from_utf8_lossy(&value), "<out>v");
}

#[test]
fn a_global_store_is_filled_by_the_serdes_of_the_types() {
    struct Ignores;
    impl Processor<String, String, (), ()> for Ignores {
        fn process(
            &mut self,
            _: &mut ProcessorContext<'_, '_, (), ()>,
            _: Record<'_, String, String>,
        ) -> Result<(), ProcessError> {
            Ok(())
        }
    }
    let builder = StreamsBuilder::new();
    let store = StoreSpec::new("names", StoreKind::KeyValue);
    builder.add_global_store(store, "names", Consumed::named("fill"), |_: &mut StoreAccess<'_, '_>| Ok(Ignores));
    TopologyTestDriver::new(builder.build().unwrap()).unwrap();
}

#[test]
fn a_topic_that_is_named_like_its_pattern_is_read() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>(Topics::Matching("orders.eu".to_owned())).to("out");
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    for topic in ["orders.eu", "orders-eu"] {
        let piped = driver.input_topic::<String, String>(topic).pipe("k".to_owned(), topic.to_owned());
        piped.unwrap();
    }
    assert_eq!(driver.read_records("out").len(), 2);
}

#[test]
fn a_stream_whose_keys_changed_is_joined_with_a_table_by_its_types_serdes() {
    let builder = StreamsBuilder::new();
    let customers = builder.table::<String, String>("customers");
    let orders =
        builder.stream::<String, String>("orders").select_key(|_, order| order.chars().take(1).collect::<String>());
    orders.left_join_table(&customers, |_, order, customer: Option<&String>| format!("{order} {customer:?}")).to("out");
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    driver.input_topic::<String, String>("customers").pipe("a", "Ann").unwrap();
    driver.input_topic::<String, String>("orders").pipe("1", "a pen").unwrap();
    assert_eq!(driver.output_topic::<String, String>("out").read_values().unwrap(), ["a pen Some(\"Ann\")"]);
}

#[cfg(feature = "rocksdb")]
#[test]
fn wiping_the_state_of_a_driver_leaves_its_global_stores_open() {
    let builder = StreamsBuilder::new();
    let names = builder.global_table::<String, String>("names");
    let visits = builder.stream::<String, String>("visits");
    visits.group_by_key().count().to_stream().to("counts");
    visits.join_global(&names, |key, _| key.clone(), |_, _, name: &String| name.clone()).to("named");
    let directory = tempfile::tempdir().unwrap();
    let stores = headwater::rocksdb::RocksDbStores::new(headwater::store::MemoryBudget::default());
    let driver = TopologyTestDriver::builder(builder.build().unwrap())
        .persistent_stores(std::sync::Arc::new(stores), directory.path())
        .build()
        .unwrap();
    driver.input_topic::<String, String>("names").pipe("a", "Ann").unwrap();
    let visits = driver.input_topic::<String, String>("visits");
    visits.pipe("a", "one").unwrap();
    driver.restart(headwater::testing::StateOnDisk::Wiped).unwrap();
    assert!(directory.path().join("global").join("rocksdb").is_dir(), "what is open is not deleted");
    visits.pipe("a", "two").unwrap();
    assert_eq!(driver.output_topic::<String, String>("named").read_values().unwrap(), ["Ann", "Ann"]);
    assert_eq!(driver.output_topic::<String, Option<i64>>("counts").read_values().unwrap(), [Some(1), Some(2)]);
}
