//! The workloads of the side-by-side benchmarks, as a user would write them: one function each.

mod cogroup;
mod count;
mod hopping_count;
mod joins;
mod passthrough;
mod repartition;
mod session_count;
mod stateless;
mod suppress;
mod window_count;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use headwater::dsl::{KStream, KTable};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{DefaultSerde, Partition};

/// What nearly all workloads read: numbers as keys, bytes as values.
type Numbered = KStream<i64, Bytes>;
/// The same as a table.
type Rows = KTable<i64, Bytes>;

/// So many bytes at the start of a value are a number.
const HEAD: usize = 8;

/// From where to where a workload goes.
#[derive(Clone, Copy, Debug)]
pub struct Topics<'a> {
    /// The input topics, as many as the workload has.
    pub inputs: &'a [&'a str],
    /// The output topic; some workloads have none.
    pub output: Option<&'a str>,
    /// Partitions of the first input topic.
    pub partitions: Partition,
}

impl Topics<'_> {
    /// The input topic at `index`.
    fn input(&self, index: usize) -> Result<&str> {
        self.inputs.get(index).copied().with_context(|| format!("there is no input topic number {}", index + 1))
    }

    fn output(&self) -> Result<&str> {
        self.output.context("the workload writes to a topic, and none is named")
    }

    fn numbered(&self, builder: &StreamsBuilder, index: usize) -> Result<Numbered> {
        Ok(builder.stream(self.input(index)?))
    }

    fn rows(&self, builder: &StreamsBuilder, index: usize, store: &str) -> Result<Rows> {
        let consumed = Consumed::with(i64::default_serde(), Bytes::default_serde());
        Ok(builder.table_with(self.input(index)?, consumed, Materialized::named(store)))
    }
}

/// How often each input record is processed by a source: twice where it crosses a repartition topic.
pub fn passes(workload: &str) -> u64 {
    if workload == "repartition" { 2 } else { 1 }
}

/// Whether the number of records that sources process is known before: what a foreign-key join sends itself depends on how its
/// sides meet.
pub fn is_counted(workload: &str) -> bool {
    workload != "foreign-key-join"
}

/// The topology of `workload`.
///
/// # Errors
/// When there is no such workload, or a topic that it needs is not named.
pub fn topology(workload: &str, topics: Topics<'_>) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    match workload {
        "passthrough" => passthrough::passthrough(&builder, topics.input(0)?, topics.output()?),
        "stateless8" => stateless::stateless8(&topics.numbered(&builder, 0)?, topics.output()?),
        "repartition" => {
            repartition::repartition(&topics.numbered(&builder, 0)?, topics.output()?, topics.partitions);
        }
        "cogroup" => cogroup::cogroup(&topics.numbered(&builder, 0)?, topics.output()?),
        "restore" => drop(topics.rows(&builder, 0, "table")?),
        "count+window" => {
            let stream = topics.numbered(&builder, 0)?;
            count::count(&stream, topics.output()?);
            window_count::by_minute(&stream, "windows");
        }
        "stream-stream-join" => {
            let (left, right) = (topics.numbered(&builder, 0)?, topics.numbered(&builder, 1)?);
            joins::stream_stream_join(&left, &right, topics.output()?);
        }
        "stream-table-join" => {
            let (stream, table) = (topics.numbered(&builder, 0)?, topics.rows(&builder, 1, "table")?);
            joins::stream_table_join(&stream, &table, topics.output()?);
        }
        "versioned-join" => joins::versioned_join(&topics.numbered(&builder, 0)?, None, topics.output()?),
        "grace-join" => {
            joins::versioned_join(&topics.numbered(&builder, 0)?, Some(Duration::from_secs(1)), topics.output()?);
        }
        "table-table-join" => {
            let (left, right) = (topics.rows(&builder, 0, "left")?, topics.rows(&builder, 1, "right")?);
            joins::table_table_join(&left, &right, topics.output()?);
        }
        "foreign-key-join" => {
            let (left, right) = (topics.rows(&builder, 0, "left")?, topics.rows(&builder, 1, "right")?);
            joins::foreign_key_join(&left, &right, topics.output()?);
        }
        "count" => count::count(&topics.numbered(&builder, 0)?, topics.output()?),
        "window-count" => window_count::window_count(&topics.numbered(&builder, 0)?, topics.output()?),
        "hopping-count" => hopping_count::hopping_count(&topics.numbered(&builder, 0)?, topics.output()?),
        "session-count" => session_count::session_count(&topics.numbered(&builder, 0)?, topics.output()?),
        "suppress" => suppress::suppress(&topics.numbered(&builder, 0)?, topics.output()?),
        unknown => bail!("{unknown} is no workload"),
    }
    Ok(builder.build()?)
}

/// The first 8 bytes of a value as a big-endian number.
fn head(value: &[u8]) -> Result<i64> {
    Ok(i64::from_be_bytes(*first_bytes(value)?))
}

fn first_bytes(value: &[u8]) -> Result<&[u8; HEAD]> {
    value.first_chunk().context("a value has less than 8 bytes")
}
