//! Descriptions of topologies, equal to what Java Kafka Streams recorded for the same programs.
#![allow(missing_docs, clippy::ptr_arg, reason = "tests; functions of the types that operators hand over")]

use headwater_dsl::{Grouped, KStream, Materialized, StreamsBuilder};

fn check(builder: &StreamsBuilder, recorded: &str) {
    let topology = builder.build().expect("the program has no mistakes");
    assert_eq!(topology.describe().trim_end(), recorded.trim_end());
}

fn last(_: String, value: &String) -> String {
    value.clone()
}

fn add_last(_: &String, value: &String, _: String) -> String {
    value.clone()
}

#[test]
fn aggregates_have_javas_names_and_numbers() {
    let builder = StreamsBuilder::new();
    let stream: KStream<String, String> = builder.stream("in");
    let grouped = stream.group_by_key();
    let _ = grouped.count();
    let _ = grouped.count().named("c1");
    let _ = grouped.count_with(Materialized::inherited());
    let _ = grouped.count_with(Materialized::named("s1"));
    let _ = grouped.count_with(Materialized::named("s2")).named("c2");
    let _ = grouped.reduce(last);
    let _ = grouped.reduce_with(last, Materialized::inherited());
    let _ = grouped.reduce_with(last, Materialized::named("s3"));
    let _ = grouped.reduce_with(last, Materialized::named("s4")).named("r1");
    let _ = grouped.aggregate(String::new, add_last);
    let string = headwater_record::DefaultSerde::default_serde();
    let _ =
        grouped.aggregate_with(String::new, add_last, Materialized::named("s5").with_value_serde(string)).named("a1");
    stream.for_each(|_, _| ());
    check(&builder, include_str!("describe/aggregates.txt"));
}

#[test]
fn aggregates_of_another_key_share_a_repartition_topic_only_when_it_is_named() {
    let builder = StreamsBuilder::new();
    let stream: KStream<String, String> = builder.stream("in");
    let unnamed = stream.group_by(|_, value| value.clone());
    let named = stream.group_by_with(
        |_, value| value.clone(),
        Grouped::<String, String>::inherited()
            .with_name("grp")
            .with_key_serde(headwater_record::DefaultSerde::default_serde()),
    );
    let _ = unnamed.count();
    let _ = unnamed.count().named("c1");
    let _ = unnamed.count_with(Materialized::named("s1"));
    let _ = unnamed.reduce_with(last, Materialized::inherited());
    let _ = named.count();
    let string = headwater_record::DefaultSerde::default_serde();
    let _ = named.aggregate_with(String::new, add_last, Materialized::named("s2").with_value_serde(string));
    stream.for_each(|_, _| ());
    check(&builder, include_str!("describe/aggregates-repartition.txt"));
}

#[test]
fn a_stream_becomes_a_table_through_a_repartition_topic_where_its_key_was_changed() {
    let builder = StreamsBuilder::new();
    let first: KStream<String, String> = builder.stream("in");
    let selected = builder.stream::<String, String>("in2").select_key(|_, value| value.clone());
    let kept = Materialized::<String, String>::by_type;
    let _ = first.to_table();
    let _ = first.to_table().named("n1");
    let _ = first.to_table_with(Materialized::named("s1"));
    let _ = selected.to_table();
    let _ = selected.to_table_named_with("n2", kept());
    let _ = selected.to_table_named_with("n3", kept().with_name("s3"));
    first.for_each(|_, _| ());
    check(&builder, include_str!("describe/to-table.txt"));
}

#[test]
fn the_same_topic_read_twice_has_one_source() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("a");
    builder.stream::<String, String>("in").to("b");
    let text = builder.build().expect("the program has no mistakes").describe();
    assert_eq!(text.matches("Source:").count(), 1, "{text}");
    assert!(text.contains("--> KSTREAM-SINK-0000000001, KSTREAM-SINK-0000000003"), "{text}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let builder = StreamsBuilder::new();
    let stream: KStream<String, String> = builder.stream("in");
    let _ = stream.filter(|_, _| true).named("no spaces");
    let _ = stream.filter(|_, _| true).named("same");
    let _ = stream.filter(|_, _| true).named("same");
    let mistakes = builder.build().expect_err("there are two").to_string();
    assert!(mistakes.contains("Name \"no spaces\" is illegal"), "{mistakes}");
    assert!(mistakes.contains("Processor same is already added."), "{mistakes}");
}

#[test]
fn a_missing_serde_is_a_mistake_that_names_the_node() {
    struct Foreign;
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("in")
        .map_values(|_, _| Foreign)
        .to_with("out", headwater_dsl::Produced::inherited().with_name("my-sink"));
    let mistakes = builder.build().expect_err("there is one").to_string();
    assert!(mistakes.contains("my-sink has inherited no serde"), "{mistakes}");
}
