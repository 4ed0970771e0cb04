//! Word count: how often each word occurs in the lines of a topic.
//!
//! ```sh
//! # On a Kafka in this process: counts the words of a poem, shows the counts as they grow, and ends.
//! cargo run --release -p headwater --no-default-features --example word_count
//! # On a real cluster, with state in RocksDB: a service that runs until SIGINT or SIGTERM. Start several.
//! cargo run --release -p headwater --example word_count -- --bootstrap localhost:9092
//! ```
#![allow(clippy::print_stdout, reason = "an example talks on its standard output")]

mod arguments;
mod place;

use std::error::Error;

use headwater::prelude::*;

use arguments::Arguments;
use place::Place;

/// The whole program, as far as streams and tables are concerned.
fn word_count(input: &str, output: &str) -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .values::<String>(input)
        .flat_map_values(|(), line| words(line))
        .group_by(|(), word| word.clone())
        .count()
        .to_stream()
        .to(output);
    builder.build()
}

fn words(line: &str) -> Vec<String> {
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(arguments.log).init();
    let place = Place::of(arguments.bootstrap.as_deref())?;
    place.make_topics(&[&arguments.input, &arguments.output], arguments.partitions)?;

    let mut builder = KafkaStreams::builder(word_count(&arguments.input, &arguments.output)?)
        .application_id("word-count")
        .set("commit.interval.ms", "500");
    builder = match &place {
        Place::InProcess(cluster) => builder.on(cluster).set("dsl.store.suppliers.class", "in_memory"),
        #[cfg(feature = "kafka")]
        Place::Real { bootstrap, .. } => builder.bootstrap_servers(bootstrap),
    };
    for (key, value) in &arguments.settings {
        builder = builder.set(key, value);
    }
    let streams = builder.start()?;

    match &place {
        Place::InProcess(cluster) => {
            let text = include_str!("lodore.txt");
            let total: usize = text.lines().map(|line| words(line).len()).sum();
            let lines = place::feed(cluster, &arguments.input, text)?;
            let counts = place::watch_counts(cluster, &arguments.output, total as i64)?;
            streams.close(CloseOptions::default())?;
            place::show_top_ten(&counts);
            println!("\n{lines} lines with {total} words went through a topic of a Kafka in this process.");
            println!(
                "A repartition topic brought equal words together; the tasks of its partitions counted them in their stores."
            );
            println!(
                "Each new count also went to a changelog topic: from there, another instance would go on counting."
            );
        }
        #[cfg(feature = "kafka")]
        Place::Real { .. } => {
            streams.close_on_signals()?;
            streams.wait()?;
        }
    }
    Ok(())
}
