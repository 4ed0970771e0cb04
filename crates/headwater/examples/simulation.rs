//! Does the bank keep its books right, whatever happens? An application under simulation: `docs/simulation.md`.
//!
//! `cargo run --release -p headwater --no-default-features --features testing --example simulation -- [SEEDS]`
#![allow(clippy::print_stdout, reason = "an example talks on its standard output")]

use std::error::Error;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Input, InputRecord, Output, Simulation};

/// Payments into accounts; the balance of each account, and what is told to its owner, are written together.
fn bank() -> Topology {
    let builder = StreamsBuilder::new();
    let payments = builder.stream::<String, i64>("payments");
    let balances = payments.group_by_key().reduce(|balance, payment| balance + payment).to_stream();
    balances.to("balances");
    balances.map_values(|account, balance| balance.map(|balance| format!("{account} has {balance}"))).to("letters");
    builder.build().unwrap_or_else(|error| unreachable!("the topology is whole: {error}"))
}

fn payments(dice: &mut Dice) -> Vec<InputRecord> {
    let account = |dice: &mut Dice| format!("account {}", dice.below(6));
    (0..120).map(|time| InputRecord::new(account(dice), 1 + dice.below(100) as i64, time)).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let seeds = std::env::args().nth(1).map_or(Ok(100), |seeds| seeds.parse::<u64>())?;
    let simulation = Simulation::of(bank)
        .input(Input::topic("payments", 3, payments))
        .output(Output::sequence("balances"))
        .output(Output::sequence("letters"))
        .together(["balances", "letters"])
        .exactly_once(true);
    let (mut crashes, mut pauses, mut faults) = (0, 0, 0);
    for seed in 0..seeds {
        let report = simulation.run(seed);
        if !report.passed() {
            // The same seed again, with all that happens.
            println!("{}\n{report}", simulation.clone().traced(true).run(seed).trace);
            return Err(format!("seed {seed} failed").into());
        }
        (crashes, pauses, faults) = (crashes + report.crashes, pauses + report.pauses, faults + report.faults);
    }
    println!(
        "{seeds} seeds: {crashes} crashes, {pauses} pauses and {faults} faults of the cluster, and every balance is right."
    );
    Ok(())
}
