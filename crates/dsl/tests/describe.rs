//! Descriptions of topologies, equal to what Java Kafka Streams recorded for the same programs.
#![allow(missing_docs, clippy::ptr_arg, reason = "tests; functions of the types that operators hand over")]

use headwater_dsl::{Consumed, Grouped, KStream, Materialized, Produced, StreamsBuilder, Topics};

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
fn a_name_alone_leaves_the_serdes_of_the_types() {
    let builder = StreamsBuilder::new();
    let words = builder.stream_with("in", Consumed::<String, String>::named("words"));
    let lengths = words.group_by_with(|_, word| word.len() as i64, Grouped::named("by-length"));
    let sums = lengths.aggregate_with(|| 0_i64, |_, word, sum| sum + word.len() as i64, Materialized::named("sums"));
    sums.to_stream().to_with("out", Produced::named("sums-sink"));
    words.map_values(|_, word| word.len() as i64).to_with("lengths", Produced::named("lengths-sink"));
    builder.table_with("t", Consumed::<String, i64>::named("table"), Materialized::named("kept"));
    let text = builder.build().expect("all serdes are known").describe();
    for name in ["words", "by-length-repartition", "sums", "sums-sink", "lengths-sink", "kept"] {
        assert!(text.contains(name), "{name} in {text}");
    }
}

#[test]
fn a_topic_that_is_read_as_two_types_is_a_mistake_that_names_topic_and_types() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>(["words", "lines"]).to("out");
    builder.stream::<String, i64>(["lines", "words"]).to("out");
    let mistakes = builder.build().expect_err("there is one").to_string();
    let expected = "Invalid topology: lines, words is read as `String, String` and as `String, i64`: read it once, \
                    and make the other stream of that one, with `map` for instance";
    assert_eq!(mistakes, expected);
}

#[test]
fn two_missing_serdes_of_one_operator_are_told_at_once() {
    struct Foreign;
    let builder = StreamsBuilder::new();
    let table = builder.table::<String, String>("in");
    let _ = table.group_by_with(|key, _| (key.clone(), Foreign), Grouped::inherited()).count();
    let mistakes = builder.build().expect_err("nobody knows how groups are written").to_string();
    let what = "the keys, which are `String`, and the values, which are `Foreign`, and inherits none";
    let cure = "add `.with_key_serde(..)` and `.with_value_serde(..)` to the `Grouped` of its operator";
    assert!(mistakes.starts_with(&format!("KSTREAM-SINK-0000000005 has no serde for {what}: {cure}.")), "{mistakes}");
}

#[test]
fn a_missing_serde_is_a_mistake_that_names_the_node() {
    struct Foreign;
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("in")
        .map_values(|_, _| Foreign)
        .to_with("out", Produced::inherited().with_name("my-sink"));
    let mistakes = builder.build().expect_err("there is one").to_string();
    assert!(mistakes.contains("my-sink has no serde for the values, which are `Foreign`"), "{mistakes}");
    assert!(mistakes.contains("add `.with_value_serde(..)` to the `Produced`"), "{mistakes}");
}

#[test]
fn what_has_no_keys_is_not_grouped_by_them() {
    let builder = StreamsBuilder::new();
    let lines = builder.values::<String>("lines");
    lines.group_by_key().count().to_stream().to("counts");
    lines.to_table::<String>().to_stream().to("last");
    lines.group_by(|(), line| line.clone()).count().to_stream().to("by-line");
    let mistakes = builder.build().expect_err("nothing would be counted");
    assert_eq!(mistakes.iter().count(), 2, "{mistakes}");
    let first = mistakes.to_string();
    assert!(first.contains("KSTREAM-SOURCE-0000000000 has no keys") && first.contains("`group_by`"), "{first}");
}

#[test]
fn a_pattern_that_is_none_is_a_mistake_of_the_topology() {
    for pattern in ["(?!internal-).*-events", "(orders"] {
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>(Topics::Matching(pattern.to_owned())).to("out");
        let mistakes = builder.build().expect_err("it matches nothing").to_string();
        assert!(mistakes.starts_with(&format!("Invalid topology: {pattern:?} is no regular expression")), "{mistakes}");
    }
}

#[test]
fn topics_come_as_any_list_of_names() {
    let names = vec!["a".to_owned(), "b".to_owned()];
    let all = Topics::Named(names.clone());
    assert_eq!(
        [Topics::from(&names), Topics::from(names.as_slice()), Topics::from(["a", "b"])],
        [(); 3].map(|()| all.clone())
    );
    assert_eq!(
        [Topics::from(&["a", "b"]), Topics::from(vec!["a", "b"]), Topics::from(names)],
        [(); 3].map(|()| all.clone())
    );
    assert_eq!(
        [Topics::from(&"a".to_owned()), Topics::from("a")],
        [(); 2].map(|()| Topics::Named(vec!["a".to_owned()]))
    );
}
