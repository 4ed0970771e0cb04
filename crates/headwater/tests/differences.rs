//! What `docs/differences.md` says of Java and this library, shown.
#![cfg(test)]

use headwater::dsl::{Materialized, StreamsBuilder, Topics};
use headwater::processor::prelude::*;
use headwater::record::Headers;
use headwater::store::{Store, StoreKind};
use headwater::testing::TopologyTestDriver;

fn driver(builder: &StreamsBuilder, settings: &[(&str, &str)]) -> TopologyTestDriver {
    let settings = settings.iter().copied();
    TopologyTestDriver::builder(builder.build().unwrap()).settings(settings).build().unwrap()
}

#[test]
fn text_that_is_no_utf_8_goes_to_the_deserialization_handler() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("out");
    let driver = driver(&builder, &[("deserialization.exception.handler", "LogAndContinueExceptionHandler")]);
    let pipe = |value: &[u8]| driver.pipe("in", Some(b"k"), Some(value), 1.into(), &Headers::new()).unwrap();
    pipe(b"caf\xe9");
    assert_eq!((driver.records("out").len(), driver.dropped_records()), (0, 1));
    pipe("café".as_bytes());
    assert_eq!(driver.output_topic::<String, String>("out").read_value().unwrap(), "café");
}

#[test]
fn a_join_whose_stream_reads_its_topic_second_asks_for_as_many_partitions() {
    let builder = StreamsBuilder::new();
    let prices = builder.table::<String, i64>("prices");
    builder.stream::<String, i64>("sales").to("copies");
    builder.stream::<String, i64>("sales").join_table(&prices, |_, sold, price| sold * price).to("turnover");
    let topology = builder.build().unwrap();
    let [group] = topology.copartition_groups() else { panic!("one group: {:?}", topology.copartition_groups()) };
    assert_eq!(group.iter().map(String::as_str).collect::<Vec<_>>(), ["prices", "sales"]);
}

/// Puts two keys into a store that has room for one, or goes through it.
struct Two(Rc<KeyValueState<String, String>>);

impl Processor<String, String, String, String> for Two {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        if record.value == "put" {
            for key in ["a".to_owned(), "b".to_owned()] {
                self.0.put_at(cx, &key, key.clone(), &record)?;
            }
        }
        let found: String = self.0.entries(cx)?.into_iter().map(|(_, value)| value).collect();
        cx.forward(record.with_value(&found))
    }
}

#[test]
fn the_cache_before_an_lru_store_shows_rows_that_the_store_has_let_go() {
    let builder = StreamsBuilder::new();
    let spec = StoreSpec::new("last", StoreKind::Lru { max_entries: 1 });
    builder.add_state_store(spec.with_caching_enabled());
    let make = |stores: &mut StoreAccess<'_, '_>| Ok(Two(stores.key_value(&StoreHandle::named("last"))?));
    builder.stream::<String, String>("in").process(make, &["last"]).to("out");
    let driver = driver(&builder, &[]);
    let (told, seen) = (driver.input_topic::<String, String>("in"), driver.output_topic::<String, String>("out"));
    // For processors that is as in Java; only who opens the store itself does not see what lies in the cache.
    for told_to in ["put", "look"] {
        told.pipe("k", told_to).unwrap();
        assert_eq!(seen.read_value().unwrap(), "ab");
    }
    let rows = driver.with_store("last", |store| match store {
        Store::KeyValue(store) => store.approximate_len(),
        _ => 0,
    });
    assert_eq!(rows.unwrap(), 1);
}

/// Tells where its record lies.
struct Place;

impl Processor<String, String, String, String> for Place {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let at = cx.record_metadata().ok_or_else(|| ProcessError::user("no record"))?;
        let topic = at.topic.map(|topic| topic.as_str().to_owned()).unwrap_or_default();
        cx.forward(record.with_value(&format!("{topic}@{}", at.offset.value())))
    }
}

#[test]
fn each_topic_of_a_pattern_has_offsets_of_its_own() {
    let builder = StreamsBuilder::new();
    let orders = builder.stream::<String, String>(Topics::Matching("orders.*".to_owned()));
    orders.process(|_: &mut StoreAccess<'_, '_>| Ok(Place), &[]).to("places");
    let driver = driver(&builder, &[]);
    for topic in ["orders-eu", "orders-us", "orders-eu"] {
        driver.input_topic::<String, String>(topic).pipe("k", "v").unwrap();
    }
    let places = driver.output_topic::<String, String>("places").read_values().unwrap();
    assert_eq!(places, ["orders-eu@0", "orders-us@0", "orders-eu@1"]);
}

#[test]
fn under_exactly_once_dead_letters_of_bad_input_arrive() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").to("out");
    let settings = [
        ("processing.guarantee", "exactly_once_v2"),
        ("deserialization.exception.handler", "LogAndContinueExceptionHandler"),
        ("errors.dead.letter.queue.topic.name", "bad"),
    ];
    let driver = driver(&builder, &settings);
    driver.pipe("in", Some(b"k"), Some(b"no number"), 1.into(), &Headers::new()).unwrap();
    assert_eq!(driver.records("bad")[0].value.as_deref(), Some(b"no number".as_slice()));
}

/// Marks its record in place.
struct Mark;

impl Processor<String, String, String, String> for Mark {
    fn process(
        &mut self,
        _: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        record.headers.add("seen", None);
        Ok(())
    }
}

#[test]
fn what_lies_in_a_cache_has_the_headers_of_its_write() {
    for cache in ["1000000", "0"] {
        let builder = StreamsBuilder::new();
        let visits = builder.stream::<String, String>("visits");
        let counts = visits.group_by_key().count_with(Materialized::named("counts"));
        counts.to_stream().to("counts");
        visits.process(|_: &mut StoreAccess<'_, '_>| Ok(Mark), &[]).to("nothing");
        let driver = driver(&builder, &[("statestore.cache.max.bytes", cache)]);
        driver.input_topic::<String, String>("visits").pipe("k", "v").unwrap();
        assert_eq!(driver.records("counts")[0].headers.len(), 0, "cache: {cache}");
    }
}
