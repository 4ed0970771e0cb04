//! The topologies. Their inputs are `left` and `right`: keys `k0` to `k9`, values that are numbers as texts.

use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::{BufferConfig, Consumed, Joined, KTable, Materialized, Produced, StreamsBuilder, Suppressed};
use headwater::processor::Topology;
use headwater::record::{DefaultSerde, SharedSerde};
use headwater::window::{SessionWindows, SlidingWindows, TimeWindows, Windowed};

fn serde<T: DefaultSerde>() -> SharedSerde<T> {
    T::default_serde()
}

fn kept(name: &str) -> Materialized<String, String> {
    Materialized::named(name).with_key_serde(serde()).with_value_serde(serde())
}

/// The topology of this name. `alive` lives as long as its nodes.
pub(crate) fn topology(name: &str, alive: &Arc<()>) -> Topology {
    let builder = StreamsBuilder::new();
    let held = Arc::clone(alive);
    let left = builder.stream::<String, String>("left").peek(move |_, _| drop(Arc::clone(&held)));
    match name {
        "aggregates_of_streams" => {
            left.group_by_key().count().to_stream().to("out");
            let sums = left.group_by(|_, value| value.clone()).reduce_with(join, kept("sums").with_caching_disabled());
            sums.to_stream().to("out-2");
        }
        "aggregates_of_tables" => {
            let table = left.to_table();
            let sums = table.group_by(|key, value| (value.clone(), key.clone()));
            sums.count().to_stream().to("out");
            table.filter_with(|_, value| value != "3", kept("filtered")).to_stream().to("out-2");
        }
        "joins_of_tables" => {
            let right: KTable<String, String> = builder.table("right");
            let left = left.to_table_with(kept("left-rows"));
            let joined = left.outer_join(&right, |one, other| format!("{one:?}{other:?}"));
            joined.to_stream().to("out");
            right.left_join(&left, |one, other| format!("{one}{other:?}")).to_stream().to("out-2");
        }
        "joins_of_streams_with_tables" => {
            let right: KTable<String, String> = builder.table("right");
            left.left_join_table(&right, |_, one, other| format!("{one}{other:?}")).to("out");
        }
        "versioned_tables" => {
            let rows = Materialized::versioned("rows", Duration::from_mins(1));
            let right = builder.table_with("right", Consumed::by_type(), rows);
            let waits = Joined::inherited().with_grace_period(Duration::from_millis(40));
            let joined = left.left_join_table_with(&right, |_, one, other| format!("{one}{other:?}"), waits);
            // Nothing that waits is lost, and nothing is joined twice.
            joined.group_by_key().count().to_stream().to("out");
            right.group_by(|key, row: &String| (row.clone(), key.clone())).count().to_stream().to("out-2");
        }
        "windows" => {
            let grouped = left.group_by_key();
            let tumbling = TimeWindows::of_size_with_no_grace(Duration::from_millis(50));
            told(grouped.windowed_by(tumbling).count(), &builder, "out");
            let sliding = SlidingWindows::of_time_difference_with_no_grace(Duration::from_millis(30));
            told(grouped.windowed_by(sliding).count(), &builder, "out-2");
        }
        "sessions" => {
            let gap = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(25));
            told(left.group_by_key().windowed_by(gap).count(), &builder, "out");
        }
        "suppressions" => {
            let limit = BufferConfig::max_records(1_000).emit_early_when_full();
            // What a cache lets through depends on when it is flushed, and so on the moves.
            let counts = left.group_by_key().count_with(Materialized::named("counts").with_caching_disabled());
            counts.suppress(Suppressed::until_time_limit(Duration::from_millis(40), limit)).to_stream().to("out");
        }
        other => panic!("no topology is named {other}"),
    }
    builder.build().expect("the topology is without mistakes")
}

fn join(one: String, other: &String) -> String {
    format!("{one}{other}")
}

fn told(counts: KTable<Windowed<String>, i64>, _: &StreamsBuilder, topic: &str) {
    let shown = counts.to_stream().map(|windowed, count| {
        let window = windowed.window;
        (format!("{}@{}/{}", windowed.key, window.start.millis(), window.end.millis()), *count)
    });
    shown.to_with(topic, Produced::by_type());
}
