//! A null in a table's topic deletes the row, whatever the type of its values.
#![cfg(test)]

use headwater::dsl::{KTable, Materialized, StreamsBuilder};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp};
use headwater::testing::TopologyTestDriver;

/// Pipes texts at times 0, 1, 2, …; `None` is null.
fn pipe(driver: &TopologyTestDriver, topic: &str, records: &[(&str, Option<&str>)]) {
    for (at, (key, value)) in records.iter().enumerate() {
        let at = Timestamp::from_millis(at as i64);
        driver.pipe(topic, Some(key.as_bytes()), value.map(str::as_bytes), at, &Headers::new()).unwrap();
    }
}

/// What was written to `topic`, as texts.
fn written(driver: &TopologyTestDriver, topic: &str) -> Vec<(String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let records = driver.read_records(topic).into_iter();
    records.map(|record| (text(&record.key.unwrap()), record.value.map(|value| text(&value)))).collect()
}

fn row(key: &str, value: Option<&str>) -> (String, Option<String>) {
    (key.to_owned(), value.map(str::to_owned))
}

fn driver(build: impl FnOnce(&StreamsBuilder)) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    build(&builder);
    let topology: Topology = builder.build().unwrap();
    TopologyTestDriver::new(topology).unwrap()
}

#[test]
fn a_null_in_the_topic_of_a_table_deletes_its_row() {
    for kept in [Materialized::inherited(), Materialized::named("kept")] {
        let driver = driver(move |builder| {
            let consumed = headwater::dsl::Consumed::<String, String>::by_type();
            let stock = builder.table_with("stock", consumed, kept);
            stock.to_stream().to("out");
            let sales = builder.stream::<String, String>("sales");
            sales.join_table(&stock, |_, sale, stock| format!("{sale}{stock}")).to("sold");
        });
        pipe(&driver, "stock", &[("pens", Some("3")), ("ink", Some("1")), ("pens", None)]);
        assert_eq!(written(&driver, "out"), [row("pens", Some("3")), row("ink", Some("1")), row("pens", None)]);
        pipe(&driver, "sales", &[("pens", Some("x")), ("ink", Some("y"))]);
        assert_eq!(written(&driver, "sold"), [row("ink", Some("y1"))], "the deleted row joins no more");
        assert_eq!(driver.dropped_records(), 0);
        driver.close().unwrap();
    }
}

#[test]
fn a_null_in_the_topic_of_a_global_table_deletes_its_row() {
    let driver = driver(|builder| {
        let shops = builder.global_table::<String, String>("shops");
        let sales = builder.stream::<String, String>("sales");
        sales.left_join_global(&shops, |key, _| key.clone(), |_, sale, shop| format!("{sale}{shop:?}")).to("sold");
    });
    pipe(&driver, "shops", &[("a", Some("here")), ("a", None), ("b", Some("there"))]);
    pipe(&driver, "sales", &[("a", Some("x")), ("b", Some("y"))]);
    assert_eq!(written(&driver, "sold"), [row("a", Some("xNone")), row("b", Some("ySome(\"there\")"))]);
    assert_eq!(driver.dropped_records(), 0);
}

#[test]
fn a_stream_of_options_makes_a_table_whose_rows_none_deletes() {
    let driver = driver(|builder| {
        let changes = builder.stream::<String, Option<String>>("changes");
        let as_they_lie: KTable<String, String> = changes.to_table();
        as_they_lie.to_stream().to("out");
        let moved = changes.select_key(|key, _| format!("{key}!"));
        let repartitioned: KTable<String, String> = moved.to_table();
        repartitioned.to_stream().to("moved");
    });
    pipe(&driver, "changes", &[("a", Some("1")), ("a", None)]);
    assert_eq!(written(&driver, "out"), [row("a", Some("1")), row("a", None)]);
    assert_eq!(written(&driver, "moved"), [row("a!", Some("1")), row("a!", None)]);
}

#[test]
fn a_table_of_options_is_a_mistake_that_names_the_type_to_write() {
    let builder = StreamsBuilder::new();
    builder.table::<String, Option<i64>>("stock").to_stream().for_each(|_, _| ());
    let mistake = builder.build().unwrap_err().to_string();
    assert!(mistake.contains("topic stock") && mistake.contains("read it with values of i64"), "{mistake}");
}

/// Deletions of what was never there troubled whoever read the filtered table (KAFKA-10077).
#[test]
fn a_filter_deletes_only_what_it_let_through() {
    for kept in [None, Some(Materialized::named("kept"))] {
        let driver = driver(move |builder| {
            let sales = builder.stream::<String, String>("sales").group_by_key();
            let counts = sales.count_with(Materialized::named("counts").with_caching_disabled());
            let two = |_: &String, count: &i64| *count == 2;
            let twice = match kept {
                Some(kept) => counts.filter_with(two, kept.with_caching_disabled()),
                None => counts.filter(two),
            };
            twice.to_stream().map_values(|_, count| count.map(|count| count.to_string())).to("out");
        });
        let sale = [("pens", Some("x"))];
        pipe(&driver, "sales", &sale);
        assert_eq!(written(&driver, "out"), [], "the first one was never let through");
        pipe(&driver, "sales", &sale);
        pipe(&driver, "sales", &sale);
        assert_eq!(written(&driver, "out"), [row("pens", Some("2")), row("pens", None)]);
    }
}
