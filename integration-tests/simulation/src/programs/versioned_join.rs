//! Sales, each at the price that stood when it was made: a versioned table.

use std::time::Duration;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::{outcome, texts};

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    // Nothing is forgotten.
    let versions = Materialized::versioned("versions", Duration::from_hours(1));
    let prices = builder.table_with::<String, String>("prices", Consumed::by_type(), versions);
    let sales = builder.stream::<String, String>("sales");
    sales.join_table(&prices, |_, sale, price| format!("{sale} {price}")).to("sold");
    builder.build().unwrap()
}

/// At even times. Each price is there before the sale that it counts for is read.
fn prices(dice: &mut Dice) -> Vec<InputRecord> {
    let price = |number: i64| {
        let value = (!dice.one_in(8)).then(|| format!("p{number}"));
        InputRecord::new(format!("k{}", dice.below(6)), value, 2 * number)
    };
    (0..45).map(price).collect()
}

/// At odd times.
fn sales(dice: &mut Dice) -> Vec<InputRecord> {
    let sale = |number: i64| InputRecord::text(format!("k{}", dice.below(6)), format!("s{number}"), 2 * number + 1);
    (0..60).map(sale).collect()
}

fn expected(fed: &Fed) -> Expected {
    let price_of = |key: &str, time: i64| {
        let before = texts(fed, "prices").filter(|(other, _, since)| *other == key && *since < time);
        before.last().and_then(|(_, price, _)| price)
    };
    let sold = texts(fed, "sales").filter_map(|(key, sale, time)| {
        Some(outcome(key, &format!("{} {}", sale.unwrap_or_default(), price_of(key, time)?)))
    });
    Expected::from([("sold".to_owned(), sold.collect())])
}

pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .input(Input::topic("prices", 3, prices).first())
        .input(Input::topic("sales", 3, sales))
        .output(Output::sequence("sold"))
        .expect(expected)
}
