//! `conformance`: replays what Java Kafka Streams did, and says where we differ.
#![forbid(unsafe_code)]

mod arguments;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use arguments::{Command, How, USAGE};
use headwater_conformance::interpret::Stores;
use headwater_conformance::oracle::Oracle;
use headwater_conformance::report::{Report, Verdict};
use headwater_conformance::restart::exceptions;
use headwater_conformance::scenario::Scenario;
use headwater_conformance::{partitions, random, restart, suite};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = Command::parse(&words).context(USAGE).and_then(|command| run(command, &mut std::io::stdout().lock()));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as Java does it.
fn run(command: Command, out: &mut dyn Write) -> Result<bool> {
    match command {
        Command::Help => {
            writeln!(out, "{USAGE}")?;
            Ok(true)
        }
        Command::Golden { folder } => {
            let folder = folder.unwrap_or_else(suite::own_scenarios);
            let oracle = Oracle::build()?;
            for file in oracle.record_new(&folder)? {
                writeln!(out, "recorded {}", file.display())?;
            }
            out.flush()?;
            oracle.check(&folder)?;
            Ok(true)
        }
        Command::Scenarios { folder, filter, how, stores } => {
            if matches!(how, How::Restarted(_)) {
                writeln!(
                    out,
                    "{} scenarios are listed as exceptions, of at most {}",
                    exceptions::LISTED,
                    exceptions::MOST
                )?;
            }
            let mut report = Report::new(out);
            for scenario in suite::chosen(&folder.unwrap_or_else(suite::own_scenarios), filter.as_deref())? {
                for verdict in judge(&scenario, how, stores) {
                    if matches!((how, &verdict), (How::Restarted(_), Verdict::PassedInPart(_))) {
                        report.name_in_part(scenario.name());
                    }
                    report.add(&scenario.area(), verdict)?;
                }
            }
            Ok(report.close()?.failed == 0)
        }
        Command::Random { wanted, seed, how, stores } => {
            let mut report = Report::new(out);
            let result = random::run(wanted, seed, |scenario| judge(scenario, how, stores), &mut report);
            let counts = report.close()?;
            let drawn = result?;
            let whole = counts.passed - counts.in_part;
            let share = |of: usize| 100 * of / drawn.drawn.max(1);
            writeln!(
                out,
                "{} of {} random programs from seed {seed} on could run ({} %), {whole} of them whole ({} %)",
                drawn.run,
                drawn.drawn,
                share(drawn.run),
                share(whole)
            )?;
            Ok(counts.failed == 0)
        }
    }
}

/// The verdicts on one scenario.
fn judge(scenario: &Scenario, how: How, stores: Stores) -> Vec<Verdict> {
    match how {
        How::Whole => vec![suite::judge(scenario, stores)],
        How::Restarted(cuts) => restart::judge(scenario, stores, cuts),
        How::Spread { partitions } => vec![partitions::judge(scenario, stores, partitions)],
    }
}
