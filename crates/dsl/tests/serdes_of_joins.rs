//! Which serdes joins use after an operator that changed values, and what they say where there are none.
#![allow(missing_docs, reason = "tests")]

use std::time::Duration;

use headwater_dsl::{
    BufferConfig, KStream, KTable, Materialized, StreamJoined, StreamsBuilder, Suppressed, TableJoined,
};
use headwater_window::JoinWindows;

struct Foreign;

fn within() -> JoinWindows {
    JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1))
}

fn lengths(builder: &StreamsBuilder, topic: &str) -> KStream<String, i64> {
    builder.stream::<String, String>(topic).map_values(|_, text| text.len() as i64)
}

fn rows<V: 'static>(builder: &StreamsBuilder, topic: &str, row: fn() -> V) -> KTable<String, V> {
    builder.table::<String, String>(topic).map_values(move |_, _| row())
}

fn mistakes(builder: &StreamsBuilder) -> String {
    builder.build().expect_err("a serde is missing").to_string()
}

#[test]
fn a_join_of_streams_that_has_only_a_name_finds_the_serdes_of_the_types() {
    let builder = StreamsBuilder::new();
    let (left, right) = (lengths(&builder, "left"), lengths(&builder, "right"));
    left.join_with(&right, |_, one, other| one + other, within(), StreamJoined::named("both")).to("out");
    let text = builder.build().expect("all serdes are known").describe();
    assert!(text.contains("Processor: both-this-join"), "{text}");
}

#[test]
fn a_join_by_foreign_key_finds_the_serdes_of_the_types() {
    let builder = StreamsBuilder::new();
    let (orders, customers) = (rows(&builder, "orders", || 1_i64), rows(&builder, "customers", || 2_i64));
    let key = |_: &String, order: &i64| order.to_string();
    let plain = orders.join_on(&customers, key, |one, other| one + other);
    let left = orders.left_join_on(&customers, key, |one, _| *one);
    let kept = Materialized::named("kept");
    let named = orders.join_on_with(&customers, key, |one, other| one + other, TableJoined::named("shipping"), kept);
    for joined in [plain, left, named] {
        joined.to_stream().for_each(|_, _| ());
    }
    let text = builder.build().expect("all serdes are known").describe();
    assert!(text.contains("topics: [shipping-subscription-registration-topic]"), "{text}");
}

#[test]
fn a_missing_serde_of_a_join_of_streams_says_of_which_stream() {
    let builder = StreamsBuilder::new();
    let foreign = builder.stream::<String, String>("right").map_values(|_, _| Foreign);
    let left = lengths(&builder, "left");
    let options = StreamJoined::inherited().with_value_serde(headwater_record::DefaultSerde::default_serde());
    left.join_with(&foreign, |_, one, _| *one, within(), options).to("out");
    let mistakes = mistakes(&builder);
    let what = "KSTREAM-MERGE-0000000008 has no serde for the values of the other stream, which are `Foreign`";
    assert!(mistakes.contains(what), "{mistakes}");
    assert!(mistakes.contains("add `.with_other_value_serde(..)` to the `StreamJoined`"), "{mistakes}");
}

#[test]
fn a_missing_serde_of_a_join_by_foreign_key_says_of_which_table() {
    let sides = [
        (1, "of this table", "with_value_serde"),
        (2, "of the table that foreign keys lead to", "with_other_value_serde"),
    ];
    for (foreign, whose, method) in sides {
        let builder = StreamsBuilder::new();
        let table = builder.table::<String, String>("t");
        let unknown = rows(&builder, "u", || Foreign);
        let (options, kept) = (TableJoined::inherited(), Materialized::inherited());
        if foreign == 1 {
            let key = |key: &String, _: &Foreign| key.clone();
            let _ = unknown.join_on_with(&table, key, |_, text| text.clone(), TableJoined::inherited(), kept);
        } else {
            let _ = table.join_on_with(&unknown, |key, _| key.clone(), |text, _| text.clone(), options, kept);
        }
        let mistakes = mistakes(&builder);
        assert!(mistakes.contains(&format!("no serde for the values {whose}, which are `Foreign`")), "{mistakes}");
        assert!(mistakes.contains(&format!("add `.{method}(..)` to the `TableJoined`")), "{mistakes}");
        assert!(mistakes.contains("`TableJoined::named(..)`"), "{mistakes}");
    }
}

#[test]
fn a_suppression_after_map_values_takes_the_serde_of_the_type_if_it_is_asked_to() {
    let builder = StreamsBuilder::new();
    let limit = || Suppressed::until_time_limit(Duration::from_secs(1), BufferConfig::unbounded());
    rows(&builder, "t", || 1_i64).suppress(limit().or_by_type()).to_stream().to("out");
    assert!(builder.build().is_ok());
}
