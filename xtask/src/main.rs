//! The project's own tools: `cargo xtask <command>`.
//!
//! Everything that must hold for a commit, and everything that a test run needs from the machine, is a command here, so
//! that CI, a terminal and the README say the same words.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a tool that starts programs lives in real time")]
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]

mod ci;
mod failures;
mod kafka;
mod layers;
mod page;
mod process;
mod prove;
mod rocksdb;
mod setup;
mod simulate;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask <command>

  test [--no-broker]              set-up, RocksDB, a real broker, every test, the conformance scenarios
  ci                              check, then test: what CI runs
  check                           fmt, tidy, layers, clippy, and cargo-deny where it is installed
  tidy                            module docs, file lengths, banned words, unsafe, machine paths, names in documents
  layers                          the crates' dependencies against xtask/layers.toml
  page                            the page of the query server in Chromium, on a real broker
  setup [--no-broker]             finds or installs compilers, libclang, Maven and a JDK
  rocksdb [--check]               compiles RocksDB once per machine and tells Cargo where it is
  kafka up|down|status [--port N] a broker for daily work (port 9092 unless told)
  kafka libs                      where Kafka's jars are, fetched once
  conformance [arguments]         scenarios: recorded, restarted, on several partitions, random; see its `--help`
  golden [arguments]              its `golden` subcommand
  kill --kills N [--seed S]       exactly-once while processes are killed, on three brokers that come and go
  torn --faults N [--seed S]      exactly-once while requests of transactions are lost, late and repeated
  simulate [arguments]            whole applications by seeds, while everything goes wrong that can; see its `--help`
  simulate --bugs [NAME]          how many seeds it takes to find each of the bugs in integration-tests/bugs";

/// The first words of all commands.
fn commands() -> impl Iterator<Item = &'static str> {
    USAGE.lines().filter_map(|line| line.strip_prefix("  ")).filter_map(|line| line.split_whitespace().next())
}

fn main() -> ExitCode {
    process::end_children_on_signals();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if process::interrupted() => {
            eprintln!("xtask: interrupted ({error:#})");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => test::run(test::With::Broker),
        ["test", "--no-broker"] => test::run(test::With::NoBroker),
        ["ci"] => ci::run(),
        ["check"] => ci::check(),
        ["tidy"] => tidy::run(),
        ["layers"] => layers::run(),
        ["page"] => page::run(),
        ["setup"] => setup::run(setup::Need::Everything),
        ["setup", "--no-broker"] => setup::run(setup::Need::Compilers),
        ["rocksdb"] => rocksdb::run(),
        ["rocksdb", "--check"] => rocksdb::check(),
        ["kafka", rest @ ..] => kafka::run(rest),
        ["conformance", rest @ ..] => test::conformance(rest),
        ["golden", rest @ ..] => test::golden(rest),
        ["kill", rest @ ..] => prove::kill(rest),
        ["torn", rest @ ..] => prove::torn(rest),
        ["simulate", rest @ ..] => simulate::run(rest),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown command `{}`\n{USAGE}", other.join(" ")),
    }
}
