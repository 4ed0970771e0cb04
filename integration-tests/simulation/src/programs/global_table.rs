//! Sales, each with the city of its shop from a global table, and counted by city.

use std::collections::BTreeMap;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::table_join::table;
use super::{number, outcome, texts};

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let shops = builder.global_table::<String, String>("shops");
    let sales = builder.stream::<String, String>("sales");
    let in_cities = sales.join_global(&shops, |shop, _| shop.clone(), |_, sale, city| format!("{sale} {city}"));
    in_cities.to("sold");
    in_cities.group_by_key().count().to_stream().to("sales-of-shops");
    builder.build().unwrap()
}

fn shops(dice: &mut Dice) -> Vec<InputRecord> {
    let shop = |time| InputRecord::text(format!("s{}", dice.below(9)), format!("city{time}"), time);
    (0..12).map(shop).collect()
}

fn sales(dice: &mut Dice) -> Vec<InputRecord> {
    (0..90).map(|time| InputRecord::text(format!("s{}", dice.below(9)), format!("{time}"), time)).collect()
}

fn expected(fed: &Fed) -> Expected {
    let (shops, mut counts) = (table(fed, "shops"), BTreeMap::new());
    let (mut sold, mut counted) = (Vec::new(), Vec::new());
    for (shop, sale, _) in texts(fed, "sales") {
        let Some(city) = shops.get(shop) else { continue };
        sold.push(outcome(shop, &format!("{} {city}", sale.unwrap_or_default())));
        let count = counts.entry(shop).or_insert(0);
        *count += 1;
        counted.push(number(shop, *count));
    }
    Expected::from([("sold".to_owned(), sold), ("sales-of-shops".to_owned(), counted)])
}

pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .input(Input::topic("shops", 2, shops).first())
        .input(Input::topic("sales", 3, sales))
        .output(Output::sequence("sold"))
        .output(Output::sequence("sales-of-shops").reached(|expected: &i64, seen: &i64| seen >= expected))
        .together(["sold", "sales-of-shops"])
        .expect(expected)
}
