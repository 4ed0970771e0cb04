//! Descriptions of programs on streams, equal to what Java Kafka Streams recorded for them.
#![allow(missing_docs, clippy::ptr_arg, reason = "tests; functions of the types that operators hand over")]
#![allow(clippy::unnecessary_wraps, reason = "a supplier may fail")]

use headwater_dsl::{Consumed, KStream, Materialized, Produced, Repartitioned, StreamsBuilder, Topics};
use headwater_record::{DefaultSerde, Record};
use headwater_topology::ProcessError;
use headwater_topology::by_hand::SourceSpec;
use headwater_topology::processor::{
    FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Processor, ProcessorContext, StoreAccess,
};

type Texts = KStream<String, String>;

fn check(builder: &StreamsBuilder, recorded: &str) {
    let topology = builder.build().expect("the program has no mistakes");
    assert_eq!(topology.describe().trim_end(), recorded.trim_end());
}

fn texts(builder: &StreamsBuilder, topic: &str) -> Texts {
    builder.stream(topic)
}

fn count_into_out(stream: &Texts) {
    stream.group_by_key().count_with(Materialized::named("c")).to_stream().to("out");
}

fn words(_: &String, text: &String) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

struct Forward;

impl Processor<String, String, String, String> for Forward {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        cx.forward(record)
    }
}

impl FixedKeyProcessor<String, String, String> for Forward {
    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, String, String>,
        record: FixedKeyRecord<'_, String, String>,
    ) -> Result<(), ProcessError> {
        cx.forward(record)
    }
}

fn forward(_: &mut StoreAccess<'_, '_>) -> Result<Forward, headwater_topology::WiringError> {
    Ok(Forward)
}

#[test]
fn stateless_operators_take_one_number_each() {
    let builder = StreamsBuilder::new();
    texts(&builder, "in")
        .peek(|_, _| ())
        .filter(|_, _| true)
        .filter_not(|_, _| false)
        .map_values(|_, text| text.to_uppercase())
        .flat_map_values(words)
        .select_key(|_, text| text.clone())
        .map(|key, value| (value.clone(), key.clone()))
        .flat_map(|_, text| words(text, text).into_iter().map(|word| (word, text.clone())).collect::<Vec<_>>())
        .merge(&texts(&builder, "in2"))
        .to("out");
    check(&builder, include_str!("describe/stateless-chain.txt"));
}

#[test]
fn named_operators_have_their_names() {
    let builder = StreamsBuilder::new();
    let consumed = |name: &str| Consumed::by_type().with_name(name);
    let flat = builder
        .stream_with("in", consumed("src"))
        .peek(|_: &String, _: &String| ())
        .named("p")
        .filter(|_, _| true)
        .named("f")
        .filter_not(|_, _| false)
        .named("fn")
        .map_values(|_, text| text.to_uppercase())
        .named("mv")
        .flat_map_values(words)
        .named("fmv")
        .select_key(|_: &String, text| text.clone())
        .named("sk")
        .map(|key, value| (value.clone(), key.clone()))
        .named("m")
        .flat_map(|_, text| words(text, text).into_iter().map(|word| (word, text.clone())).collect::<Vec<_>>())
        .named("fm");
    flat.merge(&builder.stream_with("in2", consumed("src2")))
        .named("mg")
        .to_with("out", Produced::by_type().with_name("snk"));
    check(&builder, include_str!("describe/stateless-named.txt"));
}

#[test]
fn a_name_uses_up_the_number_of_the_name_it_replaces() {
    let builder = StreamsBuilder::new();
    builder
        .stream_with("in", Consumed::<String, String>::by_type().with_name("s"))
        .filter(|_, _| true)
        .named("f")
        .filter(|_, _| true)
        .to("out");
    check(&builder, include_str!("describe/named-takes-number.txt"));
}

#[test]
fn a_repartition_topic_has_the_name_it_was_given() {
    let builder = StreamsBuilder::new();
    texts(&builder, "in").repartition_with(Repartitioned::inherited().with_name("rp")).to("out");
    check(&builder, include_str!("describe/explicit-named.txt"));

    let builder = StreamsBuilder::new();
    texts(&builder, "in").repartition_with(Repartitioned::inherited().with_name("rp").with_partitions(7)).to("out");
    check(&builder, include_str!("describe/explicit-partitions.txt"));
    let topology = builder.build().expect("the program has no mistakes");
    assert_eq!(topology.fixed_partitions("rp-repartition"), Some(7));
}

#[test]
fn a_stream_can_be_repartitioned_again() {
    let builder = StreamsBuilder::new();
    texts(&builder, "in").repartition().repartition_with(Repartitioned::inherited().with_name("rp2")).to("out");
    check(&builder, include_str!("describe/explicit-twice.txt"));
}

