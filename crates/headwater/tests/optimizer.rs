//! What the optimiser changes is how records travel, not what comes of them.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater::dsl::{Grouped, KStream, Materialized, StreamsBuilder};
use headwater::processor::{Topology, TopologyErrors, TopologySettings};
use headwater::record::{DefaultSerde, Encoded, Serde, SerdeError};
use headwater::testing::TopologyTestDriver;

fn merging() -> TopologySettings {
    TopologySettings::new().with("topology.optimization", "merge.repartition.topics")
}

/// With the optimiser and without.
fn both(builder: &StreamsBuilder) -> [Topology; 2] {
    [builder.build().unwrap(), builder.build_with(&merging()).unwrap()]
}

fn refused(builder: &StreamsBuilder) -> String {
    assert!(builder.build().is_ok(), "the optimiser alone refuses it");
    builder.build_with(&merging()).map(|_| ()).map_err(|mistakes: TopologyErrors| mistakes.to_string()).unwrap_err()
}

fn named<K: DefaultSerde, V: DefaultSerde>(name: &str) -> Grouped<K, V> {
    Grouped::by_type().with_name(name)
}

fn repartition_topics(topology: &Topology) -> Vec<String> {
    let sinks = topology.nodes().filter_map(|(_, node)| node.sink_topic());
    sinks.filter(|topic| topology.is_repartition_topic(topic)).map(str::to_owned).collect()
}

/// The last value of each key in each of the topics.
fn last(topology: Topology, lines: &[&str], outputs: &[&str]) -> Vec<BTreeMap<String, i64>> {
    let driver = TopologyTestDriver::new(topology).unwrap();
    let input = driver.input_topic::<(), String>("lines");
    for line in lines {
        input.pipe((), (*line).to_owned()).unwrap();
    }
    let read = |topic: &&str| {
        let output = driver.output_topic::<String, Option<i64>>(topic);
        output.read_key_values().unwrap().into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    };
    outputs.iter().map(read).collect()
}

const LINES: &[&str] = &["ab", "ac", "bc", "a", "cab"];

#[expect(clippy::ptr_arg, clippy::trivially_copy_pass_by_ref, reason = "what operators call")]
fn first_letter(_: &(), line: &String) -> String {
    line.chars().take(1).collect()
}

#[test]
fn aggregates_below_one_key_change_share_a_topic_and_count_the_same() {
    let builder = StreamsBuilder::new();
    let by_letter = builder.values::<String>("lines").select_key(first_letter);
    by_letter.group_by_key_with(named("counted")).count().to_stream().to("counts");
    let long = by_letter.filter(|_, line| line.len() > 1);
    long.group_by_key_with(named("long")).count().to_stream().to("long-counts");
    let [plain, merged] = both(&builder);
    assert_eq!(repartition_topics(&plain), ["counted-repartition", "long-repartition"]);
    assert_eq!(repartition_topics(&merged), ["counted-repartition"]);
    let outputs = ["counts", "long-counts"];
    let expected = last(plain, LINES, &outputs);
    assert_eq!(expected[0], [("a".to_owned(), 3), ("b".to_owned(), 1), ("c".to_owned(), 1)].into());
    assert_eq!(last(merged, LINES, &outputs), expected);
}

#[test]
fn handles_that_see_another_type_move_as_well() {
    let builder = StreamsBuilder::new();
    let optional: KStream<String, Option<Option<i64>>> = builder
        .values::<String>("lines")
        .map(|(), line| (first_letter(&(), line), Some(i64::try_from(line.len()).ok())));
    let flat: KStream<String, Option<i64>> = optional.into_nullable();
    let sum = |sum: Option<i64>, length: &Option<i64>| Some(sum.unwrap_or(0) + length.unwrap_or(0));
    let kept = || Materialized::by_type();
    flat.group_by_key_with(named("sums")).reduce_with(sum, kept()).to_stream().into_nullable().to("sums");
    let long = flat.filter(|_, length| length.is_some_and(|length| length > 1));
    long.group_by_key_with(named("long")).reduce_with(sum, kept()).to_stream().into_nullable().to("long-sums");
    let [plain, merged] = both(&builder);
    assert_eq!(repartition_topics(&merged), ["sums-repartition"]);
    let outputs = ["sums", "long-sums"];
    let expected = last(plain, LINES, &outputs);
    assert_eq!(expected[0], [("a".to_owned(), 5), ("b".to_owned(), 2), ("c".to_owned(), 3)].into());
    assert_eq!(last(merged, LINES, &outputs), expected);
}

