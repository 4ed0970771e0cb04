//! Loses, holds back and repeats the requests of transactions for as long as one likes, and compares what came of them:
//! `cargo xtask torn`.
//!
//! `HEADWATER_TEST_BOOTSTRAP` names the broker, `HEADWATER_KAFKA_LIBS` the folder with the jars of Kafka's tools.
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::torn::{Mischief, Plan, run, under_protocol_one};

const USAGE: &str = "torn --faults N [--seed S] [--longest SECONDS] [--applications N]";

fn main() -> Result<()> {
    let (mut faults, mut seed, mut longest, mut applications) = (None, 1, 60, 16);
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        let value = arguments.next().context(USAGE)?;
        match word.as_str() {
            "--faults" => faults = Some(value.parse()?),
            "--seed" => seed = value.parse()?,
            "--longest" => longest = value.parse()?,
            "--applications" => applications = value.parse()?,
            _ => bail!("unknown: {word}; {USAGE}"),
        }
    }
    let broker = Broker::of_this_run("torn").context("there is no broker")?;
    let (faults, longest) = (faults.context(USAGE)?, Duration::from_secs(longest));
    let plan = Plan { applications, faults, mischief: Mischief::Everything, longest, seed };
    let tell = |how_far: &str| println!("{how_far}");
    let two = run(&broker, &plan, tell)?;
    println!("protocol 2: {two}");
    let one = under_protocol_one(&broker, || {
        let one = run(&broker, &Plan { mischief: Mischief::NoEndTwice, ..plan }, tell)?;
        println!("protocol 1: {one}");
        let plan = Plan { mischief: Mischief::OnlyTwice, longest: longest.min(Duration::from_secs(3)), ..plan };
        let twice = run(&broker, &plan, tell)?;
        let (doubled, torn) = (twice.faults.doubled, twice.faults.torn);
        println!("protocol 1 with ends that come twice, which must be seen: {doubled} doubled, {torn} torn");
        ensure!(doubled + torn > 0, "ends came twice, and nobody saw it");
        Ok(one)
    })?;
    let sum = |of: fn(&headwater_integration_tests::kill::Faults) -> u64| of(&one.faults) + of(&two.faults);
    let (lost, doubled) = (sum(|faults| faults.lost), sum(|faults| faults.doubled));
    let (torn, wrong) = (sum(|faults| faults.torn), sum(|faults| faults.wrong + faults.reordered));
    let (injected, records) = (one.injected.all() + two.injected.all(), one.records + two.records);
    println!("{injected} faults, {records} records: {lost} lost, {doubled} doubled, {torn} torn, {wrong} wrong");
    ensure!(one.faults.are_none() && two.faults.are_none(), "not exactly once");
    Ok(())
}