#[test]
fn a_repartitioned_stream_merges_with_another_topic() {
    let builder = StreamsBuilder::new();
    texts(&builder, "in")
        .flat_map(|_, text| words(text, text).into_iter().map(|word| (word, text.clone())).collect::<Vec<_>>())
        .repartition_with(Repartitioned::by_type().with_name("rp"))
        .merge(&texts(&builder, "o"))
        .to("out");
    check(&builder, include_str!("describe/interleaving.txt"));
}

#[test]
fn that_a_key_was_changed_is_kept_until_a_topic() {
    let builder = StreamsBuilder::new();
    let stream = texts(&builder, "in");
    count_into_out(&stream.merge(&stream.map(|key, value| (value.clone(), key.clone()))));
    check(&builder, include_str!("describe/merge-keeps-flag.txt"));

    let builder = StreamsBuilder::new();
    let selected = texts(&builder, "in").select_key(|_, value| value.clone());
    count_into_out(&selected.map_values(|_, value| format!("{value}1")).filter(|_, _| true));
    check(&builder, include_str!("describe/map-values-keeps-flag.txt"));

    let builder = StreamsBuilder::new();
    let selected = texts(&builder, "in").select_key(|_, value| value.clone());
    count_into_out(&selected.repartition_with(Repartitioned::by_type().with_name("rp")));
    check(&builder, include_str!("describe/repartition-resets.txt"));
}

#[test]
fn a_processor_may_change_the_key_and_a_fixed_key_processor_may_not() {
    let builder = StreamsBuilder::new();
    count_into_out(&texts(&builder, "in").process(forward, &[]));
    check(&builder, include_str!("describe/process-sets-flag.txt"));

    let builder = StreamsBuilder::new();
    count_into_out(&texts(&builder, "in").process_values(forward, &[]));
    check(&builder, include_str!("describe/process-values-no-flag.txt"));
}

#[test]
fn a_named_processor_takes_no_number() {
    let builder = StreamsBuilder::new();
    let first: Texts = texts(&builder, "in").process_named("p", forward, &[]);
    let second: Texts = first.process(forward, &[]);
    let third: Texts = second.process_values_named("pv", forward, &[]);
    third.to("out");
    check(&builder, include_str!("describe/process-named-takes-none.txt"));
}

#[test]
fn a_processor_must_name_stores_that_are_there() {
    let builder = StreamsBuilder::new();
    let stream: Texts = texts(&builder, "in").process(forward, &["nowhere"]);
    stream.to("out");
    let mistakes = builder.build().expect_err("there is no store").to_string();
    assert_eq!(mistakes, "Invalid topology: StateStore nowhere is not added yet. Of those that are, there is none");
}

#[test]
fn processors_bring_their_stores_and_may_share_one() {
    let spec = |name: &str| headwater_store::StoreSpec::new(name, headwater_store::StoreKind::KeyValue);
    let builder = StreamsBuilder::new();
    let named = StreamsBuilder::new();
    let first: Texts = texts(&builder, "in").process(forward, [spec("seen"), spec("told")]);
    let second: Texts = first.process_values(forward, vec![spec("seen")]);
    second.to("out");
    for name in ["seen", "told"] {
        named.add_state_store(spec(name));
    }
    let first: Texts = texts(&named, "in").process(forward, &["seen", "told"]);
    let second: Texts = first.process_values(forward, &["seen"]);
    second.to("out");
    let described = builder.build().expect("a topology").describe();
    assert_eq!(described, named.build().expect("a topology").describe());
    assert!(described.contains("(stores: [told, seen])"), "{described}");

    let cached = headwater_store::StoreSpec { caching: true, ..spec("seen") };
    let first: Texts = texts(&builder, "again").process(forward, [cached]);
    first.to("other");
    let mistake = builder.build().expect_err("it is another store").to_string();
    assert_eq!(mistake, "Invalid topology: A different StateStore has already been added with the name seen");
}

#[test]
fn a_processor_keeps_the_stores_it_names() {
    let builder = StreamsBuilder::new();
    builder.add_state_store(headwater_store::StoreSpec::new("seen", headwater_store::StoreKind::KeyValue));
    let stream: Texts = texts(&builder, "in").process(forward, &["seen"]);
    stream.to("out");
    let text = builder.build().expect("the program has no mistakes").describe();
    assert!(text.contains("Processor: KSTREAM-PROCESSOR-0000000001 (stores: [seen])"), "{text}");
}

