//! A small application that makes no topic itself: how many words of each length are in the lines of a topic.
//!
//! `word_lengths BOOTSTRAP INPUT OUTPUT [KEY=VALUE ...]`. It runs until SIGINT or SIGTERM; an error goes to standard error, its kind
//! before it.
#![allow(clippy::print_stderr, reason = "the test that started it reads the error")]

use std::process::ExitCode;

use headwater::prelude::*;
use headwater::runtime::{Error, ErrorKind};

fn main() -> ExitCode {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    subscriber.with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let mut next = || arguments.next().ok_or_else(|| Error::new(ErrorKind::Config, "BOOTSTRAP INPUT OUTPUT"));
    let (bootstrap, input, output) = (next()?, next()?, next()?);
    let builder = StreamsBuilder::new();
    builder
        .values::<String>(input.as_str())
        .flat_map_values(|(), line| line.split_whitespace().map(|word| word.len().to_string()).collect::<Vec<_>>())
        .group_by(|(), length| length.clone())
        .count()
        .to_stream()
        .to(output.as_str());
    let mut streams = KafkaStreams::builder(builder.build()?).bootstrap_servers(bootstrap);
    for setting in arguments {
        let (key, value) = setting.split_once('=').unwrap_or((&setting, ""));
        streams = streams.set(key, value);
    }
    let streams = streams.start()?;
    streams.close_on_signals()?;
    streams.wait()
}
