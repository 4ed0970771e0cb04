//! Orders, each with the name of its customer: a foreign-key join, in the end of the last of both.

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::outcome;
use super::table_join::table;

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let orders = builder.table::<String, String>("orders");
    let customers = builder.table::<String, String>("customers");
    let joined = orders.join_on(
        &customers,
        |_, order| order.split(' ').next().map(str::to_owned),
        |order, customer| format!("{order}: {customer}"),
    );
    joined.to_stream().to("joined");
    builder.build().unwrap()
}

fn orders(dice: &mut Dice) -> Vec<InputRecord> {
    let order = |time| {
        let value = (!dice.one_in(8)).then(|| format!("c{} o{time}", dice.below(4)));
        InputRecord::new(format!("k{}", dice.below(15)), value, time)
    };
    (0..60).map(order).collect()
}

/// Each is there in the end. Where a customer is missing, the answer to an order's change can be dropped because the order has changed once
/// more, and no other comes: a row stays that should go, in Java too.
fn customers(dice: &mut Dice) -> Vec<InputRecord> {
    let customer = |time: i64| {
        let number = if time < 4 { time as u64 } else { dice.below(4) };
        InputRecord::text(format!("c{number}"), format!("n{time}"), time * 3)
    };
    (0..20).map(customer).collect()
}

fn expected(fed: &Fed) -> Expected {
    let customers = table(fed, "customers");
    let row = |(key, order): (&str, &str)| {
        let customer = customers.get(order.split(' ').next()?)?;
        Some(outcome(key, &format!("{order}: {customer}")))
    };
    Expected::from([("joined".to_owned(), table(fed, "orders").into_iter().filter_map(row).collect())])
}

pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .input(Input::topic("orders", 2, orders).compacted())
        .input(Input::topic("customers", 2, customers).compacted())
        .output(Output::last_value("joined"))
        .expect(expected)
}
