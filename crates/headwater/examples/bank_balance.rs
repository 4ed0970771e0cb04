//! Bank balances: an aggregate of one's own type, joined with a table of customers; deleted customers leave.
//!
//! `cargo run -p headwater --no-default-features --features json,testing --example bank_balance`

use headwater::prelude::*;
use headwater::testing::TopologyTestDriver;

/// Money comes or goes.
#[derive(serde::Serialize, serde::Deserialize, headwater::Json)]
struct Transaction {
    customer: String,
    cents: i64,
    time: i64,
}

/// What somebody has.
#[derive(Clone, Default, Debug, PartialEq, serde::Serialize, serde::Deserialize, headwater::Json)]
struct Balance {
    transactions: u32,
    cents: i64,
    last: i64,
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let customers = builder.table::<String, String>("customers");
    let balances =
        builder.values::<Transaction>("transactions").group_by(|(), one| one.customer.clone()).aggregate_with(
            Balance::default,
            |_, one, balance| Balance {
                transactions: balance.transactions + 1,
                cents: balance.cents + one.cents,
                last: balance.last.max(one.time),
            },
            Materialized::named("balances"),
        );
    let statement = |balance: &Balance, city: &String| format!("{} cents, {city}", balance.cents);
    balances.join(&customers, statement).to_stream().to("statements");
    builder.build()
}

/// Runs the topology on three transactions, and closes an account.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = TopologyTestDriver::new(topology()?)?;
    let customers = driver.input_topic::<String, Option<String>>("customers");
    customers.pipe("Ann", Some("Lima".to_owned()))?;
    let transactions = driver.input_topic::<(), Transaction>("transactions");
    for (customer, cents, time) in [("Ann", 500, 1), ("Bob", 20, 2), ("Ann", -150, 3)] {
        transactions.pipe_value(Transaction { customer: customer.to_owned(), cents, time })?;
    }
    customers.pipe("Ann", None)?;

    let statements = driver.output_topic::<String, Option<String>>("statements").read_values()?;
    assert_eq!(statements, [Some("500 cents, Lima".to_owned()), Some("350 cents, Lima".to_owned()), None]);
    let balances = driver.key_value_store(&StoreHandle::<String, Balance>::named("balances"))?;
    assert_eq!(balances.get(&"Ann".to_owned())?, Some(Balance { transactions: 2, cents: 350, last: 3 }));
    Ok(())
}