#[test]
fn a_repartition_of_another_type_than_above_is_refused() {
    let builder = StreamsBuilder::new();
    let shops = builder.global_table::<String, String>("shops");
    let by_letter = builder.values::<String>("lines").select_key(first_letter);
    // The join gives other values without saying so, as a processor may.
    let lengths = by_letter.join_global(&shops, |_, line| line.clone(), |_, _, shop| shop.len() as i64);
    lengths.group_by_key_with(named("lengths")).reduce(|sum, length| sum + length).to_stream().to("out");
    let words = refused(&builder);
    assert!(words.contains("records have another type by then; repartition right below KSTREAM-KEY-SELECT"), "{words}");
}

#[test]
fn two_repartitions_below_one_filter_are_refused_as_in_java() {
    let builder = StreamsBuilder::new();
    let by_letter = builder.values::<String>("lines").select_key(first_letter).filter(|_, line| line.len() > 1);
    by_letter.group_by_key_with(named("one")).count().to_stream().to("out");
    by_letter.group_by_key_with(named("two")).count().to_stream().to("out2");
    let words = refused(&builder);
    assert!(words.starts_with("Found a null keyChangingChild node for"), "{words}");
    assert!(words.contains("two-repartition-source"), "{words}");
}

/// Text with a letter before it.
struct Lettered(u8);

impl Serde<String> for Lettered {
    fn serialize(&self, _: &str, text: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        into.push(self.0);
        into.extend_from_slice(text.as_bytes());
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        String::default_serde().deserialize(topic, bytes.and_then(|bytes| bytes.strip_prefix(&[self.0])))
    }
}

/// Key and value of a record as they lie in the one topic of groupings of lines by their first letter: of each grouping the serdes
/// that it is given.
fn written(groupings: &[[Option<u8>; 2]]) -> [String; 2] {
    let builder = StreamsBuilder::new();
    let by_letter = builder.values::<String>("lines").select_key(first_letter);
    for [key, value] in groupings {
        let mut grouped = Grouped::named("by-letter");
        if let Some(key) = key {
            grouped = grouped.with_key_serde(Arc::new(Lettered(*key)));
        }
        if let Some(value) = value {
            grouped = grouped.with_value_serde(Arc::new(Lettered(*value)));
        }
        let _counts = by_letter.group_by_key_with(grouped).count();
    }
    let driver = TopologyTestDriver::new(builder.build_with(&merging()).unwrap()).unwrap();
    driver.input_topic::<(), String>("lines").pipe((), "line".to_owned()).unwrap();
    let topics = driver.produced_topics();
    let topic = topics.iter().find(|topic| topic.as_str().ends_with("-repartition")).unwrap();
    let record = driver.records(topic.as_str()).remove(0);
    [record.key, record.value].map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap())
}

#[test]
fn merged_topics_are_written_with_the_first_serdes_that_were_given() {
    assert_eq!(written(&[[None; 2], [None; 2]]), ["l", "line"], "by their types");
    assert_eq!(written(&[[None; 2], [Some(b'K'), Some(b'V')]]), ["Kl", "Vline"]);
    assert_eq!(written(&[[Some(b'K'), None], [Some(b'L'), Some(b'V')]]), ["Kl", "Vline"]);
    assert_eq!(written(&[[None; 2], [None, Some(b'V')], [Some(b'K'), Some(b'W')]]), ["Kl", "Vline"]);
}

#[test]
fn settings_of_the_builder_alone_do_not_optimize() {
    let builder = StreamsBuilder::with_settings(merging());
    let by_letter = builder.values::<String>("lines").select_key(first_letter);
    by_letter.group_by_key().count_with(Materialized::named("counts")).to_stream().to("counts");
    by_letter.group_by_key().count_with(Materialized::named("again")).to_stream().to("again");
    let [plain, merged] = both(&builder);
    assert_eq!((repartition_topics(&plain).len(), repartition_topics(&merged).len()), (2, 1));
    let wrong = StreamsBuilder::with_settings(TopologySettings::new().with("topology.optimization", "some"));
    assert!(wrong.build().map(|_| ()).unwrap_err().to_string().starts_with("Unrecognized config."));
}

#[test]
fn a_named_grouping_that_is_used_again_is_written_where_java_writes_it() {
    let builder = StreamsBuilder::new();
    let grouped = builder.values::<String>("lines").select_key(first_letter).group_by_key_with(named("by"));
    grouped.count().to_stream().to("counts");
    builder.values::<String>("others").to("copies");
    grouped.count().to_stream().to("again");
    let names: Vec<String> = builder.build().unwrap().nodes().map(|(_, node)| node.name.to_string()).collect();
    let place = |name: &str| names.iter().position(|other| other.contains(name)).unwrap();
    assert!(place("KSTREAM-SOURCE-0000000009") < place("by-repartition-filter"), "{names:?}");
}
