//! A serde is told the topic that its bytes really lie in, on both ends, as Java tells it.
#![cfg(test)]

mod branded;
mod operators;

use headwater::dsl::{Consumed, KTable, Produced, StreamsBuilder, Topics};
use headwater::processor::{ProcessError, Processor, ProcessorContext, StoreAccess, TopologySettings};
use headwater::record::{Headers, Record, Timestamp};
use headwater::store::{StoreKind, StoreSpec};
use headwater::testing::TopologyTestDriver;

use branded::branded;

/// What a key of this topic is told: the topic, but for two changelogs, as in Java.
fn told(topic: &str) -> String {
    match topic {
        // What waits for its grace is told the name of its node.
        _ if topic == "app-waiting-Buffer-changelog" => "waiting".to_owned(),
        // Who asks for a row by a foreign key tells the topic of the questions, and which of both keys it is.
        _ if topic.ends_with("-subscription-store-changelog") => {
            "app-lookup-subscription-registration-topic-fk".to_owned()
        }
        _ => topic.to_owned(),
    }
}

/// Runs every operator; the internal topics that were written.
fn every_operator_tells_serdes_where_their_bytes_lie(settings: &TopologySettings) -> Vec<String> {
    let topology = operators::topology(settings);
    let driver = TopologyTestDriver::builder(topology).setting("application.id", "app").build().unwrap();
    let mut at = 0;
    for topic in ["shops", "rows", "others", "versions", "in"] {
        for (key, value) in [("a", "a"), ("a", "b"), ("b", "a"), ("a", "a")] {
            at += 40_000;
            let bytes = |text: &str| format!("<{topic}>{text}").into_bytes();
            let (key, value) = (bytes(key), bytes(value));
            driver.pipe(topic, Some(&key), Some(&value), Timestamp::from_millis(at), &Headers::new()).unwrap();
        }
    }
    assert_eq!(driver.dropped_records(), 0);
    let written: Vec<String> = driver.produced_topics().iter().map(|topic| topic.as_str().to_owned()).collect();
    for topic in &written {
        for record in driver.records(topic) {
            let key = record.key.expect("every record has a key");
            let text = String::from_utf8_lossy(&key).into_owned();
            assert!(text.contains(&format!("<{}>", told(topic))), "{topic} has the key {text:?}");
        }
    }
    written.into_iter().filter(|topic| topic.starts_with("app-")).collect()
}

#[test]
fn serdes_are_told_where_their_bytes_lie() {
    let written = every_operator_tells_serdes_where_their_bytes_lie(&TopologySettings::new());
    assert_eq!(written.len(), 37, "{written:#?}");
}

#[test]
fn serdes_are_told_where_their_bytes_lie_when_repartition_topics_are_merged() {
    let merging = TopologySettings::new().with("topology.optimization", "merge.repartition.topics");
    let written = every_operator_tells_serdes_where_their_bytes_lie(&merging);
    assert_eq!(written.len(), 34, "three repartition topics less: {written:#?}");
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
