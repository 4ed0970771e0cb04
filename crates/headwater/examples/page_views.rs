//! Page views by region: a stream joined with a table, counted in hopping windows.
//!
//! `cargo run -p headwater --no-default-features --features json,testing --example page_views`

use std::time::Duration;

use headwater::prelude::*;
use headwater::testing::TopologyTestDriver;

/// Somebody looks at a page.
#[derive(Clone, serde::Serialize, serde::Deserialize, headwater::Json)]
struct PageView {
    user: String,
    page: String,
}

/// Where somebody lives.
#[derive(Clone, serde::Serialize, serde::Deserialize, headwater::Json)]
struct Profile {
    region: String,
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let users = builder.table::<String, Profile>("users");
    let minute = Duration::from_mins(1);
    builder
        .values::<PageView>("views")
        .select_key(|(), view| view.user.clone())
        .left_join_table_with(
            &users,
            |_, view, profile| {
                (profile.map_or_else(|| "UNKNOWN".to_owned(), |profile| profile.region.clone()), view.page.clone())
            },
            Joined::by_type(),
        )
        .group_by(|_, (region, _)| region.clone())
        .windowed_by(TimeWindows::of_size_with_no_grace(5 * minute).advance_by(minute))
        .count_with(Materialized::named("views-by-region"))
        .to_stream()
        .map(|region, count| (format!("{}@{}", region.key, region.window.start), *count))
        .to("views-by-region");
    builder.build()
}

/// Runs the topology on three views.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = TopologyTestDriver::new(topology()?)?;
    let users = driver.input_topic::<String, Profile>("users");
    users.pipe("alice", Profile { region: "asia".to_owned() })?;
    let views = driver.input_topic::<(), PageView>("views");
    for (user, at) in [("alice", 0), ("alice", 61_000), ("chao", 0)] {
        views.pipe_at((), PageView { user: user.to_owned(), page: "index.html".to_owned() }, at)?;
    }
    let counts = driver.output_topic::<String, Option<i64>>("views-by-region").read_map()?;
    let counts: Vec<_> = counts.iter().map(|(region, count)| (region.as_str(), *count)).collect();
    assert_eq!(counts, [("UNKNOWN@0", Some(1)), ("asia@0", Some(2)), ("asia@60000", Some(1))]);
    Ok(())
}
