//! Kills the processes of an application for as long as one likes, and compares what it wrote: `cargo xtask kill`.
//!
//! `HEADWATER_KAFKA_LIBS` names the folder with the jars of the brokers that it starts.
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use headwater_integration_tests::cluster::Cluster;
use headwater_integration_tests::kill::{Plan, application, run};

const USAGE: &str = "kill --kills N [--seed S] [--rate EVENTS_PER_SECOND] [--bounces N] [--leave yes]

  --bounces  how often a broker goes and comes back: a fifth of the kills, unless this says otherwise
  --leave    where something went wrong, the brokers' folders stay, to be looked at";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let outcome = match arguments.next_if(|word| word == "instance") {
        Some(_) => application::serve(arguments),
        None => strike(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn strike(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (mut kills, mut seed, mut rate, mut bounces, mut leave) = (None, 1, 400, None, false);
    while let Some(word) = arguments.next() {
        let value = arguments.next().with_context(|| USAGE.to_owned())?;
        match word.as_str() {
            "--kills" => kills = Some(value.parse()?),
            "--seed" => seed = value.parse()?,
            "--rate" => rate = value.parse()?,
            "--bounces" => bounces = Some(value.parse()?),
            "--leave" => leave = value == "yes",
            _ => bail!("unknown: {word}; {USAGE}"),
        }
    }
    let kills: u32 = kills.with_context(|| USAGE.to_owned())?;
    let libs =
        std::env::var("HEADWATER_KAFKA_LIBS").context("HEADWATER_KAFKA_LIBS names no folder with Kafka's jars")?;
    let program = std::env::current_exe()?;
    // As many of each as in the test of every day.
    let bounces = bounces.unwrap_or(kills.div_ceil(5));
    let plan = Plan { program, seed, kills, stops: kills.div_ceil(3), bounces, rate };
    let mut cluster = Cluster::start(&libs)?;
    let report = match run(&plan, &mut cluster, |how_far| println!("{how_far}")) {
        Err(error) if leave => {
            println!("what the brokers have written is in {}", cluster.leave()?.display());
            return Err(error);
        }
        report => report?,
    };
    println!(
        "{} processes stood still, {} brokers came back, {} records were restored to disks that were left; {} records were seen in the outputs",
        plan.stops, plan.bounces, report.restored, report.seen
    );
    println!("{report}");
    Ok(())
}