#[test]
fn two_aggregates_of_a_changed_key_have_a_repartition_topic_each() {
    let builder = StreamsBuilder::new();
    let selected = texts(&builder, "in").select_key(|_, value| value.clone());
    let counts = selected.group_by_key().count_with(Materialized::named("c")).to_stream();
    let counts = counts.map_values(|_, count| count.map(|count| count.to_string()));
    let last = selected.group_by_key().reduce_with(|_, value| value.clone(), Materialized::named("r")).to_stream();
    counts.merge(&last).to("out");
    check(&builder, include_str!("describe/shared-twice.txt"));
}

#[test]
fn a_topic_that_is_written_can_be_read_back() {
    let builder = StreamsBuilder::new();
    texts(&builder, "in").to("mid");
    texts(&builder, "mid").map_values(|_, text| format!("{text}2")).to("out");
    check(&builder, include_str!("describe/to-and-back.txt"));
}

#[test]
fn a_stream_reads_several_topics_or_a_pattern() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>(["a1", "a2", "a3"]).to("out");
    check(&builder, include_str!("describe/several-topics.txt"));

    let builder = StreamsBuilder::new();
    builder.stream::<String, String>(Topics::Matching("in-[ab]".to_owned())).to("out");
    check(&builder, include_str!("describe/pattern.txt"));
}

#[test]
fn a_sink_may_choose_its_topic_for_each_record() {
    let builder = StreamsBuilder::new();
    let produced = Produced::inherited().with_chooser_text("extractor");
    texts(&builder, "in").to_chosen_with(|_, value, _| format!("out-{value}"), produced);
    check(&builder, include_str!("describe/to-dynamic.txt"));
}

#[test]
fn branches_are_named_after_the_node_that_splits() {
    let builder = StreamsBuilder::new();
    let split = texts(&builder, "in").split();
    let (x, y) = (split.branch(|_, _| true), split.branch_named("-n", |_, _| false));
    let d = split.default_branch();
    assert_eq!(&*x.name(), "KSTREAM-BRANCH-00000000011");
    x.to("o1");
    d.to("o2");
    y.filter(|_, _| true).to("o3");
    check(&builder, include_str!("describe/split.txt"));

    let builder = StreamsBuilder::new();
    let split = texts(&builder, "in").split().named("sp");
    let x = split.branch_named("-a", |_, text| text.starts_with('a'));
    let y = split.branch(|_, text| text.len() > 3);
    let d = split.default_branch_named("-rest");
    x.to("out-1");
    y.to("out-2");
    d.to("out-0");
    check(&builder, include_str!("describe/branch-named.txt"));
}

/// Keeps nothing: what fills the global store here is of no matter to the description.
struct Fill;

impl Processor<String, String, (), ()> for Fill {
    fn process(
        &mut self,
        _: &mut ProcessorContext<'_, '_, (), ()>,
        _: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        Ok(())
    }
}

#[test]
fn a_global_store_is_a_part_of_its_own_without_changelog() {
    for (name, recorded) in [
        (None, include_str!("describe/global-store.txt")),
        (Some("gname"), include_str!("describe/global-store-read-only.txt")),
    ] {
        let builder = StreamsBuilder::new();
        let consumed = Consumed::by_type();
        let consumed = match name {
            Some(name) => consumed.with_name(name),
            None => consumed,
        };
        let store = headwater_store::StoreSpec::new("gs", headwater_store::StoreKind::KeyValue);
        builder.add_global_store(store, "g", consumed, |_| Ok(Fill));
        let stream: Texts = texts(&builder, "in").process(forward, &[]);
        stream.to("out");
        check(&builder, recorded);
        let topology = builder.build().expect("the program has no mistakes");
        let store = topology.store_named("gs").and_then(|id| topology.store(id)).expect("the store was added");
        assert!(store.global);
        assert!(matches!(store.spec.logging, headwater_store::Logging::Disabled));
    }
}

#[test]
fn either_builder_takes_what_fills_a_global_store() {
    let builder = StreamsBuilder::new();
    let spec = |name: &str| headwater_store::StoreSpec::new(name, headwater_store::StoreKind::KeyValue);
    let fill = |_: &mut StoreAccess<'_, '_>| Ok(Fill);
    builder.add_global_store(spec("of-the-dsl"), "one", Consumed::by_type(), fill);
    let source = SourceSpec::topics(["two"], String::default_serde(), String::default_serde());
    builder.by_hand().add_global_store(spec("by-hand"), ("source", source), ("fill", fill));
    let topology = builder.build().expect("the program has no mistakes");
    for name in ["of-the-dsl", "by-hand"] {
        let store = topology.store_named(name).and_then(|id| topology.store(id)).expect("the store was added");
        assert!(store.global, "{name}");
        assert!(matches!(store.spec.logging, headwater_store::Logging::Disabled), "{name}");
    }
}
