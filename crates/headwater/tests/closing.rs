//! A task that closes frees all that it held, whoever looks into whose store.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::{BufferConfig, KTable, Materialized, StreamsBuilder, Suppressed};
use headwater::processor::Topology;
use headwater::testing::TopologyTestDriver;
use headwater::window::JoinWindows;

/// Counts how often something is alive: captured by a closure of the topology, so that it lives as long as its nodes.
fn topology(alive: &Arc<()>) -> Topology {
    let builder = StreamsBuilder::new();
    let (left, right): (KTable<String, String>, KTable<String, String>) =
        (builder.table("left"), builder.table("right"));
    let held = Arc::clone(alive);
    let joined = left.outer_join(&right, move |one, other| {
        let _ = &held;
        format!("{one:?}{other:?}")
    });
    let counts = right.group_by(|key, value| (value.clone(), key.clone())).count_with(Materialized::named("counts"));
    let kept =
        joined.map_values_with(|_, text| text.len() as i64, Materialized::named("lengths").with_value_serde(serde()));
    kept.join(&counts, |length, count| length + count).to_stream().to("out");
    kept.suppress(Suppressed::until_time_limit(
        Duration::from_millis(1),
        BufferConfig::max_records(1).emit_early_when_full(),
    ))
    .to_stream()
    .to("rarely");
    let joined = left.left_join_on(&right, |_, value| value.clone(), |one, other| format!("{one}{other:?}"));
    joined.to_stream().to("found");
    let sales = builder.stream::<String, String>("sales");
    sales.join_table(&kept, |_, sale, length| format!("{sale}{length}")).to("sold");
    let held = Arc::clone(alive);
    let with_itself = move |_: &String, one: Option<&String>, other: Option<&String>| {
        let _ = &held;
        format!("{one:?}{other:?}")
    };
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(1));
    sales.outer_join(&sales, with_itself, windows).to("paired");
    builder.build().unwrap()
}

fn serde() -> headwater::record::SharedSerde<i64> {
    headwater::record::DefaultSerde::default_serde()
}

#[test]
fn tables_that_look_into_each_other_let_go_of_their_stores() {
    let alive = Arc::new(());
    let topology = topology(&alive);
    let while_frozen = Arc::strong_count(&alive);
    for _ in 0..3 {
        let driver = TopologyTestDriver::new(topology.clone()).unwrap();
        for topic in ["left", "right", "sales"] {
            driver.input_topic::<String, String>(topic).pipe_at("a".to_owned(), "b".to_owned(), 1).unwrap();
        }
        driver.close().expect("no store outlives its task");
    }
    assert_eq!(Arc::strong_count(&alive), while_frozen, "the nodes of closed tasks are gone");
}
