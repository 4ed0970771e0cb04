//! Descriptions of programs on tables, equal to what Java Kafka Streams recorded for them.
#![allow(missing_docs, clippy::ptr_arg, reason = "tests; functions of the types that operators hand over")]

use headwater_dsl::{Grouped, KTable, Materialized, StreamsBuilder};
use headwater_topology::StoreId;

fn check(builder: &StreamsBuilder, recorded: &str) {
    let topology = builder.build().expect("the program has no mistakes");
    assert_eq!(topology.describe().trim_end(), recorded.trim_end());
}

fn table(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.table("t")
}

fn texts() -> Materialized<String, String> {
    Materialized::by_type()
}

fn grouped() -> Grouped<String, String> {
    Grouped::by_type()
}

fn turned(key: &String, value: &String) -> (String, String) {
    (value.clone(), key.clone())
}

fn last(_: String, value: &String) -> String {
    value.clone()
}

fn first(so_far: String, _: &String) -> String {
    so_far
}

#[test]
fn aggregates_of_tables_have_javas_names_and_numbers() {
    let builder = StreamsBuilder::new();
    let table = table(&builder);
    let unnamed = table.group_by_with(turned, grouped());
    let named = table.group_by_with(turned, grouped().with_name("grp"));
    let _ = unnamed.count();
    let _ = unnamed.count().named("c1");
    let _ = unnamed.count_with(Materialized::inherited());
    let _ = unnamed.reduce(last, first);
    let _ = unnamed.aggregate(String::new, |_, value, _| value.clone(), |_, _, so_far| so_far).named("a1");
    let _ = named.count_with(Materialized::named("s1"));
    let _ = named.count();
    table.to_stream().to("out");
    check(&builder, include_str!("describe/aggregates-table.txt"));
}

#[test]
fn a_filter_of_a_kept_table_is_kept_nowhere() {
    let builder = StreamsBuilder::new();
    let table = builder.table_with("t", headwater_dsl::Consumed::inherited(), texts().with_name("ts"));
    let _ = table;
    // The options of the topic name no serdes: a mistake.
    assert!(builder.build().is_err());

    let builder = StreamsBuilder::new();
    let consumed = headwater_dsl::Consumed::<String, String>::by_type();
    let table = builder.table_with("t", consumed, Materialized::named("ts"));
    assert_eq!(table.queryable_store().map(|store| store.name().to_owned()).as_deref(), Some("ts"));
    table.filter(|_, _| true).to_stream().to("out");
    check(&builder, include_str!("describe/filter-of-materialized.txt"));
}

#[test]
fn options_without_a_name_use_up_a_number_and_make_no_store() {
    let builder = StreamsBuilder::new();
    let filtered = table(&builder).filter_with(|_, _| true, texts());
    assert!(filtered.queryable_store().is_none());
    filtered.to_stream().to("out");
    check(&builder, include_str!("describe/filter-unnamed-materialized.txt"));
}

#[test]
fn mapped_values_are_kept_in_the_store_that_was_named() {
    let builder = StreamsBuilder::new();
    let mapped = table(&builder).map_values_with(|key, value| format!("{key}={value}"), texts().with_name("ms"));
    mapped.to_stream().to("out");
    check(&builder, include_str!("describe/map-values-materialized.txt"));
}

#[test]
fn transformed_values_are_filtered_into_a_store() {
    let builder = StreamsBuilder::new();
    let transformed = table(&builder).transform_values(|key, value| Some(format!("{key}={value:?}")));
    let filtered = transformed.filter_with(|_, text| text.contains("None"), texts().with_name("f"));
    filtered.to_stream().to("out");
    check(&builder, include_str!("describe/transform-values-filter.txt"));
}

#[test]
fn counts_can_be_counted() {
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, String>("in").group_by_key().count_with(Materialized::named("c"));
    let by_count = counts.group_by(|_, count| (count.to_string(), *count));
    by_count.count_with(Materialized::named("cc")).to_stream().to("out");
    check(&builder, include_str!("describe/count-of-counts.txt"));
}

#[test]
fn grouping_a_filtered_table_makes_its_source_keep_old_values() {
    let builder = StreamsBuilder::new();
    let grouped = table(&builder).filter(|_, text| text.starts_with('x')).group_by(turned);
    grouped.count().to_stream().to("out");
    check(&builder, include_str!("describe/table-group-after-filter.txt"));
    let topology = builder.build().expect("the program has no mistakes");
    let stores: Vec<StoreId> = topology.store_order().to_vec();
    assert_eq!(stores.len(), 2);
}

#[test]
fn caching_and_logging_are_as_the_options_say() {
    let builder = StreamsBuilder::new();
    let kept = texts().with_name("kept").with_caching_disabled().with_logging_disabled();
    let _ = table(&builder).filter_with(|_, _| true, kept);
    let _ = table_of(&builder, "u").filter_with(|_, _| true, texts().with_name("usual"));
    let topology = builder.build().expect("the program has no mistakes");
    let store = |name: &str| {
        let id = topology.store_named(name).expect("the store was made");
        topology.store(id).expect("the store is there").spec.clone()
    };
    assert!(!store("kept").caching);
    assert!(matches!(store("kept").logging, headwater_store::Logging::Disabled));
    assert!(store("usual").caching);
    assert!(matches!(store("usual").logging, headwater_store::Logging::Enabled(_)));
}

fn table_of(builder: &StreamsBuilder, topic: &str) -> KTable<String, String> {
    builder.table(topic)
}
