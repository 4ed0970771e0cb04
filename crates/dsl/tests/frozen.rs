//! A built topology does not change any more, and handles of two builders do not mix.

use headwater_dsl::{KTable, StreamsBuilder};
use headwater_topology::Topology;

fn mistakes(builder: &StreamsBuilder) -> String {
    builder.build().expect_err("the handles belong to two builders").to_string()
}

/// What wiring sees of a topology beside its description: the stores, and where old values are sent.
fn wired(topology: &Topology) -> (usize, Vec<String>) {
    let sends_old = topology.nodes().filter(|(_, node)| node.sends_old_values).map(|(_, node)| node.name.to_string());
    (topology.stores().count(), sends_old.collect())
}

#[test]
fn what_is_added_after_a_build_belongs_to_the_next_one() {
    let builder = StreamsBuilder::new();
    let words = builder.stream::<String, String>("words");
    let branches = words.split();
    branches.branch(|word, _| word.is_empty()).to("empty");
    let stock: KTable<String, i64> = builder.table("stock");
    stock.to_stream().to("copies");
    let first = builder.build().unwrap();
    let (text, state) = (first.describe(), wired(&first));

    words.to("late");
    branches.branch(|_, _| true).to("full");
    stock.filter(|_, pieces| *pieces > 0).to_stream().to("left");
    let sums = stock.group_by(|_, pieces| (String::from("all"), *pieces));
    sums.reduce(|sum, pieces| sum + pieces, |sum, pieces| sum - pieces).to_stream().to("sums");

    assert_eq!((first.describe(), wired(&first)), (text.clone(), state.clone()));
    let second = builder.build().unwrap();
    assert_ne!(second.describe(), text);
    assert_ne!(wired(&second), state, "the table is kept, and sends old values, for what came later");
}

#[test]
fn handles_of_two_builders_are_refused_by_both() {
    let words = "belong to different builders";
    let pair = || (StreamsBuilder::new(), StreamsBuilder::new());

    let (one, two) = pair();
    let (names, cities) = (one.table::<String, String>("names"), two.table::<String, String>("cities"));
    names.join(&cities, |name, city| format!("{name} in {city}")).to_stream().to("people");
    assert!(mistakes(&one).contains(words) && mistakes(&two).contains(words));

    let (one, two) = pair();
    one.stream::<String, String>("a").merge(&two.stream("b")).to("both");
    assert!(mistakes(&one).contains(words) && mistakes(&two).contains(words));

    let (one, two) = pair();
    let shops = two.global_table::<String, String>("shops");
    let sales = one.stream::<String, String>("sales");
    sales.join_global(&shops, |_, shop| shop.clone(), |_, _, city| city.clone()).to("cities");
    assert!(mistakes(&one).contains(words) && mistakes(&two).contains(words));

    let (one, two) = pair();
    let prices = two.table::<String, i64>("prices");
    let sold = one.stream::<String, i64>("sold");
    sold.join_table(&prices, |_, pieces, price| pieces * price).to("turnover");
    assert!(mistakes(&one).contains(words) && mistakes(&two).contains(words));

    let (one, two) = pair();
    let sink = headwater_topology::SinkSpec::topic("copies", serde(), serde());
    one.by_hand().add_sink("sink", sink, &[&two.stream::<String, String>("a").node_ref()]);
    assert!(mistakes(&one).contains(words) && mistakes(&two).contains(words));
}

fn serde() -> headwater_record::SharedSerde<String> {
    headwater_record::DefaultSerde::default_serde()
}
