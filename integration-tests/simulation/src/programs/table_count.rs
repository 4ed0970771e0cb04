//! How many rows of a table are of each colour. The table's changelog is its source topic.

use std::collections::BTreeMap;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::number;
use super::table_join::table;

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let rows = builder.table_with::<String, String>("rows", Consumed::by_type(), Materialized::named("rows"));
    let counts = rows.group_by(|row, color| (color.clone(), row.clone())).count().to_stream();
    // A cache may leave out that there ever was one.
    counts.map_values(|_, count| count.filter(|count| *count != 0)).to("colors");
    builder.build_with(&TopologySettings::new().with("topology.optimization", "all")).unwrap()
}

fn rows(dice: &mut Dice) -> Vec<InputRecord> {
    let row = |time| {
        let color = (!dice.one_in(10)).then(|| format!("color{}", dice.below(4)));
        InputRecord::new(format!("k{}", dice.below(14)), color, time)
    };
    (0..100).map(row).collect()
}

fn expected(fed: &Fed) -> Expected {
    let mut counts = BTreeMap::new();
    for color in table(fed, "rows").into_values() {
        *counts.entry(color).or_insert(0) += 1;
    }
    Expected::from([("colors".to_owned(), counts.iter().map(|(color, count)| number(color, *count)).collect())])
}

/// A row that is processed again under at-least-once is taken away and added once more: only exactly-once counts right.
pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .exactly_once(true)
        .input(Input::topic("rows", 3, rows).kept())
        .output(Output::last_value("colors"))
        .expect(expected)
}
